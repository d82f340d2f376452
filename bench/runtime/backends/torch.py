"""PyTorch on a CPU as a reference: the very ONNX file of the bundle, run eagerly or through torch.compile.

`torch_graph` turns the file into a torch module with the file's own weights, so the artefact that is timed is
the one the other backends run, not the network it was exported from.

options: `compile` (false), `compile_backend` (inductor, which needs a C++ compiler; aot_eager and eager do
not).
"""

import importlib
import os
import time
from typing import TYPE_CHECKING, Dict, List, Optional

from bench.record.types import Build
from bench.runtime.backends.base import Backend, BackendError, Event, Tensor
from bench.runtime.machine.clock import now_ns

if TYPE_CHECKING:
    import numpy
    import torch


class TorchBackend(Backend):
    """fp32 on the CPU; inputs are used where they lie, without a copy."""

    name = "torch"

    def import_library(self) -> None:
        """Import torch and onnx; BackendError `library_missing`."""
        try:
            self._torch = importlib.import_module("torch")
            self._onnx = importlib.import_module("onnx")
        except ImportError as error:
            raise BackendError("library_missing", str(error), "pip install torch onnx") from error
        self._module: Optional[torch.nn.Module] = None
        self._inputs: List[torch.Tensor] = []
        self._results: List[torch.Tensor] = []
        self._first: Optional[float] = None
        self._names: List[str] = []
        self._threads_before: Optional[int] = None
        self._seconds: Optional[float] = None

    def __enter__(self) -> "TorchBackend":
        if self.settings.threads:
            self._threads_before = self._torch.get_num_threads()
            self._torch.set_num_threads(self.settings.threads)
        return self

    def __exit__(self, *exc: object) -> None:
        self._module, self._inputs, self._results = None, [], []
        if self._threads_before:
            self._torch.set_num_threads(self._threads_before)
            self._threads_before = None

    def load(self, path: str) -> List[Tensor]:
        """Return the file's graph as a torch module, compiled if asked for; its input tensors."""
        from bench.runtime.backends.torch_graph import build_module

        if not os.path.exists(path):
            raise BackendError("model_missing", "%s: no such file" % path, "copy the bundle again")
        try:
            model = self._onnx.load(path)
        except Exception as error:  # protobuf's errors have no common base
            raise BackendError(
                "model_unreadable", "%s is no ONNX file: %s" % (path, error), "export the bundle again"
            ) from error
        self._module, tensors = build_module(model, self.settings)
        self._names = [tensor.name for tensor in tensors]
        if self.settings.options.get("compile"):
            self._compile(tensors)
        return tensors

    def _compile(self, tensors: List[Tensor]) -> None:
        """Compile now, on zeros: the first inference of the caller is then an ordinary one."""
        if not hasattr(self._torch, "compile"):
            raise BackendError(
                "library_missing", "this torch cannot compile", "install torch 2 or leave it out"
            )
        backend = self.settings.options.get("compile_backend", "inductor")
        started = time.time()
        try:
            self._module = self._torch.compile(self._module, backend=backend)
            zeros = [self._torch.zeros(t.shape, dtype=getattr(self._torch, t.dtype)) for t in tensors]
            with self._torch.inference_mode():
                self._module(*zeros)
        except Exception as error:
            raise BackendError(
                "build_failed",
                "torch.compile with %s failed: %s" % (backend, " ".join(str(error).split())[:500]),
                "install a C++ compiler, or set options.compile_backend to aot_eager",
            ) from error
        self._seconds = time.time() - started

    def bind(self, arrays: Dict[str, "numpy.ndarray"]) -> None:
        """Wrap the arrays as tensors that share their memory."""
        if self._module is None:
            raise BackendError("inference_failed", "bind before load, or after exit", "follow the life cycle")
        missing = [name for name in self._names if name not in arrays]
        if missing:
            raise BackendError("inference_failed", "no array for %s" % missing, "give one array an input")
        self._inputs = [self._torch.from_numpy(arrays[name]) for name in self._names]
        start = now_ns()
        self.infer()  # a wrong shape fails here, not in the timed loop
        self._first = (now_ns() - start) * 1e-9

    def first_seconds(self) -> Optional[float]:
        """Return the seconds of the inference that `bind` makes to check the shapes."""
        return self._first

    def infer(self) -> None:
        """One forward pass; a CPU has finished when it returns."""
        if self._module is None or not self._inputs:
            raise BackendError("inference_failed", "infer before bind, or after exit", "bind the inputs")
        try:
            with self._torch.inference_mode():
                self._results = self._module(*self._inputs)
        except RuntimeError as error:
            raise BackendError(
                "inference_failed",
                " ".join(str(error).split())[:500],
                "give arrays of the shapes load() returned",
            ) from error

    def outputs(self) -> List["numpy.ndarray"]:
        """Return the results as numpy arrays that share their memory."""
        if not self._results:
            raise BackendError("inference_failed", "no inference yet, or after exit", "call infer first")
        return [result.numpy() for result in self._results]

    def expect_profile(self, folder: str) -> None:
        """Nothing to prepare: torch's profiler starts with the first profiled inference."""

    def profile(self, runs: int) -> List[List[Event]]:
        """Return the events of `runs` inferences: a node of the graph each, or a torch operator where
        compiled."""
        from bench.runtime.backends import torch_profile

        assert self._module is not None  # bound
        return torch_profile.events(self._module, self._inputs, runs)

    def memory(self) -> Dict[str, int]:
        """Return `weights`: bytes of the file's tensors, each held once."""
        if self._module is None:
            return {}
        return {"weights": sum(b.numel() * b.element_size() for b in self._module.buffers())}

    def versions(self) -> Dict[str, str]:
        """Return torch, onnx, and how torch was built."""
        found = {"torch": str(self._torch.__version__), "onnx": str(self._onnx.__version__)}
        return dict(found, torch_threads=str(self._torch.get_num_threads()))

    def configuration(self) -> Dict[str, object]:
        """Return the options in force, defaults included."""
        return dict({"compile": False, "threads": self._torch.get_num_threads()}, **self.settings.options)

    def build_info(self) -> Optional[Build]:
        """Return the seconds of torch.compile; None in eager mode."""
        if self._seconds is None:
            return None
        return {"seconds": self._seconds, "cached": False, "warnings": []}
