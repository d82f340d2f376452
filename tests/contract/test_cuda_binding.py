"""The ctypes binding of CUDA's driver: cuda.h's prototypes, copies, errors, and nothing left behind.

What the pretend driver answers, a real one is asked too, where there is a GPU.
"""

import contextlib
import ctypes
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bench.runtime.backends import cuda_ctypes
from bench.runtime.backends.cuda import Gpu as Opened
from tests.conftest import PATIENCE, ROOT
from tests.fakes.gpu import Gpu
from tests.fakes.libcuda import CUDA_H, LibCuda


@pytest.fixture
def gpu() -> Gpu:
    return Gpu(delay=0.0)


@pytest.fixture
def pretend(gpu: Gpu) -> cuda_ctypes.Driver:
    return cuda_ctypes.Driver(LibCuda(gpu))


@pytest.fixture(params=["pretend", "real"])
def driver(request: pytest.FixtureRequest, gpu: Gpu) -> cuda_ctypes.Driver:
    """CUDA's driver: ours, and the machine's own."""
    if request.param == "pretend":
        return cuda_ctypes.Driver(LibCuda(gpu))
    try:
        return cuda_ctypes.Driver(cuda_ctypes.open_library())
    except OSError as error:
        pytest.skip(f"no NVIDIA GPU here: {error}")


def layout(kind: Any) -> tuple[Any, ...]:
    """What the calling convention sees of a type: integer or float, its size, or a pointer to such."""
    if hasattr(kind, "contents"):
        return ("pointer", *layout(kind._type_))
    if kind in (ctypes.c_void_p, ctypes.c_char_p):
        return ("pointer",)
    return ("float" if kind is ctypes.c_float else "integer", ctypes.sizeof(kind))


@pytest.mark.parametrize("name", CUDA_H)
def test_every_prototype_is_that_of_cuda_h(name: str) -> None:
    assert [layout(kind) for kind in cuda_ctypes.PROTOTYPES[name]] == [layout(kind) for kind in CUDA_H[name]]


def test_it_uses_no_function_whose_prototype_is_not_written_down() -> None:
    assert cuda_ctypes.PROTOTYPES.keys() == CUDA_H.keys()


def test_a_library_without_one_of_the_functions_is_refused_at_once(gpu: Gpu) -> None:
    library = LibCuda(gpu)
    del library.cuMemHostAlloc  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="cuMemHostAlloc"):
        cuda_ctypes.Driver(library)


@contextlib.contextmanager
def opened(driver: Any) -> Iterator[Opened]:
    """A device of `driver`; what was taken from it is there again afterwards."""
    outer, inner = Opened(driver).open(), Opened(driver).open()  # the outer one's context outlives the other
    try:
        before = outer.memory()
        yield inner
        inner.close()
        assert outer.memory() == before
    finally:
        inner.close()
        outer.close()


# -- what both drivers say ----------------------------------------------------------------------------------
BEFORE = """
from bench.runtime.backends import cuda_ctypes
driver = cuda_ctypes.Driver(cuda_ctypes.open_library())
try:
    driver.Device.count()
except driver.Error as error:
    print(error)
"""


def test_before_it_is_initialised_it_says_so(
    driver: cuda_ctypes.Driver, request: pytest.FixtureRequest
) -> None:
    words = "cuDeviceGetCount failed: initialization error"
    if "real" in request.node.name:  # once initialised, a process stays so
        ran = [sys.executable, "-c", BEFORE]
        done = subprocess.run(ran, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True)
        assert done.stdout.strip() == words
        return
    with pytest.raises(driver.Error, match=words):
        driver.Device.count()


def test_a_full_memory_has_its_own_class_and_harms_nothing(driver: cuda_ctypes.Driver) -> None:
    with opened(driver) as own:
        with pytest.raises(driver.MemoryError, match="cuMemAlloc failed: out of memory"):
            driver.mem_alloc(1 << 40)
        assert int(own.alloc(16)) > 0


def test_an_array_goes_there_and_back_and_everything_is_given_back(
    gpu: Gpu, driver: cuda_ctypes.Driver
) -> None:
    with opened(driver) as own:
        there, back = own.pinned((2, 3), "float32"), own.pinned((2, 3), "float32")
        device = own.alloc(there.nbytes)
        there[:] = np.arange(6).reshape(2, 3)
        driver.memcpy_htod_async(device, there, own.stream)
        driver.memcpy_dtoh_async(back, device, own.stream)
        own.stream.synchronize()
        np.testing.assert_array_equal(back, np.arange(6).reshape(2, 3))
        del there, back
    gpu.assert_clean()


def test_free_memory_falls_by_what_is_taken(driver: cuda_ctypes.Driver) -> None:
    with opened(driver) as own:
        free, total = own.memory()
        own.alloc(32 << 20)
        assert own.memory() == (free - (32 << 20), total)


def test_two_lives_at_once_share_the_context(driver: cuda_ctypes.Driver) -> None:
    with opened(driver) as first:
        with opened(driver) as second:
            assert int(second.alloc(16)) > 0
        assert int(first.alloc(16)) > 0


def test_without_a_context_nothing_works(driver: cuda_ctypes.Driver) -> None:
    driver.init()
    for call in (
        driver.mem_get_info,
        driver.Stream,
        driver.Event,
        lambda: driver.mem_alloc(16),
        lambda: driver.pagelocked_empty((4,), "uint8"),
        lambda: driver.handle("cuCtxPopCurrent_v2"),
    ):
        with pytest.raises(driver.Error, match="failed: invalid device context"):
            call()


def test_events_are_read_when_they_were_recorded_and_reached(driver: cuda_ctypes.Driver) -> None:
    with opened(driver) as own:
        first, last = driver.Event(), driver.Event()
        with pytest.raises(driver.Error, match="invalid resource handle"):
            last.time_since(first)
        first.record(own.stream)
        last.record(own.stream)
        own.stream.synchronize()
        assert 0 <= last.time_since(first) < 1000
        del first, last


@pytest.mark.parametrize("ordinal", [-1, 64])
def test_a_gpu_that_is_not_there_is_refused(driver: cuda_ctypes.Driver, ordinal: int) -> None:
    driver.init()
    with pytest.raises(driver.Error, match="cuDeviceGet failed: invalid device ordinal"):
        driver.Device(ordinal)


def test_memory_is_freed_once(driver: cuda_ctypes.Driver) -> None:
    with opened(driver):
        memory, locked = driver.mem_alloc(16), driver.pagelocked_empty((4,), "float32")
        for name, free in {"cuMemFree": memory.free, "cuMemFreeHost": locked.base.free}.items():
            free()
            with pytest.raises(driver.Error, match=f"{name} failed: invalid argument"):
                free()
        driver.call("cuMemFree_v2", 0)  # no memory, and no error


def test_a_copy_goes_no_further_than_the_memory(driver: cuda_ctypes.Driver) -> None:
    with opened(driver) as own:
        small, large = own.alloc(16), own.pinned((1 << 20,), "uint8")
        for name, copy in {
            "cuMemcpyHtoD": lambda: driver.memcpy_htod(small, large),
            "cuMemcpyHtoDAsync": lambda: driver.memcpy_htod_async(small, large, own.stream),
            "cuMemcpyDtoHAsync": lambda: driver.memcpy_dtoh_async(large, small, own.stream),
        }.items():
            with pytest.raises(driver.Error, match=f"{name} failed: invalid argument"):
                copy()
        own.stream.synchronize()  # the device goes on


def test_an_event_that_is_gone_and_memory_of_no_size_are_errors(driver: cuda_ctypes.Driver) -> None:
    with opened(driver) as own:
        event = driver.Event()
        gone, event.handle = event.handle, 0
        driver.call("cuEventDestroy_v2", gone)
        with pytest.raises(driver.Error, match="cuEventRecord failed: context is destroyed"):
            driver.call("cuEventRecord", gone, own.stream.handle)
        with pytest.raises(driver.Error, match="cuMemAlloc failed: invalid argument"):
            driver.mem_alloc(0)
        with pytest.raises(driver.Error, match="cuDeviceGetAttribute failed: invalid argument"):
            driver.integer("cuDeviceGetAttribute", 99_999, 0)


def test_an_error_without_words_has_its_number(driver: cuda_ctypes.Driver) -> None:
    assert driver._words(12_345) == "error 12345"


# -- where the pretend one is stricter ----------------------------------------------------------------------
def test_facts_of_the_pretend_gpu(gpu: Gpu, pretend: cuda_ctypes.Driver) -> None:
    with opened(pretend) as own:
        assert (own.name, own.compute_capability) == ("Fake Tegra", "6.2")
    gpu.assert_clean()


def test_a_copy_from_pageable_memory_is_caught(gpu: Gpu, pretend: cuda_ctypes.Driver) -> None:
    """A real driver takes it, and makes the copy synchronous."""
    with opened(pretend) as own:
        device = own.alloc(16)
        with pytest.raises(pretend.Error, match="invalid argument"):
            pretend.memcpy_htod_async(device, np.zeros(4, np.float32), own.stream)
    assert gpu.violations == ["cuMemcpyHtoDAsync of pageable memory is not asynchronous"]


def test_a_foreign_stream_is_an_error(gpu: Gpu, pretend: cuda_ctypes.Driver) -> None:
    """A real driver crashes."""
    with opened(pretend), pytest.raises(pretend.Error, match="invalid resource handle"):
        pretend.call("cuStreamSynchronize", 0x1234)
    assert len(gpu.violations) == 1


def test_a_context_given_back_twice_is_caught(gpu: Gpu, pretend: cuda_ctypes.Driver) -> None:
    """A real driver takes it, though the context may be another's."""
    pretend.init()
    pretend.call("cuDevicePrimaryCtxRelease", 0)
    assert gpu.violations == ["the primary context was given back once too often"]
