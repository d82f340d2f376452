"""The ctypes binding of CUDA's driver: cuda.h's prototypes, copies, errors, and nothing left behind."""

import contextlib
import ctypes
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from bench.runtime.backends import cuda_ctypes
from bench.runtime.backends.cuda import Gpu as Opened
from tests.fakes.gpu import Gpu
from tests.fakes.libcuda import CUDA_H, LibCuda


@pytest.fixture
def gpu() -> Gpu:
    return Gpu(delay=0.0)


@pytest.fixture
def driver(gpu: Gpu) -> cuda_ctypes.Driver:
    return cuda_ctypes.Driver(LibCuda(gpu))


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
    gpu = Opened(driver).open()
    try:
        yield gpu
    finally:
        gpu.close()


def test_the_drivers_own_words_are_in_the_error_and_a_full_memory_has_its_own_class(
    gpu: Gpu, driver: cuda_ctypes.Driver
) -> None:
    with pytest.raises(driver.Error, match="cuDeviceGetCount failed: initialization error"):
        driver.Device.count()
    with opened(driver), pytest.raises(driver.MemoryError, match="cuMemAlloc failed: out of memory"):
        driver.mem_alloc(1 << 40)
    gpu.assert_clean()


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
        assert own.memory() == (gpu.memory - 24, gpu.memory)
        assert (own.name, own.compute_capability) == ("Fake Tegra", "6.2")
        del there, back
    gpu.assert_clean()


def test_a_copy_from_pageable_memory_is_caught(gpu: Gpu, driver: cuda_ctypes.Driver) -> None:
    with opened(driver) as own:
        device = own.alloc(16)
        with pytest.raises(driver.Error, match="invalid argument"):
            driver.memcpy_htod_async(device, np.zeros(4, np.float32), own.stream)
    assert gpu.violations == ["cuMemcpyHtoDAsync of pageable memory is not asynchronous"]


def test_memory_freed_twice_and_a_foreign_stream_are_errors(gpu: Gpu, driver: cuda_ctypes.Driver) -> None:
    with opened(driver):
        memory = driver.mem_alloc(16)
        memory.free()
        with pytest.raises(driver.Error, match="invalid resource handle"):
            memory.free()
        with pytest.raises(driver.Error, match="invalid resource handle"):
            driver.call("cuStreamSynchronize", 0x1234)
    assert len(gpu.violations) == 2
    assert not gpu.left_over()
