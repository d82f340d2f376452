"""A record that its own schema refuses fails its job in one line, and costs no other job anything."""

from pathlib import Path
from typing import Any

from bench.record import schema
from bench.record.types import Part
from bench.runtime.measure import model_run
from bench.runtime.supervise import job_list
from bench.runtime.supervise.scheduler import Scheduler
from bench.runtime.supervise.store import Store
from tests.unit.orchestrate import sample


class Spoiling(Scheduler):
    """Measures in this process, and spoils a figure of the first job."""

    def _run(self, step: Any, readings: Any, watch: Any) -> Part:
        part: Part = {"status": "ok", "error": None}
        for found in model_run.run(self._task(step)):
            part.update(found)  # type: ignore[typeddict-item]
        if step.job["id"].startswith("m0"):
            part["latency"]["load_seconds"] = 1e60
        return part


def test_the_others_are_measured(tmp_path: Path) -> None:
    run = sample.real_run(tmp_path / "results", models=2, processes=1, repeats=0)
    loaded = job_list.load(str(run.path / "local/jobs.json"))
    events: list[dict[str, Any]] = []
    store = Store(str(tmp_path / "out"))
    assert Spoiling(loaded, store, events.append).run() == 1
    records = {job["id"][:2]: schema.load(store.record_path(job), "record") for job in loaded.jobs}
    assert (records["m0"]["status"], records["m1"]["status"]) == ("failed", "ok")
    error = records["m0"]["error"]
    assert "its record cannot be kept: latency.processes[0].load_seconds is 1e+60" in error["message"]
    assert events[-1] == {"event": "end", "ok": 1, "failed": 1, "skipped": 0}


def test_an_environment_that_cannot_be_kept_is_left_out(tmp_path: Path) -> None:
    run = sample.real_run(tmp_path / "results", models=1, processes=1, repeats=0)
    loaded = job_list.load(str(run.path / "local/jobs.json"))
    store = Store(str(tmp_path / "out"))
    scheduler = Spoiling(loaded, store, lambda event: None)
    scheduler.environment["board"] = {"name": "x" * 200_000}
    assert scheduler.run() == 1
    record = schema.load(store.record_path(loaded.jobs[0]), "record")
    assert record["error"]["message"].startswith("its record cannot be kept: ")
    assert "board" not in record["environment"]
