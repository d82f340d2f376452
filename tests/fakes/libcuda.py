"""libcuda.so.1 as C sees it, on the pretend GPU: real function pointers with cuda.h's own signatures.

The rules are those of the pycuda stand-in, whose objects do the work here too. Errors are those of a driver
of CUDA 13.0 on an H100; tests/contract/test_cuda_binding.py asks both. Where that driver crashes (a stream
that is gone) or shrugs (a reference given back once too often), a violation is noted here. Prototypes are
written down a second time on purpose: they are cuda.h's, and a binding that declares others is refused when
it is made.
"""

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_float, c_int, c_size_t, c_ulonglong, c_void_p
from typing import Any

import numpy as np

from tests.fakes import cuda_driver as objects
from tests.fakes.gpu import CudaError, CudaLogicError, CudaMemoryError, Gpu

UNSIGNED, DEVICE_POINTER, OUT = ctypes.c_uint, c_ulonglong, POINTER(c_void_p)
ERRORS = {
    "invalid argument": 1,
    "out of memory": 2,
    "initialization error": 3,
    "no CUDA-capable device is detected": 100,
    "invalid device ordinal": 101,
    "invalid device context": 201,
    "invalid resource handle": 400,
    "device not ready": 600,
    "illegal memory access": 700,
    "context is destroyed": 709,
    "unspecified launch failure": 719,
    "unknown error": 999,
}
CUDA_H: dict[str, list[Any]] = {
    "cuInit": [UNSIGNED],
    "cuDriverGetVersion": [POINTER(c_int)],
    "cuGetErrorString": [c_int, POINTER(c_char_p)],
    "cuDeviceGetCount": [POINTER(c_int)],
    "cuDeviceGet": [POINTER(c_int), c_int],
    "cuDeviceGetName": [c_void_p, c_int, c_int],  # char *; a callback would get a c_char_p as a copy
    "cuDeviceGetAttribute": [POINTER(c_int), c_int, c_int],
    "cuDevicePrimaryCtxRetain": [OUT, c_int],
    "cuDevicePrimaryCtxRelease": [c_int],
    "cuCtxPushCurrent_v2": [c_void_p],
    "cuCtxPopCurrent_v2": [OUT],
    "cuMemGetInfo_v2": [POINTER(c_size_t), POINTER(c_size_t)],
    "cuMemAlloc_v2": [POINTER(DEVICE_POINTER), c_size_t],
    "cuMemFree_v2": [DEVICE_POINTER],
    "cuMemHostAlloc": [OUT, c_size_t, UNSIGNED],
    "cuMemFreeHost": [c_void_p],
    "cuMemcpyHtoD_v2": [DEVICE_POINTER, c_void_p, c_size_t],
    "cuMemcpyHtoDAsync_v2": [DEVICE_POINTER, c_void_p, c_size_t, c_void_p],
    "cuMemcpyDtoHAsync_v2": [c_void_p, DEVICE_POINTER, c_size_t, c_void_p],
    "cuStreamCreate": [OUT, UNSIGNED],
    "cuStreamSynchronize": [c_void_p],
    "cuStreamDestroy_v2": [c_void_p],
    "cuEventCreate": [OUT, UNSIGNED],
    "cuEventRecord": [c_void_p, c_void_p],
    "cuEventElapsedTime": [POINTER(c_float), c_void_p, c_void_p],
    "cuEventDestroy_v2": [c_void_p],
}


def code_of(error: Exception) -> int:
    if isinstance(error, CudaMemoryError):
        return ERRORS["out of memory"]
    return next((code for text, code in ERRORS.items() if text in str(error)), ERRORS["unknown error"])


class LibCuda:
    """What ctypes.CDLL("libcuda.so.1") returns; a name that we have not written down is missing."""

    def __init__(self, gpu: Gpu) -> None:
        self._gpu, self._ready, self._held = gpu, False, 0
        self._contexts: dict[int, Any] = {}
        self._handles: dict[int, Any] = {}  # streams and events by handle
        self._device: dict[int, Any] = {}
        self._host: dict[int, Any] = {}
        for name, arguments in CUDA_H.items():
            setattr(self, name, ctypes.CFUNCTYPE(c_int, *arguments)(self._checked(name)))

    def _checked(self, name: str) -> Callable[..., int]:
        body = getattr(self, "_" + name.partition("_v")[0])

        def call(*arguments: Any) -> int:
            try:
                if not self._ready and name not in ("cuInit", "cuGetErrorString", "cuDriverGetVersion"):
                    raise CudaLogicError(f"{name}: initialization error")
                body(*arguments)
            except CudaError as error:
                error.__traceback__ = None  # a stream keeps its error, whose frames would keep the stream
                return code_of(error)
            except Exception as error:  # a callback's exception would only be printed
                self._gpu.violations.append(f"{name}: {error!r}")
                return ERRORS["unknown error"]
            return 0

        return call

    def _take(
        self, table: dict[int, Any], handle: int | None, what: str, error: str = "invalid resource handle"
    ) -> Any:
        if handle not in table:
            self._gpu.violations.append(f"{what}: {handle} is no handle of that kind, or no longer")
            raise CudaLogicError(error)
        return table[handle]

    def _event(self, handle: int, what: str) -> Any:
        return self._take(self._handles, handle, what, "context is destroyed")

    def _forget(self, table: dict[int, Any], address: int, what: str) -> None:
        """Free memory, if there is any at `address`: that of address 0 is free already."""
        if address:
            self._take(table, address, what, "invalid argument").free()
            del table[address]

    # -- devices and contexts ---------------------------------------------------------------------------
    def _cuInit(self, flags: int) -> None:
        if flags:
            raise CudaLogicError("invalid argument")
        if not self._gpu.count:
            raise CudaLogicError("no CUDA-capable device is detected")
        self._ready = True

    def _cuDriverGetVersion(self, out: Any) -> None:
        out[0] = 10020

    def _cuGetErrorString(self, code: int, out: Any) -> None:
        text = next((text for text, known in ERRORS.items() if known == code), None)
        if text is None:
            raise CudaLogicError("invalid argument")
        out[0] = text.encode()

    def _cuDeviceGetCount(self, out: Any) -> None:
        out[0] = self._gpu.count

    def _cuDeviceGet(self, out: Any, ordinal: int) -> None:
        objects.Device(self._gpu, ordinal)
        out[0] = ordinal

    def _cuDeviceGetName(self, out: int, size: int, device: int) -> None:
        text = objects.Device(self._gpu, device).name().encode()[: size - 1] + b"\0"
        ctypes.memmove(out, text, len(text))

    def _cuDeviceGetAttribute(self, out: Any, attribute: int, device: int) -> None:
        if attribute not in (75, 76):
            raise CudaLogicError("invalid argument")
        out[0] = objects.Device(self._gpu, device).compute_capability()[attribute - 75]

    def _cuDevicePrimaryCtxRetain(self, out: Any, device: int) -> None:
        self._held += 1
        if not self._contexts:
            self._contexts[0xC0] = objects.Device(self._gpu, device).retain_primary_context()
        else:
            self._gpu.primary_references += 1
        out[0] = 0xC0

    def _cuDevicePrimaryCtxRelease(self, _device: int) -> None:
        if not self._held:
            self._gpu.violations.append("the primary context was given back once too often")
            return
        self._held -= 1
        self._gpu.primary_references -= 1
        if not self._held:
            self._contexts.clear()

    def _cuCtxPushCurrent(self, context: int) -> None:
        self._take(self._contexts, context, "cuCtxPushCurrent", "invalid argument").push()

    def _cuCtxPopCurrent(self, out: Any) -> None:
        self._gpu.need_context("pop")
        self._gpu.stack[-1].pop()
        out[0] = 0xC0

    # -- memory -----------------------------------------------------------------------------------------
    def _cuMemGetInfo(self, free: Any, total: Any) -> None:
        self._gpu.need_context("cuMemGetInfo")
        free[0], total[0] = self._gpu.memory - self._gpu.used, self._gpu.memory

    def _cuMemAlloc(self, out: Any, size: int) -> None:
        made = objects.DeviceAllocation(self._gpu, size)
        self._device[int(made)] = made
        out[0] = int(made)

    def _cuMemFree(self, address: int) -> None:
        self._forget(self._device, address, "cuMemFree")

    def _cuMemHostAlloc(self, out: Any, size: int, _flags: int) -> None:
        made = objects.PagelockedHostAllocation(self._gpu, (size,), "uint8")
        self._host[made._bytes.ctypes.data] = made
        out[0] = made._bytes.ctypes.data

    def _cuMemFreeHost(self, address: int) -> None:
        self._forget(self._host, address, "cuMemFreeHost")

    def _locked(self, name: str, address: int, size: int) -> Any:
        """The page-locked bytes at `address`; pageable ones, with a violation, where it has none."""
        self._gpu.need_context(name)
        for start, allocation in self._host.items():
            if start <= address and address + size <= start + allocation._bytes.nbytes:
                return allocation._bytes[address - start : address - start + size]
        self._gpu.violations.append(f"{name} of pageable memory is not asynchronous")
        raise CudaLogicError("invalid argument")

    def _cuMemcpyHtoD(self, goal: int, source: int, size: int) -> None:
        self._gpu.need_context("cuMemcpyHtoD")
        objects.copy_in(self._gpu, goal, np.frombuffer(ctypes.string_at(source, size), np.uint8))

    def _cuMemcpyHtoDAsync(self, goal: int, source: int, size: int, stream: int) -> None:
        flat = self._locked("cuMemcpyHtoDAsync", source, size)
        objects.enqueue_in(self._gpu, goal, flat, self._take(self._handles, stream, "cuMemcpyHtoDAsync"))

    def _cuMemcpyDtoHAsync(self, goal: int, source: int, size: int, stream: int) -> None:
        flat = self._locked("cuMemcpyDtoHAsync", goal, size)
        objects.enqueue_out(self._gpu, flat, source, self._take(self._handles, stream, "cuMemcpyDtoHAsync"))

    # -- streams and events -----------------------------------------------------------------------------
    def _cuStreamCreate(self, out: Any, _flags: int) -> None:
        made = objects.Stream(self._gpu)
        self._handles[made.handle] = made
        out[0] = made.handle

    def _cuStreamSynchronize(self, stream: int) -> None:
        self._take(self._handles, stream, "cuStreamSynchronize").synchronize()

    def _cuStreamDestroy(self, stream: int) -> None:
        self._take(self._handles, stream, "cuStreamDestroy")
        del self._handles[stream]

    def _cuEventCreate(self, out: Any, _flags: int) -> None:
        made = objects.Event(self._gpu)
        self._handles[id(made)] = made
        out[0] = id(made)

    def _cuEventRecord(self, event: int, stream: int) -> None:
        found = self._event(event, "cuEventRecord")
        found.record(self._take(self._handles, stream, "cuEventRecord"))

    def _cuEventElapsedTime(self, out: Any, start: int, end: int) -> None:
        first = self._event(start, "cuEventElapsedTime")
        out[0] = self._event(end, "cuEventElapsedTime").time_since(first)

    def _cuEventDestroy(self, event: int) -> None:
        self._event(event, "cuEventDestroy")
        del self._handles[event]
