"""Put a pretend GPU where `import tensorrt` and `import pycuda.driver` look."""

import atexit
import json
import os
import sys
import types
from typing import Any

from bench.runtime.backends import cuda_ctypes
from tests.fakes.cuda_driver import make_driver
from tests.fakes.gpu import Gpu
from tests.fakes.libcuda import LibCuda
from tests.fakes.trt import make_tensorrt


def modules(version: str, gpu: Gpu, pycuda: bool = True) -> dict[str, Any]:
    """Module name -> module, of TensorRT `version` on `gpu`; without pycuda its import fails."""
    if not pycuda:
        return {"tensorrt": make_tensorrt(version, gpu), "pycuda": None, "pycuda.driver": None}
    package: Any = types.ModuleType("pycuda")
    package.VERSION, package.__path__ = (2022, 1), []
    package.driver = make_driver(gpu)
    return {"tensorrt": make_tensorrt(version, gpu), "pycuda": package, "pycuda.driver": package.driver}


def install_from_environment() -> None:
    """For a process of its own.

    FAKE_TENSORRT (release), FAKE_GPU_MEMORY (bytes), FAKE_GPU_REPORT (file), FAKE_CUDA (ctypes: no pycuda;
    real: a real GPU), FAKE_DLA_CORES.
    """
    if getattr(sys.modules.get("tensorrt"), "IS_FAKE", False):
        return
    if os.environ.get("FAKE_CUDA") == "real":
        from tests.fakes.real_gpu import RealGpu, tensorrt_on

        sys.modules["tensorrt"] = tensorrt_on(RealGpu(), os.environ["FAKE_TENSORRT"])
        return
    gpu = Gpu(int(os.environ.get("FAKE_GPU_MEMORY", 1 << 26)))
    gpu.dla_cores = int(os.environ.get("FAKE_DLA_CORES", 0))
    pycuda = os.environ.get("FAKE_CUDA") != "ctypes"
    sys.modules.update(modules(os.environ["FAKE_TENSORRT"], gpu, pycuda))
    library = LibCuda(gpu)
    cuda_ctypes.open_library = lambda: library
    if "FAKE_GPU_REPORT" in os.environ:
        atexit.register(_report, gpu, os.environ["FAKE_GPU_REPORT"])


def _report(gpu: Gpu, path: str) -> None:
    with open(path, "a") as stream:
        facts = {"violations": gpu.violations, "left": gpu.left_over(), "builds": gpu.builds}
        stream.write(json.dumps(facts) + "\n")
