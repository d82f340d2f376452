"""Offline and paced load, measured for real: each leaves a record of its own kind, which holds together."""

import json
import subprocess
import sys
import time
from array import array
from pathlib import Path
from typing import Any

import pytest

from bench.record import loads, samples, schema
from bench.runtime.measure import load_shapes
from tests.unit.orchestrate import sample

LOADS: list[dict[str, Any]] = [
    {"kind": "offline", "streams": 3},
    {"kind": "paced", "rate": 200},
]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Kind of load -> the record that the real runtime left with the real onnxruntime."""
    run = sample.real_run(
        tmp_path_factory.mktemp("results"),
        models=1,
        processes=2,
        max_seconds=60,
        min_samples=40,
        max_samples=900,
    )
    path = run.path / "local" / "jobs.json"
    jobs = json.loads(path.read_text())
    (job,) = jobs["jobs"]
    jobs["jobs"] = [{**job, "id": job["id"] + loads.suffix(load), "load": load} for load in LOADS]
    path.write_text(json.dumps(jobs))
    out = run.path / "local" / "out"
    command = [sys.executable, "-m", "bench.runtime", str(path), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = [schema.load(str(each), "record") for each in (out / "records").glob("*.json")]
    return {record["job"]["load"]["kind"]: record for record in found}


def test_each_load_has_a_record_kind_of_its_own(records: dict[str, Any]) -> None:
    assert {load: record["kind"] for load, record in records.items()} == {
        "offline": "orbitbench.offline",
        "paced": "orbitbench.paced",
    }
    assert all(record["status"] == "ok" for record in records.values())


def test_offline_counts_what_all_streams_did_in_the_time_of_the_slowest(records: dict[str, Any]) -> None:
    for process in records["offline"]["latency"]["processes"]:
        durations = samples.seconds(process["samples"])
        assert process["streams"] == 3
        assert process["stopped_by"] == "max_samples"
        assert sum(durations) <= 3 * process["seconds"]
        assert len(durations) >= 11


def test_paced_requests_are_due_at_the_rate_and_answered_after_they_are_due(records: dict[str, Any]) -> None:
    for process in records["paced"]["latency"]["processes"]:
        service, response = samples.seconds(process["samples"]), samples.seconds(process["response"])
        assert len(service) == len(response) >= 11
        assert all(r >= s for r, s in zip(response, service, strict=True))
        if process["stopped_by"] == "enough":
            assert process["wall_seconds"] >= len(service) / 200


def test_a_record_of_one_kind_cannot_pass_for_another(records: dict[str, Any]) -> None:
    for record in records.values():
        for kind in schema.RECORDS:
            found = schema.problems({**record, "kind": kind})
            assert bool(found) == (kind != record["kind"])


@pytest.mark.parametrize(
    ("load", "change", "expected"),
    [
        ("offline", {"seconds": 1e-9}, "is shorter than the inferences that it holds"),
        ("offline", {"streams": 2}, "is not what its job asks for"),
        ("offline", {"streams": 65}, "streams"),
        ("paced", {"response": samples.encode([1])}, "is not of the same inferences"),
        ("paced", {"response": None}, "response"),
    ],
)
def test_figures_that_cannot_be_of_one_another_are_refused(
    records: dict[str, Any], load: str, change: dict[str, Any], expected: str
) -> None:
    record = json.loads(json.dumps(records[load]))
    record["latency"]["processes"][0].update(change)
    assert any(expected in f"{path} {reason}" for path, reason in schema.problems(record))


def test_a_model_slower_than_its_pace_misses_and_stays_within_its_time() -> None:
    clock = iter(range(0, 10**12, 10**6))  # every look at the clock takes a millisecond

    def now() -> int:
        return next(clock)

    out, response = array("q", [1] * 100), array("q", [1] * 100)
    plan = {"min_samples": 50, "min_seconds": 0, "time_left": 0.1}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_shapes, "now_ns", now)
        patch.setattr(load_shapes.time, "sleep", lambda seconds: None)
        done = load_shapes.paced(lambda: None, out, response, 1000, plan)
    assert done.stopped_by == "time_left"
    assert 11 < done.n < 50
    assert list(response[: done.n]) == sorted(response[: done.n])  # the queue only grows


def test_an_error_in_a_stream_is_the_error_of_the_job() -> None:
    def fails() -> None:
        raise ValueError("no")

    plan = {"max_seconds": 5.0}
    with pytest.raises(ValueError, match="no"):
        load_shapes.Offline([fails, lambda: time.sleep(0.001)], array("q", [1] * 10_000)).run(plan)


def test_streams_that_differ_in_speed_leave_no_gap() -> None:
    offline = load_shapes.Offline([lambda: None] * 3, array("q", [7, 7, 7, 8, 0, 8, 0, 0, 9]))
    offline.counts = [2, 1, 3]
    assert offline._close() == 6
    assert list(offline.out[:6]) == [7, 7, 7, 8, 8, 9]


@pytest.mark.parametrize(
    ("load", "problem"),
    [
        ({"kind": "offline", "streams": 0}, True),
        ({"kind": "offline"}, True),
        ({"kind": "paced", "rate": 0}, True),
        ({"kind": "paced", "rate": 10}, False),
        ({"kind": "server"}, True),
        ({}, True),
        (None, False),
    ],
    ids=str,
)
def test_a_job_list_with_an_impossible_load_is_refused(
    tmp_path: Path, load: dict[str, Any] | None, problem: bool
) -> None:
    run = sample.run(tmp_path, "a")
    jobs = json.loads((run.path / "local" / "jobs.json").read_text())
    jobs["jobs"][0]["load"] = load
    assert bool(schema.problems(jobs)) == problem


def test_a_backend_on_a_gpu_runs_one_stream() -> None:
    assert "one stream" in str(loads.problem("tensorrt", {"kind": "offline", "streams": 2}))
    assert loads.problem("tensorrt", {"kind": "offline", "streams": 1}) is None
    assert loads.problem("onnxruntime", {"kind": "offline", "streams": 2}) is None
