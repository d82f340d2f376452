"""A process that something else disturbed is measured again, within limits, and nothing of it is hidden."""

from pathlib import Path
from typing import Any

import pytest

from bench.record import schema
from bench.runtime.supervise import job_list as joblist
from bench.runtime.supervise.scheduler import Scheduler
from bench.runtime.supervise.store import Store
from tests import models

LOAD = {"code": "other_load", "message": "a thread waited for a CPU during 30% of the measurement"}


class Rivals(Scheduler):
    """A scheduler on a machine where the given (process, attempt) pairs meet other load."""

    def __init__(self, *arguments: Any, disturbed: set[tuple[int, int]]) -> None:
        super().__init__(*arguments)
        self.plan, self.tries = disturbed, {}

    def _measure(self, step: joblist.Step) -> dict[str, Any]:
        part = super()._measure(step)
        attempt = self.tries[step.process] = self.tries.get(step.process, -1) + 1
        reasons = [LOAD] if (step.process, attempt) in self.plan else []
        return dict(part, validity={"valid": not reasons, "reasons": reasons, "warnings": []})


def run(folder: Path, disturbed: set[tuple[int, int]], **measure: Any) -> tuple[dict[str, Any], list[Any]]:
    bundle, events = folder / "bundle", []
    job = models.job(bundle, models.cnn(bundle / "models/net.onnx"))
    plan = {"processes": 2, "repeats": 2, "warmup": 1, "max_seconds": 0.05, "min_seconds": 0}
    job["measure"] = {**plan, **measure}
    path = models.job_list(folder / "jobs.json", bundle, [job])
    scheduler = Rivals(
        joblist.load(str(path)), Store(str(folder / "out")), events.append, disturbed=disturbed
    )
    scheduler.run()
    return schema.load(str(folder / "out/records" / f"{job['id']}.json"), "record"), events


@pytest.fixture(scope="module")
def disturbed_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], list[Any]]:
    """The record, and the events, of a job whose second process met a load in its first attempt."""
    return run(tmp_path_factory.mktemp("once"), {(1, 0)})


def test_a_disturbed_process_is_measured_again_and_the_record_counts(disturbed_once: Any) -> None:
    record, events = disturbed_once
    assert record["validity"]["valid"]
    assert [p["process"] for p in record["latency"]["processes"]] == [0, 1]
    assert "disturbed" in [e.get("status") for e in events]


def test_the_disturbed_attempt_stays_in_the_record_with_its_samples_and_reason(disturbed_once: Any) -> None:
    record, _ = disturbed_once
    (attempt,) = record["latency"]["disturbed"]
    assert attempt["process"] == 1
    assert attempt["samples"]["n"] > 0
    assert attempt["reasons"] == [LOAD]
    (warning,) = [w for w in record["validity"]["warnings"] if w["code"] == "repeated"]
    assert "other_load" in warning["message"]


def test_a_load_that_stays_makes_the_record_invalid_and_costs_at_most_half_as_much_again(
    tmp_path: Path,
) -> None:
    always = {(process, attempt) for process in (0, 1) for attempt in range(9)}
    record, events = run(tmp_path, always)
    assert not record["validity"]["valid"]
    assert [e.get("status") for e in events].count("disturbed") == 1


def test_it_is_measured_again_before_the_profile_which_stays_the_last(tmp_path: Path) -> None:
    record, events = run(tmp_path, {(0, 0), (1, 0)}, profile=True)
    assert [e["process"] for e in events if e["event"] == "process"] == [0, 1, 0, 1, 2]
    assert [p["process"] for p in record["latency"]["processes"]] == [0, 1]


@pytest.mark.parametrize("repeats", [0, 1])
def test_repeats_limits_the_attempts_of_one_process(tmp_path: Path, repeats: int) -> None:
    record, _ = run(tmp_path, {(0, 0), (0, 1)}, repeats=repeats)
    assert not record["validity"]["valid"]
    assert len(record["latency"]["disturbed"]) == repeats
