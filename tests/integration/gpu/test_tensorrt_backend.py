"""The TensorRT backend on a real GPU: it waits, times, counts and gives back. Engines are the pretend
TensorRT's, their kernels torch's: what TensorRT itself does there is for a machine that has it.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.record import samples, schema
from bench.runtime.backends.base import BackendError, Settings
from bench.runtime.backends.tensorrt import TensorRtBackend
from tests import models
from tests.conftest import PATIENCE, ROOT
from tests.contract.cases import expected, sample
from tests.fakes.real_gpu import RealGpu, tensorrt_on
from tests.fakes.trt import GENERATIONS

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU that torch can use"),
]
DELAY = 0.05  # s that the GPU computes more for each inference


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = models.cnn(tmp_path / "bundle/models/cnn.onnx")
    models.reference(path, tmp_path / "bundle/reference/cnn.npz")
    return path


@pytest.fixture(params=GENERATIONS)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    gpu = RealGpu(DELAY)
    monkeypatch.setitem(sys.modules, "tensorrt", tensorrt_on(gpu, request.param))
    made = TensorRtBackend(Settings("fp32", 1, 1, None, None, {"isolate_build": False}))
    made.import_library()
    yield made
    gpu.assert_clean()


def test_an_inference_is_timed_whole_and_its_output_is_right(backend: Any, model: Path) -> None:
    arrays = sample(model)
    with backend:
        backend.load(str(model))
        backend.bind(arrays)
        backend.infer()  # torch's first run
        started = time.perf_counter()
        backend.infer()
        elapsed = time.perf_counter() - started
        assert DELAY * 0.8 <= backend.compute_seconds() <= elapsed <= DELAY * 1.5
        np.testing.assert_allclose(backend.outputs()[0], expected(model, arrays)[0], atol=1e-5)
        other = sample(model, seed=1)
        backend.bind(other)
        backend.infer()
        np.testing.assert_allclose(backend.outputs()[0], expected(model, other)[0], atol=1e-5)


def test_without_the_wait_the_time_would_be_a_fiction(backend: Any, model: Path) -> None:
    with backend:
        backend.load(str(model))
        backend.bind(sample(model))
        backend.infer()
        stream = backend._gpu.stream
        right, whole = backend.outputs()[0], stream.synchronize
        for host in backend._host.values():
            host[...] = sample(model)["input"] if host.shape == (1, 3, 32, 32) else 0.0
        stream.synchronize = lambda: None
        started = time.perf_counter()
        backend.infer()
        assert time.perf_counter() - started < DELAY / 2
        assert not backend._trt.ICudaEngine._gpu.idle(stream.handle)
        assert (backend.outputs()[0] == 0).all()  # nothing has come back yet
        with pytest.raises(backend._driver.Error, match="device not ready"):
            backend.compute_seconds()
        whole()
        np.testing.assert_array_equal(backend.outputs()[0], right)


def free_memory() -> int:
    """Bytes that nobody holds, torch's own caches emptied."""
    torch._C._cuda_clearCublasWorkspaces()
    torch.cuda.empty_cache()
    return torch.cuda.mem_get_info()[0]


def test_memory_is_the_device_s_own_and_all_of_it_comes_back(backend: Any, model: Path) -> None:
    left = []
    for _ in range(2):  # what torch and cuDNN load for the first one stays
        with backend:
            before = backend.memory()
            assert before["gpu_total"] == torch.cuda.mem_get_info()[1]
            backend.load(str(model))
            backend.bind(sample(model))
            backend.infer()
            assert before["gpu_free"] > backend.memory()["gpu_free"] > 0
        left.append(free_memory())
    assert left[0] == left[1]


def test_a_gpu_that_is_full_is_out_of_memory(backend: Any, model: Path) -> None:
    free = torch.cuda.mem_get_info()[0]
    most = torch.empty(free - (1 << 30), dtype=torch.uint8, device="cuda")
    with backend, pytest.raises(BackendError, match="no device memory for 2147483648 bytes") as caught:
        backend._gpu.alloc(2 << 30)
    assert caught.value.kind == "out_of_memory"
    del most
    torch.cuda.empty_cache()


def test_a_gpu_that_is_not_there_is_refused(backend: Any) -> None:
    backend.settings.options["device"] = 63
    with pytest.raises(BackendError, match="GPU 63 is asked for and") as caught, backend:
        pass
    assert caught.value.kind == "device_missing"


def test_the_runtime_makes_a_whole_record(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    job = models.job(bundle, models.cnn(bundle / "models/cnn.onnx"), backend="tensorrt")
    path = models.job_list(tmp_path / "jobs.json", bundle, [job])
    shims = os.pathsep.join([str(ROOT / "tests/fakes/path"), str(ROOT), *sys.path])
    subprocess.run(
        [sys.executable, "-m", "bench.runtime", path, tmp_path / "out"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": shims, "FAKE_TENSORRT": "10.3", "FAKE_CUDA": "real"},
        timeout=PATIENCE,
        check=True,
    )
    (file,) = (tmp_path / "out/records").iterdir()
    record = schema.load(str(file), "record")
    assert record["status"] == "ok", record["error"]
    assert record["output_check"]["ok"]
    assert "fake_backend" in {reason["code"] for reason in record["validity"]["reasons"]}
    assert record["environment"]["versions"]["cuda_binding"] == "ctypes"
    for process in record["latency"]["processes"]:
        whole, compute = samples.decode(process["samples"]), samples.decode(process["compute"])
        assert all(0 < inner < outer for inner, outer in zip(compute, whole, strict=True))
    rungs = {rung["rung"]: rung["gpu_free"] for rung in record["memory"]["rungs"]}
    assert rungs["start"] is None
    assert rungs["device_initialised"] > rungs["steady"] > 0
