"""`orchestrate status` counts processes: from records, and from the log of a runtime that is at work."""

from pathlib import Path

import pytest

from orchestrate.execution import process_runner
from orchestrate.execution.status import processes
from orchestrate.runs.folder import Run
from tests.unit.orchestrate import sample

A = "a--onnxruntime-fp32-t1"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Two jobs of two processes each."""
    devices = {"local": sample.device(measure={"processes": 2})}
    return sample.write(tmp_path / "results" / sample.NAME, sample.bundle("a", "b"), devices)


def test_without_a_record_or_a_log_nothing_is_done(run: Run) -> None:
    assert processes(run.devices["local"], None) == {"done": 0, "total": 4}


def test_a_profile_is_a_process_too(tmp_path: Path) -> None:
    devices = {"local": sample.device(measure={"processes": 2, "profile": True})}
    run = sample.write(tmp_path / "results" / sample.NAME, sample.bundle("a"), devices)
    assert processes(run.devices["local"], {"event": "process", "done": 2, "total": 3}) == {
        "done": 2,
        "total": 3,
    }


@pytest.mark.parametrize(
    ("event", "done"),
    [
        ({"event": "process", "done": 1, "total": 4}, 1),
        ({"event": "start", "processes": 4, "done": 2}, 2),
        ({"event": "process", "done": 1, "total": 2}, 3),  # of the one job that it was started on
        ({"event": "process", "done": 99, "total": 4}, 4),
        ({"event": "process", "done": "x", "total": None}, 4),
        ({"event": "process", "done": -50, "total": 4}, 0),
    ],
    ids=str,
)
def test_a_log_says_how_far_the_runtime_is(run: Run, event: dict[str, object], done: int) -> None:
    assert processes(run.devices["local"], event)["done"] == done


def test_a_stored_record_counts_with_all_its_processes(run: Run) -> None:
    run.devices["local"].records.mkdir()
    (run.devices["local"].records / f"{A}.json").write_text("{}")
    assert processes(run.devices["local"], None) == {"done": 2, "total": 4}
    assert processes(run.devices["local"], {"event": "process", "done": 1, "total": 2})["done"] == 3


def test_a_death_without_a_word_looks_at_the_disk(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = process_runner.ProcessRunner(run.devices["local"])
    (run.path / "local" / "runtime.err").write_text("")
    assert "without a word" in runner.exit_reason()
    monkeypatch.setattr(process_runner, "ROOM", 2**62)
    assert f"the disk that holds {run.path / 'local'} is full: make room" in runner.exit_reason()
    (run.path / "local" / "runtime.err").write_text("Killed\n")
    assert runner.exit_reason() == "Killed"
