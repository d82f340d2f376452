"""The backends that the contract suite runs against, and what it needs to know of each."""

import sys
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnx.reference
import pytest

from bench.runtime.backends import backend_class, cuda_ctypes
from bench.runtime.backends.base import Settings
from tests.fakes.gpu import Gpu
from tests.fakes.install import modules
from tests.fakes.libcuda import LibCuda
from tests.fakes.trt import GENERATIONS


class Case(NamedTuple):
    name: str  # as the test's id shows it
    backend: str
    library: str  # the module whose absence must be reported
    options: dict[str, Any]
    release: str = ""  # of the pretend TensorRT
    computes: bool = True  # null does not
    pycuda: bool = True  # or CUDA's driver through our own binding


CASES = [
    Case("null", "null", "", {}, computes=False),
    Case("onnxruntime", "onnxruntime", "onnxruntime", {}),
    Case("torch", "torch", "torch", {}),
    Case("torch-compiled", "torch", "torch", {"compile": True, "compile_backend": "eager"}),
]
CASES += [Case(f"tensorrt-{r}", "tensorrt", "tensorrt", {"isolate_build": False}, r) for r in GENERATIONS]
CASES += [
    Case(f"tensorrt-{r}-ctypes", "tensorrt", "tensorrt", {"isolate_build": False}, r, pycuda=False)
    for r in (GENERATIONS[0], GENERATIONS[-1])
]
COMPUTING = [case for case in CASES if case.computes]
PRETEND = [case for case in CASES if case.release]


def make(case: Case, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> tuple[Any, Gpu | None]:
    """(backend, its pretend GPU or None), before any step of its life. `gpu` may be given."""
    gpu = changes.pop("gpu", None) or (Gpu() if case.release else None)
    if gpu is not None:
        for name, module in modules(case.release, gpu, case.pycuda).items():
            monkeypatch.setitem(sys.modules, name, module)
        library = LibCuda(gpu)
        monkeypatch.setattr(cuda_ctypes, "open_library", lambda: library)
    options = {**case.options, **changes.pop("options", {})}
    settings = Settings("fp32", 1, 1, None, None, options)._replace(**changes)
    return backend_class(case.backend)(settings), gpu


def sample(model: Any, seed: int = 0, batch: int = 1) -> dict[str, Any]:
    """Random arrays for the inputs of the ONNX file `model`."""
    random = np.random.default_rng(seed)
    found = {}
    for value in onnx.load(str(model)).graph.input:
        shape = [dim.dim_value or batch for dim in value.type.tensor_type.shape.dim]
        found[value.name] = random.standard_normal(shape).astype("float32")
    return found


def expected(model: Any, arrays: dict[str, Any]) -> list[Any]:
    """What onnx's own evaluator makes of it."""
    return list(onnx.reference.ReferenceEvaluator(str(model)).run(None, arrays))
