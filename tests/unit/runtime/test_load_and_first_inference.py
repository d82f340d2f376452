"""Load and first inference: the very first run is timed, and a cold load reads its file from the disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.record import samples
from bench.runtime.backends.base import BackendError, Settings
from bench.runtime.backends.onnxruntime import OnnxRuntimeBackend
from bench.runtime.machine import page_cache
from bench.runtime.measure import model_run, timing
from tests.failing import until_failure
from tests.unit.orchestrate import sample


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    sample.onnx_model(path, 64)
    return path


def test_the_first_inference_of_a_session_is_the_one_that_is_timed(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import onnxruntime

    calls: list[str] = []
    real = onnxruntime.InferenceSession.run

    def run(self: Any, *given: Any) -> Any:
        calls.append("run")
        return real(self, *given)

    monkeypatch.setattr(onnxruntime.InferenceSession, "run", run)
    backend = OnnxRuntimeBackend(Settings("fp32", 1, 1, None, None, {}))
    backend.import_library()
    with backend:
        (tensor,) = backend.load(str(model))
        assert backend.first_seconds() is None
        backend.bind({tensor.name: np.zeros(tensor.shape, tensor.dtype)})
        first = backend.first_seconds()
        assert calls == ["run"]
        backend.infer()
        assert first is not None
        assert first > 0
        assert backend.first_seconds() == first


def test_a_dropped_file_is_out_of_the_page_cache_and_a_read_brings_it_back(tmp_path: Path) -> None:
    path = tmp_path / "big"
    path.write_bytes(bytes(4_000_000))
    if not page_cache.drop([str(path)]):
        pytest.skip("this file system keeps its pages (tmpfs)")
    handle = path.open("rb")
    assert page_cache._resident(handle.fileno()) == 0
    handle.read()
    assert page_cache._resident(handle.fileno()) == 1


def test_a_file_that_cannot_be_dropped_gives_no_figure(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_cache, "_resident", lambda handle: 1.0)
    assert not page_cache.drop([str(model)])
    assert not page_cache.drop([str(model.parent / "missing")])
    assert list(model_run.load_cold(task(model))) == []


def test_a_cold_load_has_its_figures_and_a_warm_up(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_cache, "_resident", lambda handle: 0.0)
    *_, found = model_run.load_cold(task(model))
    assert found["cold"]["cold_load_seconds"] > 0
    assert found["cold"]["cold_first_seconds"] > 0
    assert len(samples.seconds(found["cold"]["cold_warmup"])) == 3


def test_a_failure_after_the_first_cold_inference_leaves_what_was_measured(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> int:
        raise BackendError("crashed", "the library broke", "")

    monkeypatch.setattr(page_cache, "_resident", lambda handle: 0.0)
    monkeypatch.setattr(timing, "warm_up", fail)
    found, error = until_failure(model_run.load_cold(task(model)))
    assert error == "the library broke"
    assert sorted(found["cold"]) == ["cold_first_seconds", "cold_load_seconds"]


def task(model: Path) -> Any:
    job = {"backend": "onnxruntime", "precision": "fp32", "threads": 1, "batch": 1, "model": {"inputs": []}}
    return {
        "job": json.loads(json.dumps(job)), "model": str(model), "reference": None, "seed": 1,
        "cache_dir": None, "build": None, "measure": MEASURE,
    }  # fmt: skip


MEASURE = {"warmup": 3, "warmup_seconds": 0.0, "timeout_seconds": 1e6}  # counted from the start of pytest
