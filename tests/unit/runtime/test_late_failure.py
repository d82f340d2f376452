"""What fails after the samples costs none of them: they stay in the record of the failed job."""

from pathlib import Path
from typing import Any

import pytest

from bench.record import samples, schema
from bench.record.types import Part
from bench.runtime.backends.base import BackendError
from bench.runtime.measure import model_run
from bench.runtime.supervise import job_list
from bench.runtime.supervise.scheduler import Scheduler
from bench.runtime.supervise.store import Store
from tests.failing import until_failure
from tests.unit.orchestrate import sample


class Here(Scheduler):
    """Measures in this process."""

    def _run(self, step: Any, readings: Any, watch: Any) -> Part:
        found, message = until_failure(model_run.run(self._task(step)))
        error: Any = {"kind": "crashed", "message": message, "advice": "look"}
        return {**found, "status": "failed", "error": error}  # type: ignore[typeddict-item]


def broken(*_: Any) -> Any:
    raise BackendError("crashed", "it broke late", "")


@pytest.mark.parametrize(("late", "overhead"), [("residual", True), ("overhead", False)])
def test_samples_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, late: str, overhead: bool) -> None:
    monkeypatch.setattr(model_run, late, broken)
    run = sample.real_run(tmp_path / "results", models=1, processes=1, repeats=0, timeout_seconds=1e6)
    loaded = job_list.load(str(run.path / "local/jobs.json"))
    store = Store(str(tmp_path / "out"))
    assert Here(loaded, store, lambda event: None).run() == 1
    record = schema.load(store.record_path(loaded.jobs[0]), "record")
    assert (record["status"], record["error"]["message"]) == ("failed", "it broke late")
    (process,) = record["latency"]["processes"]
    assert samples.seconds(process["samples"])  # how many depends on what else the machine does
    assert process["load_seconds"] > 0
    assert ("overhead" in process) == overhead
    assert len(record["environment"]["spans"]) == 1
