"""CUDA's driver by way of ctypes, with the names of `pycuda.driver` that the TensorRT backend uses.

pycuda has no wheels and must be compiled where CUDA's headers are; `libcuda.so.1` is wherever a GPU can be
used at all. Signatures follow cuda.h; the exported names carry the `_v2` that its macros hide. All of them
exist from CUDA 10.2 (JetPack 4.6) to 13.
"""

import ctypes
from ctypes import POINTER, c_char_p, c_float, c_int, c_size_t, c_uint, c_uint64, c_void_p
from typing import Callable, Dict, List, Tuple

import numpy as np

# The loader's own search first, then where L4T r32 to r35, and r36 and later, keep it.
LIBRARIES = (
    "libcuda.so.1",
    "/usr/lib/aarch64-linux-gnu/tegra/libcuda.so.1",
    "/usr/lib/aarch64-linux-gnu/nvidia/libcuda.so.1",
)
HANDLE = POINTER(c_void_p)  # where a function writes a context, stream, event or pointer
PROTOTYPES: Dict[str, List[type]] = {
    "cuInit": [c_uint],
    "cuDriverGetVersion": [POINTER(c_int)],
    "cuGetErrorString": [c_int, POINTER(c_char_p)],
    "cuDeviceGetCount": [POINTER(c_int)],
    "cuDeviceGet": [POINTER(c_int), c_int],
    "cuDeviceGetName": [c_char_p, c_int, c_int],
    "cuDeviceGetAttribute": [POINTER(c_int), c_int, c_int],
    "cuDevicePrimaryCtxRetain": [HANDLE, c_int],
    "cuDevicePrimaryCtxRelease": [c_int],
    "cuCtxPushCurrent_v2": [c_void_p],
    "cuCtxPopCurrent_v2": [HANDLE],
    "cuMemGetInfo_v2": [POINTER(c_size_t), POINTER(c_size_t)],
    "cuMemAlloc_v2": [POINTER(c_uint64), c_size_t],
    "cuMemFree_v2": [c_uint64],
    "cuMemHostAlloc": [HANDLE, c_size_t, c_uint],
    "cuMemFreeHost": [c_void_p],
    "cuMemcpyHtoD_v2": [c_uint64, c_void_p, c_size_t],
    "cuMemcpyHtoDAsync_v2": [c_uint64, c_void_p, c_size_t, c_void_p],
    "cuMemcpyDtoHAsync_v2": [c_void_p, c_uint64, c_size_t, c_void_p],
    "cuStreamCreate": [HANDLE, c_uint],
    "cuStreamSynchronize": [c_void_p],
    "cuStreamDestroy_v2": [c_void_p],
    "cuEventCreate": [HANDLE, c_uint],
    "cuEventRecord": [c_void_p, c_void_p],
    "cuEventElapsedTime": [POINTER(c_float), c_void_p, c_void_p],
    "cuEventDestroy_v2": [c_void_p],
}
OUT_OF_MEMORY = 2  # CUDA_ERROR_OUT_OF_MEMORY
CAPABILITY = (75, 76)  # CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR


class CudaError(Exception):
    """A call of the driver failed."""


class OutOfMemoryError(CudaError):
    """It failed for want of memory."""


def open_library() -> ctypes.CDLL:
    """Load libcuda; OSError where no place has it, with the loader's word on the first."""
    first = None
    for name in LIBRARIES:
        try:
            return ctypes.CDLL(name)
        except OSError as error:
            first = first or error
    raise OSError(str(first))


class Driver(object):
    """The functions of libcuda that we use, each with its prototype; an error code raises `CudaError`."""

    Error = CudaError
    MemoryError = OutOfMemoryError

    def __init__(self, library: ctypes.CDLL) -> None:
        self._functions: Dict[str, Callable[..., int]] = {}
        for name, arguments in PROTOTYPES.items():
            function = getattr(library, name)
            function.argtypes, function.restype = arguments, c_int
            self._functions[name] = function
        self.Device = CudaDevices(self)

    def call(self, name: str, *arguments: object) -> None:
        """Call function `name`; raises OutOfMemoryError or CudaError with the driver's own words."""
        code = self._functions[name](*arguments)
        if code:
            kind = OutOfMemoryError if code == OUT_OF_MEMORY else CudaError
            raise kind("%s failed: %s" % (name.partition("_v")[0], self._words(code)))

    def _words(self, code: int) -> str:
        text = c_char_p()
        unknown = self._functions["cuGetErrorString"](code, ctypes.byref(text))
        return "error %d" % code if unknown or not text.value else text.value.decode("ascii", "replace")

    def integer(self, name: str, *arguments: object) -> int:
        """Call a function that writes an int to its first argument; the int."""
        value = c_int()
        self.call(name, ctypes.byref(value), *arguments)
        return value.value

    def handle(self, name: str, *arguments: object) -> int:
        """Call a function that writes a pointer to its first argument; the pointer as a number."""
        value = c_void_p()
        self.call(name, ctypes.byref(value), *arguments)
        return value.value or 0

    def init(self) -> None:
        """Initialise the driver; raises Error without a usable GPU."""
        self.call("cuInit", 0)

    def get_driver_version(self) -> int:
        """Return the newest CUDA that the driver supports: 10020 is 10.2."""
        return self.integer("cuDriverGetVersion")

    def mem_get_info(self) -> Tuple[int, int]:
        """Return (free, total) bytes of device memory."""
        free, total = c_size_t(), c_size_t()
        self.call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value, total.value

    def mem_alloc(self, nbytes: int) -> "DeviceAllocation":
        """Take `nbytes` of device memory."""
        return DeviceAllocation(self, nbytes)

    def pagelocked_empty(self, shape: Tuple[int, ...], dtype: str) -> np.ndarray:
        """Return an uninitialised page-locked array; its `base.free()` gives it back."""
        return np.asarray(HostAllocation(self, shape, dtype))

    def memcpy_htod(self, dest: "DeviceAllocation", src: np.ndarray) -> None:
        """Copy an array to the device, and wait."""
        array = np.ascontiguousarray(src)
        self.call("cuMemcpyHtoD_v2", int(dest), _address(array), array.nbytes)

    def memcpy_htod_async(self, dest: "DeviceAllocation", src: np.ndarray, stream: "Stream") -> None:
        """Enqueue a copy of a page-locked array to the device."""
        self.call("cuMemcpyHtoDAsync_v2", int(dest), _address(src), src.nbytes, stream.handle)

    def memcpy_dtoh_async(self, dest: np.ndarray, src: "DeviceAllocation", stream: "Stream") -> None:
        """Enqueue a copy from the device to a page-locked array."""
        self.call("cuMemcpyDtoHAsync_v2", _address(dest), int(src), dest.nbytes, stream.handle)

    def Stream(self) -> "Stream":  # noqa: N802 (pycuda's name)
        """Create a stream; it is destroyed with its last reference."""
        return Stream(self)

    def Event(self) -> "Event":  # noqa: N802 (pycuda's name)
        """Create an event that times; it is destroyed with its last reference."""
        return Event(self)


def _address(array: np.ndarray) -> int:
    return int(array.__array_interface__["data"][0])


class CudaDevices(object):
    """`driver.Device`: counts GPUs, and called with a number it returns that one."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver

    def count(self) -> int:
        """Return the number of GPUs."""
        return self._driver.integer("cuDeviceGetCount")

    def __call__(self, ordinal: int) -> "CudaDevice":
        """Return GPU number `ordinal`."""
        return CudaDevice(self._driver, self._driver.integer("cuDeviceGet", ordinal))


class CudaDevice(object):
    """One GPU."""

    def __init__(self, driver: Driver, number: int) -> None:
        self._driver, self._number = driver, number

    def name(self) -> str:
        """Return its name, such as `Xavier`."""
        text = ctypes.create_string_buffer(256)
        self._driver.call("cuDeviceGetName", text, len(text), self._number)
        return text.value.decode("utf-8", "replace")

    def compute_capability(self) -> Tuple[int, int]:
        """Return (major, minor)."""
        major, minor = [self._driver.integer("cuDeviceGetAttribute", a, self._number) for a in CAPABILITY]
        return major, minor

    def retain_primary_context(self) -> "Context":
        """Take a reference to the context that TensorRT, through the CUDA runtime, uses too."""
        return Context(self._driver, self._number)


class Context(object):
    """A reference to a device's primary context."""

    def __init__(self, driver: Driver, device: int) -> None:
        self._driver, self._device = driver, device
        self._handle = driver.handle("cuDevicePrimaryCtxRetain", device)

    def push(self) -> None:
        """Make it current in this thread."""
        self._driver.call("cuCtxPushCurrent_v2", self._handle)

    def pop(self) -> None:
        """Take the current context off this thread's stack."""
        self._driver.handle("cuCtxPopCurrent_v2")

    def detach(self) -> None:
        """Give the reference back."""
        self._driver.call("cuDevicePrimaryCtxRelease", self._device)


class DeviceAllocation(object):
    """Device memory; int() of it is its address."""

    def __init__(self, driver: Driver, nbytes: int) -> None:
        address = c_uint64()
        driver.call("cuMemAlloc_v2", ctypes.byref(address), nbytes)
        self._driver, self._address = driver, address.value

    def __int__(self) -> int:
        return self._address

    def free(self) -> None:
        """Give it back."""
        self._driver.call("cuMemFree_v2", self._address)


class HostAllocation(object):
    """Page-locked host memory, as numpy reads it."""

    def __init__(self, driver: Driver, shape: Tuple[int, ...], dtype: str) -> None:
        kind = np.dtype(dtype)
        nbytes = max(1, int(np.prod(shape, dtype=np.int64)) * kind.itemsize)
        self._driver, self._address = driver, driver.handle("cuMemHostAlloc", nbytes, 0)
        self.__array_interface__ = {
            "shape": tuple(shape),
            "typestr": kind.str,
            "data": (self._address, False),
            "version": 3,
        }

    def free(self) -> None:
        """Give it back; its arrays are dangling from here on."""
        self._driver.call("cuMemFreeHost", self._address)


class Stream(object):
    """A queue of work on the GPU."""

    def __init__(self, driver: Driver) -> None:
        self.handle = 0  # so that __del__ finds one if the next line raises
        self._driver = driver
        self.handle = driver.handle("cuStreamCreate", 0)

    def synchronize(self) -> None:
        """Wait until it is idle."""
        self._driver.call("cuStreamSynchronize", self.handle)

    def __del__(self) -> None:
        _destroy(self._driver, "cuStreamDestroy_v2", self.handle)


class Event(object):
    """A moment in a stream."""

    def __init__(self, driver: Driver) -> None:
        self.handle = 0
        self._driver = driver
        self.handle = driver.handle("cuEventCreate", 0)

    def record(self, stream: Stream) -> None:
        """Enqueue it."""
        self._driver.call("cuEventRecord", self.handle, stream.handle)

    def time_since(self, earlier: "Event") -> float:
        """Return milliseconds on the GPU from `earlier` to this event; Error where it was not reached yet."""
        value = c_float()
        self._driver.call("cuEventElapsedTime", ctypes.byref(value), earlier.handle, self.handle)
        return value.value

    def __del__(self) -> None:
        _destroy(self._driver, "cuEventDestroy_v2", self.handle)


def _destroy(driver: Driver, function: str, handle: int) -> None:
    if handle:
        try:
            driver.call(function, handle)
        except CudaError:
            pass  # its context died, and the object with it
