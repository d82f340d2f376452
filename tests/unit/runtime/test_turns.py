"""A job that is measured against a reference: both in one process, in turns."""

from pathlib import Path
from statistics import median
from typing import Any

import pytest

from bench.record import schema
from bench.runtime.supervise import job_list as joblist
from bench.runtime.supervise.scheduler import Scheduler
from bench.runtime.supervise.store import Store
from tests import models

MEASURE = {
    "processes": 1,
    "warmup": 1,
    "warmup_seconds": 0,
    "min_seconds": 0,
    "max_seconds": 0.1,
    "repeats": 0,
    "cold_loads": 0,
}


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tmp_path / "bundle"


def against(path: Path, bundle: Path, **changes: Any) -> dict[str, Any]:
    file = {"file": str(path.relative_to(bundle)), "sha256": models.sha256(path)}
    return {**file, "seconds": 0.3, "turn_seconds": 0.002, **changes}


def run(bundle: Path, job: dict[str, Any]) -> dict[str, Any]:
    folder = bundle.parent
    path = models.job_list(folder / "jobs.json", bundle, [{**job, "measure": MEASURE}])
    Scheduler(joblist.load(str(path)), Store(str(folder / "out")), lambda event: None).run()
    return schema.load(str(folder / f"out/records/{job['id']}.json"), "record")


def test_the_ratio_to_a_larger_reference_is_below_one_and_to_itself_about_one(bundle: Path) -> None:
    small, large = (
        models.cnn(bundle / f"models/{name}.onnx", channels=c) for name, c in (("s", 8), ("l", 96))
    )
    job = models.job(bundle, small)
    job["model"]["against"] = against(large, bundle)
    record = run(bundle, job)
    assert record["status"] == "ok"
    turns = record["latency"]["processes"][0]["turns"]
    assert len(turns) >= 5
    assert median(own / other for own, other in turns) < 0.5


def test_memory_is_that_of_the_model_alone(bundle: Path) -> None:
    small = models.cnn(bundle / "models/s.onnx", channels=8)
    alone = run(bundle, models.job(bundle, small))
    huge = models.mlp(bundle / "models/huge.onnx", width=2000, depth=2)
    (bundle.parent / f"out/records/{alone['job']['id']}.json").unlink()
    for part in (bundle.parent / "out/parts").iterdir():
        part.unlink()
    job = models.job(bundle, small)
    job["model"]["against"] = against(huge, bundle)
    both = run(bundle, job)
    own = [{r["rung"]: r["rss"] for r in record["memory"]["rungs"]} for record in (alone, both)]
    grown = [ladder["steady_trimmed"] - ladder["device_initialised"] for ladder in own]
    assert grown[1] < grown[0] + 14e6  # the other one has 32 MB of weights


def test_a_reference_that_is_missing_or_changed_is_a_failed_record(bundle: Path) -> None:
    small = models.cnn(bundle / "models/s.onnx", channels=8)
    job = models.job(bundle, small)
    job["model"]["against"] = {**against(small, bundle), "sha256": "0" * 64}
    record = run(bundle, job)
    assert (record["status"], record["error"]["kind"]) == ("failed", "model_changed")


@pytest.mark.parametrize(
    "change", [{"seconds": 1e9}, {"seconds": "long"}, {"turn_seconds": -1}, {"file": "../../etc/passwd"}]
)
def test_a_job_list_with_an_impossible_reference_is_refused(bundle: Path, change: dict[str, Any]) -> None:
    small = models.cnn(bundle / "models/s.onnx", channels=8)
    job = models.job(bundle, small)
    job["model"]["against"] = {**against(small, bundle), **change}
    path = models.job_list(bundle.parent / "jobs.json", bundle, [job])
    with pytest.raises(joblist.BadFileError, match="against"):
        joblist.load(str(path))
