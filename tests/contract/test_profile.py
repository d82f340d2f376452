"""Every backend's own profiler, behind one protocol: which operators ran, and for how long."""

from pathlib import Path

import numpy as np
import pytest

from bench.runtime.backends.base import BackendError, Event
from tests import models
from tests.contract.cases import CASES, COMPUTING, Case, expected, make, sample

RUNS = 6


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.cnn(tmp_path_factory.mktemp("profile") / "cnn.onnx", channels=20)


def profiled(
    case: Case, model: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[list[list[Event]], list[np.ndarray], dict[str, np.ndarray]]:
    backend, gpu = make(case, monkeypatch)
    arrays = sample(model)
    backend.import_library()
    backend.expect_profile(str(folder))
    with backend:
        backend.load(str(model))
        backend.bind(arrays)
        backend.infer()
        found = backend.profile(RUNS)
        outputs = backend.outputs()
    if gpu is not None:
        gpu.assert_clean()
    return found, outputs, arrays


@pytest.mark.parametrize("case", COMPUTING, ids=lambda case: case.name)
def test_each_inference_names_its_operators_and_answers_as_ever(
    case: Case, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, outputs, arrays = profiled(case, model, tmp_path, monkeypatch)
    assert len(found) == RUNS
    names = [[(event.name, event.operator) for event in events] for events in found]
    assert all(each == names[0] for each in names)
    assert len(names[0]) >= 4
    assert all(event.seconds >= 0 for events in found for event in events)
    assert sum(event.seconds for event in found[-1]) > 0
    assert np.allclose(outputs[0], expected(model, arrays)[0], atol=1e-3)
    assert not list(tmp_path.iterdir()), "a trace was left behind"


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name in ("onnxruntime", "torch")], ids=lambda c: c.name
)
def test_multiplications_are_those_that_run(
    case: Case, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _, _ = profiled(case, model, tmp_path, monkeypatch)
    macs = [event.macs for event in found[-1] if event.macs]
    true = [20 * 27 * 1024, 20 * 180 * 1024, 200]
    assert len(macs) == 3
    assert all(run >= wanted for run, wanted in zip(macs, true, strict=True))  # blocks of 8 or 16 channels
    if case.name == "torch":
        assert macs == true


def test_a_backend_without_a_profiler_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: Path
) -> None:
    with pytest.raises(BackendError, match="backend null has no profiler") as told:
        profiled(CASES[0], model, tmp_path, monkeypatch)
    assert told.value.kind == "no_profiler"
