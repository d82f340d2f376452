"""The names of pycuda.driver that the backend uses, on a pretend GPU; anything else is an AttributeError."""

import time
import types
from typing import Any

import numpy as np

from tests.fakes.gpu import POISON, CudaError, CudaLogicError, CudaMemoryError, Gpu, Queue


class _Owned:
    """Something on the device that lives and dies inside the context."""

    kind = ""

    def __init__(self, gpu: Gpu) -> None:
        gpu.need_context(self.kind)
        self._gpu = gpu
        gpu.born(self.kind)

    def __del__(self) -> None:
        if hasattr(self, "_gpu"):
            self._gpu.died(self.kind)


class _Freed(_Owned):
    """Memory: given back by free(), once."""

    _done = False

    def free(self) -> None:
        if self._done:
            raise CudaLogicError("free failed: invalid resource handle")
        self._done = True
        if self._gpu.running:
            self._gpu.violations.append(f"{self.kind} freed while the device works")
        self._gpu.need_context("free")
        self._gpu.died(self.kind)
        self._release()

    def __del__(self) -> None:
        if hasattr(self, "_gpu") and not self._done:
            self._gpu.violations.append(f"{self.kind} left to the garbage collector")


class DeviceAllocation(_Freed):
    kind = "device allocation"

    def __init__(self, gpu: Gpu, nbytes: int) -> None:
        gpu.need_context("cuMemAlloc")
        self._address = gpu.allocate(nbytes)
        super().__init__(gpu)

    def __int__(self) -> int:
        if self._done:
            self._gpu.violations.append("address of a freed allocation")
        return self._address

    def _release(self) -> None:
        self._gpu.release(self._address)


class PagelockedHostAllocation(_Freed):
    kind = "page-locked allocation"

    def __init__(self, gpu: Gpu, shape: tuple[int, ...], dtype: str) -> None:
        super().__init__(gpu)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        self._bytes = np.full(max(1, size), POISON, np.uint8)
        self.__array_interface__ = {
            "shape": tuple(shape),
            "typestr": np.dtype(dtype).str,
            "data": (self._bytes.ctypes.data, False),
            "version": 3,
        }

    def _release(self) -> None:
        self._bytes[:] = POISON  # who still reads it reads rubbish


class Stream(_Owned):
    kind = "stream"

    def __init__(self, gpu: Gpu) -> None:
        super().__init__(gpu)
        self._queue = Queue(gpu)
        self.handle = id(self)
        gpu.streams[self.handle] = self._queue

    def synchronize(self) -> None:
        self._gpu.need_context("cuStreamSynchronize")
        self._queue.wait()

    def __del__(self) -> None:
        if hasattr(self, "_queue"):
            if self._gpu.running:
                self._gpu.violations.append("stream destroyed while the device works")
            self._gpu.streams.pop(self.handle, None)
            self._queue.stop()
        super().__del__()


class Event(_Owned):
    kind = "event"

    def __init__(self, gpu: Gpu) -> None:
        super().__init__(gpu)
        self._recorded, self._at = False, None

    def record(self, stream: Stream) -> None:
        self._recorded, self._at = True, None
        stream._queue.put(self._stamp)

    def _stamp(self) -> None:
        self._at = time.perf_counter()

    def time_since(self, earlier: "Event") -> float:
        if not (self._recorded and earlier._recorded):
            self._gpu.violations.append("events read that were never recorded")
            raise CudaLogicError("cuEventElapsedTime failed: invalid resource handle")
        if self._at is None or earlier._at is None:
            self._gpu.violations.append("events read before they were reached")
            raise CudaLogicError("cuEventElapsedTime failed: device not ready")
        return (self._at - earlier._at) * 1000.0


class Context:
    def __init__(self, gpu: Gpu) -> None:
        self._gpu, self._held = gpu, True
        gpu.primary_references += 1

    def push(self) -> None:
        self._gpu.stack.append(self)

    def pop(self) -> None:
        self._gpu.need_context("pop")
        self._gpu.stack.pop()

    def detach(self) -> None:
        if not self._held:
            raise CudaLogicError("context::detach failed: cannot detach from invalid context")
        self._held = False
        self._gpu.primary_references -= 1


class Device:
    def __init__(self, gpu: Gpu, ordinal: int) -> None:
        if not 0 <= ordinal < gpu.count:
            raise CudaLogicError("cuDeviceGet failed: invalid device ordinal")
        self._gpu = gpu

    def name(self) -> str:
        return self._gpu.name

    def compute_capability(self) -> tuple[int, int]:
        return self._gpu.capability

    def retain_primary_context(self) -> Context:
        return Context(self._gpu)


def pinned(array: Any) -> bool:
    """Whether the memory of `array` is page-locked and not freed."""
    while isinstance(array, np.ndarray):
        array = array.base
    return isinstance(array, PagelockedHostAllocation) and not array._done


def copy_in(gpu: Gpu, address: int, source: Any) -> None:
    """Copy an array to the device, now."""
    flat = np.frombuffer(np.ascontiguousarray(source), np.uint8)
    gpu.buffer(address, flat.nbytes, "invalid argument")[:] = flat


def enqueue_in(gpu: Gpu, address: int, source: Any, stream: Stream) -> None:
    """Copy a page-locked array to the device, later: until then the goal is poison."""
    gpu.buffer(address, source.nbytes, "invalid argument")[:] = POISON
    stream._queue.put(lambda: copy_in(gpu, address, source))


def enqueue_out(gpu: Gpu, target: Any, address: int, stream: Stream) -> None:
    """Copy from the device to page-locked bytes, later: until then they are poison."""
    gpu.buffer(address, target.nbytes, "invalid argument")
    target[:] = POISON

    def copy_out() -> None:
        target[:] = gpu.buffer(address, target.nbytes)

    stream._queue.put(copy_out)


def make_driver(gpu: Gpu) -> types.ModuleType:
    """A module with pycuda.driver's names, bound to `gpu`."""
    module: Any = types.ModuleType("pycuda.driver")
    ready = []

    def init() -> None:
        ready.append(True)

    class BoundDevice(Device):
        def __init__(self, ordinal: int) -> None:
            super().__init__(gpu, ordinal)

        @staticmethod
        def count() -> int:
            if not ready:
                raise CudaLogicError("cuDeviceGetCount failed: initialization error")
            return gpu.count

    def mem_get_info() -> tuple[int, int]:
        gpu.need_context("cuMemGetInfo")
        return gpu.memory - gpu.used, gpu.memory

    def memcpy_htod(dest: DeviceAllocation, src: Any) -> None:
        gpu.need_context("cuMemcpyHtoD")
        copy_in(gpu, int(dest), src)

    def asynchronous(name: str, host: Any) -> None:
        gpu.need_context(name)
        if not pinned(host):
            gpu.violations.append(f"{name} of pageable memory is not asynchronous")

    def memcpy_htod_async(dest: DeviceAllocation, src: Any, stream: Stream) -> None:
        asynchronous("cuMemcpyHtoDAsync", src)
        enqueue_in(gpu, int(dest), src, stream)

    def memcpy_dtoh_async(dest: Any, src: DeviceAllocation, stream: Stream) -> None:
        asynchronous("cuMemcpyDtoHAsync", dest)
        enqueue_out(gpu, dest.reshape(-1).view(np.uint8), int(src), stream)

    module.init, module.Device, module.mem_get_info = init, BoundDevice, mem_get_info
    module.Error, module.MemoryError, module.LogicError = CudaError, CudaMemoryError, CudaLogicError
    module.mem_alloc = lambda bytes: DeviceAllocation(gpu, bytes)
    module.pagelocked_empty = lambda shape, dtype: np.asarray(PagelockedHostAllocation(gpu, shape, dtype))
    module.Stream, module.Event = lambda: Stream(gpu), lambda: Event(gpu)
    module.memcpy_htod = memcpy_htod
    module.memcpy_htod_async, module.memcpy_dtoh_async = memcpy_htod_async, memcpy_dtoh_async
    module.get_version, module.get_driver_version = lambda: (10, 2, 0), lambda: 10020
    return module
