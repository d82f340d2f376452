"""A real GPU under the pretend TensorRT: CUDA's context, memory, streams and events, and torch's kernels.

What TensorRT's own engines do on hardware it does not show; that the backend waits, counts and gives back on
hardware it does.
"""

import ctypes
from types import ModuleType
from typing import Any

import numpy as np
import torch

from bench.runtime.backends import cuda_ctypes
from bench.runtime.backends.base import Settings
from bench.runtime.backends.torch_graph import build_module
from tests.fakes.gpu import CudaLogicError, CudaMemoryError, Gpu
from tests.fakes.trt import make_tensorrt
from tests.fakes.trt_run import TYPES

CYCLES = 2_000_000_000  # of a GPU's clock a second, about


class View:
    """Device memory as torch takes it."""

    def __init__(self, address: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.__cuda_array_interface__ = {
            "shape": shape,
            "typestr": dtype.str,
            "data": (address, False),
            "version": 3,
        }


class RealGpu(Gpu):
    """The GPU that CUDA's driver finds first. `delay`: seconds that it computes more for each inference."""

    def __init__(self, delay: float = 0.0) -> None:
        super().__init__(delay=delay)
        self.driver = cuda_ctypes.Driver(cuda_ctypes.open_library())
        self.library = cuda_ctypes.open_library()

    def need_context(self, what: str) -> None:
        found = ctypes.c_void_p()
        if self.library.cuCtxGetCurrent(ctypes.byref(found)) or not found.value:
            self.violations.append(f"{what} without a current context")
            raise CudaLogicError(f"{what} failed: invalid device context")

    def died(self, kind: str, needs_context: bool = True) -> None:
        super().died(kind, needs_context=False)
        if needs_context:
            self.need_context(f"the end of a {kind}")

    def allocate(self, nbytes: int) -> int:
        try:
            taken = self.driver.mem_alloc(nbytes)
        except self.driver.MemoryError as error:
            raise CudaMemoryError(str(error)) from None
        self.buffers[int(taken)] = Block(taken, nbytes)
        return int(taken)

    def release(self, address: int) -> None:
        self.buffers.pop(address).taken.free()

    def idle(self, stream: int) -> bool:
        """Whether all that was put into a stream is done."""
        return int(self.library.cuStreamQuery(ctypes.c_void_p(stream))) == 0


class Block:
    """Device memory that the pretend TensorRT took."""

    def __init__(self, taken: cuda_ctypes.DeviceAllocation, nbytes: int) -> None:
        self.taken, self.nbytes = taken, nbytes


def tensorrt_on(gpu: RealGpu, version: str) -> ModuleType:
    """The pretend TensorRT of `version`, whose engines run on `gpu`."""
    module: Any = make_tensorrt(version, gpu)
    module.IExecutionContext._enqueue = enqueue
    return module


def enqueue(context: Any, addresses: list[int], handle: int) -> bool:
    """Put one inference into a stream: torch reads and writes where the bindings lie."""
    gpu, engine = context._gpu, context._engine
    gpu.need_context("enqueue")
    tensors = [
        torch.as_tensor(
            View(address, engine._shape(index), np.dtype(TYPES[engine._kind(index)])), device="cuda"
        )
        for index, address in enumerate(addresses)
    ]
    inputs = [tensor for tensor, (_, is_input) in zip(tensors, engine._io, strict=True) if is_input]
    outputs = [tensor for tensor, (_, is_input) in zip(tensors, engine._io, strict=True) if not is_input]
    with torch.cuda.stream(torch.cuda.ExternalStream(handle)), torch.inference_mode():
        torch.cuda._sleep(int(gpu.delay * CYCLES))  # type: ignore[no-untyped-call]
        for room, result in zip(outputs, kernels(engine)(*inputs), strict=True):
            room.copy_(result)
    return True


def kernels(engine: Any) -> torch.nn.Module:
    """The engine's network on the GPU, in fp32 as it says."""
    if not hasattr(engine, "_kernels"):
        torch.backends.cudnn.allow_tf32 = False
        module, _ = build_module(engine._model, Settings("fp32", 1, 1, None, None, {}))
        engine._kernels = module.cuda()
    return engine._kernels  # type: ignore[no-any-return]
