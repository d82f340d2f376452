"""One NVIDIA GPU by way of CUDA's driver: its primary context, one stream, and every buffer taken from it.

The driver is reached through pycuda where that is installed, else through our own binding (cuda_ctypes). The
primary context is the one that TensorRT (through the CUDA runtime) uses too; `pycuda.autoinit` would make a
second one, with its own few hundred megabytes. Whatever is taken here is given back in reverse order by
`close`.
"""

import importlib
import os
from types import ModuleType
from typing import Any, Callable, Dict, List, Tuple, Union

from bench.runtime.backends import cuda_ctypes
from bench.runtime.backends.base import BackendError

TF32_SINCE = 8  # compute capability: Ampere
Driver = Union[ModuleType, cuda_ctypes.Driver]  # pycuda.driver, or ours of the same shape


def import_driver() -> Any:
    """Return `pycuda.driver`, or our binding with the same names.

    BackendError `library_missing` without libcuda.
    """
    try:
        return importlib.import_module("pycuda.driver")
    except ImportError as error:
        pycuda = str(error)
    try:
        return cuda_ctypes.Driver(cuda_ctypes.open_library())
    except (OSError, AttributeError) as error:  # absent, or without a function that CUDA 10.2 has
        raise BackendError(
            "library_missing",
            "CUDA's driver cannot be loaded: %s (pycuda: %s)" % (error, pycuda),
            "start the container with the nvidia runtime, which brings libcuda.so.1",
        ) from error


def binding(driver: Driver) -> str:
    """Return how `driver` reaches CUDA: `ctypes`, or pycuda with its version."""
    if isinstance(driver, cuda_ctypes.Driver):
        return "ctypes"
    version = importlib.import_module("pycuda").VERSION
    return "pycuda " + ".".join(str(part) for part in version)


class Gpu(object):
    """A device's primary context, current in this thread from `open` to `close`."""

    def __init__(self, driver: Driver, ordinal: int = 0) -> None:
        self.driver, self.ordinal = driver, ordinal
        self.name, self.compute_capability = "", ""
        self.stream: Any = None
        self._undo: List[Callable[[], object]] = []

    def open(self, tf32: bool = False) -> "Gpu":
        """Make the context current and a stream in it; BackendError `device_missing` without a GPU.

        tf32: fp32 is to run in TF32; BackendError `bad_option` where it would not.
        """
        try:
            self._open()
            if tf32:
                self._require_tf32()
        except self.driver.Error as error:
            self.close()
            raise self.failure(error, "device_missing", "the GPU could not be initialised") from error
        except BaseException:
            self.close()
            raise
        return self

    def _open(self) -> None:
        self.driver.init()
        count = self.driver.Device.count()
        if self.ordinal >= count:
            raise BackendError(
                "device_missing",
                "GPU %d is asked for and %d found" % (self.ordinal, count),
                "start the container with the nvidia runtime, or name another GPU in options.device",
            )
        device = self.driver.Device(self.ordinal)
        self.name, self.compute_capability = device.name(), "%d.%d" % tuple(device.compute_capability())
        context = device.retain_primary_context()
        self._undo.append(context.detach)
        context.push()
        self._undo.append(context.pop)
        self.stream = self.driver.Stream()
        self._undo.append(self._drop_stream)

    def _require_tf32(self) -> None:
        """A GPU without TF32, or a process that forbids it, runs fp32 and reports nothing."""
        if int(self.compute_capability.split(".")[0]) < TF32_SINCE:
            why = "%s has compute capability %s, and TF32 begins at %d.0" % (
                self.name,
                self.compute_capability,
                TF32_SINCE,
            )
        elif os.environ.get("NVIDIA_TF32_OVERRIDE") == "0":
            why = "NVIDIA_TF32_OVERRIDE=0 forbids it"
        else:
            return
        raise BackendError("bad_option", "option tf32: " + why, "leave tf32 out: the job is fp32")

    def _drop_stream(self) -> None:
        self.stream = None  # a stream is destroyed with its last reference: before the context goes

    def close(self) -> None:
        """Give everything back, newest first; a broken context stops nothing, and twice is harmless."""
        while self._undo:
            undo = self._undo.pop()
            try:
                undo()
            except self.driver.Error:
                pass  # a context that died (launch failure) has no buffers left to free

    def pinned(self, shape: Tuple[int, ...], dtype: str) -> Any:
        """Return a page-locked host array, uninitialised: only such memory is copied asynchronously."""
        try:
            array: Any = self.driver.pagelocked_empty(shape, dtype)
        except self.driver.Error as error:
            raise self.failure(
                error, "inference_failed", "no page-locked host memory for %s" % (shape,)
            ) from error
        self._undo.append(array.base.free)
        return array

    def alloc(self, nbytes: int) -> Any:
        """Return `nbytes` of device memory; int() of it is its address."""
        try:
            allocation = self.driver.mem_alloc(nbytes)
        except self.driver.Error as error:
            raise self.failure(error, "inference_failed", "no device memory for %d bytes" % nbytes) from error
        self._undo.append(allocation.free)
        return allocation

    def mark(self) -> int:
        """Return the present depth of the pile of things to give back, for `release_to`."""
        return len(self._undo)

    def release_to(self, mark: int) -> None:
        """Give back what was taken since `mark`."""
        kept, self._undo = self._undo[:mark], self._undo[mark:]
        self.close()
        self._undo = kept

    def on_close(self, undo: Callable[[], object]) -> None:
        """Call `undo` before anything older is given back."""
        self._undo.append(undo)

    def memory(self) -> Tuple[int, int]:
        """Return (free, total) bytes of device memory, of all processes together."""
        free, total = self.driver.mem_get_info()
        return int(free), int(total)

    def versions(self) -> Dict[str, str]:
        """Return what CUDA reports of itself: the driver's API, how it is reached, the GPU."""
        driver = int(self.driver.get_driver_version())
        return {
            "cuda_driver": "%d.%d" % (driver // 1000, driver % 1000 // 10),
            "cuda_binding": binding(self.driver),
            "gpu": "%s (sm_%s)" % (self.name, self.compute_capability.replace(".", "")),
        }

    def failure(self, error: Exception, kind: str, doing: str) -> BackendError:
        """Return an error of the driver as ours: out of memory whatever was being done, else `kind`."""
        if isinstance(error, self.driver.MemoryError):
            return out_of_memory("%s: %s" % (doing, error))
        advice = "look at dmesg for GPU faults, and run the job alone"
        if kind == "device_missing":
            advice = "start the container with the nvidia runtime and NVIDIA_VISIBLE_DEVICES=all"
        return BackendError(kind, "%s: %s" % (doing, error), advice)


def out_of_memory(message: str) -> BackendError:
    """Return the one wording of 'the GPU is full'."""
    return BackendError(
        "out_of_memory",
        message,
        "close other programs on the board, take a smaller model or batch, or lower options.workspace_bytes",
    )
