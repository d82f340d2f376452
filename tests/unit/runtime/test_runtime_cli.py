"""`python -m bench.runtime`: what a device leaves behind, as its users see it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.record import schema
from tests import models
from tests.conftest import PATIENCE, ROOT


def run(jobs: Path, out: Path, **options: Any) -> tuple[int, list[dict[str, Any]], str]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.runtime", jobs, out],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        **options,
    )
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("run")
    bundle = folder / "bundle"
    good = models.job(bundle, models.cnn(bundle / "models/good.onnx"))
    null = models.job(bundle, bundle / "models/good.onnx", backend="null")
    bad = models.job(bundle, models.one_node(bundle / "models/unknown.onnx", "Fancy"), with_reference=False)
    jobs = models.job_list(folder / "jobs.json", bundle, [good, null, bad])
    code, events, _ = run(jobs, folder / "out")
    return folder, code, events


def load(folder: Path, name: str) -> dict[str, Any]:
    return schema.load(str(folder / "out" / "records" / f"{name}.json"), "record")


def test_every_job_leaves_a_valid_record_file_and_the_exit_code_tells_of_failures(finished: Any) -> None:
    folder, code, events = finished
    assert code == 1
    assert {p.stem for p in (folder / "out/records").iterdir()} == {
        "good--onnxruntime-fp32-t1",
        "good--null-fp32-t1",
        "unknown--onnxruntime-fp32-t1",
    }
    assert events[0]["event"] == "start"
    assert events[-1] == {"event": "end", "ok": 2, "failed": 1, "skipped": 0}


def test_a_good_record_holds_samples_ladder_and_check_but_no_figure(finished: Any) -> None:
    record = load(finished[0], "good--onnxruntime-fp32-t1")
    assert record["validity"]["valid"] or record["validity"]["reasons"][0]["code"] == "other_load"
    assert [p["process"] for p in record["latency"]["processes"]] == [0, 1]
    assert [r["rung"] for r in record["memory"]["rungs"]] == list(schema.RUNGS) * 2
    assert record["output_check"]["ok"]
    assert sum(p["samples"]["n"] for p in record["latency"]["processes"]) >= 60
    assert "figures" not in record  # the host computes them, once
    assert record["environment"]["versions"]["onnxruntime"]
    assert record["environment"]["processor"] == "cpu"


def test_the_null_backend_never_makes_a_valid_record(finished: Any) -> None:
    record = load(finished[0], "good--null-fp32-t1")
    assert record["status"] == "ok"
    assert "fake_backend" in {r["code"] for r in record["validity"]["reasons"]}


def test_an_unknown_operator_is_a_failed_record_with_advice(finished: Any) -> None:
    error = load(finished[0], "unknown--onnxruntime-fp32-t1")["error"]
    assert error["kind"] == "unsupported_operator"
    assert "Fancy" in error["message"]
    assert error["advice"]


def test_run_again_it_skips_what_is_there(finished: Any) -> None:
    folder, _, _ = finished
    before = {p: p.stat().st_mtime_ns for p in (folder / "out").rglob("*.json")}
    code, events, _ = run(folder / "jobs.json", folder / "out")
    assert [e["event"] for e in events] == ["start", "self_test", "end"]
    assert code == 1
    assert before == {p: p.stat().st_mtime_ns for p in (folder / "out").rglob("*.json")}


def test_a_bad_job_list_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "jobs.json").write_text('{"schema": 1, "kind": "orbitbench.jobs", "jobs": 7}')
    code, events, error = run(tmp_path / "jobs.json", tmp_path / "out")
    assert (code, events) == (2, [])
    assert error.count("\n") == 1
    assert "jobs must be a list, is a number" in error
