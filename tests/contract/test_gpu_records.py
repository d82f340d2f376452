"""`python -m bench.runtime` with TensorRT on a pretend GPU: what a board's user finds in the records."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.record import samples, schema
from bench.runtime.supervise.job_list import order
from tests import models
from tests.conftest import PATIENCE, ROOT, wait_for
from tests.fakes.trt import GENERATIONS
from tests.matrix import Part

RELEASES = [GENERATIONS[0], GENERATIONS[-1]]


def run(folder: Path, jobs: list[dict[str, Any]], **environment: str) -> dict[str, dict[str, Any]]:
    """Job id -> record, after a run with the pretend TensorRT on the path."""
    path = models.job_list(folder / "jobs.json", folder / "bundle", jobs)
    shims = os.pathsep.join([str(ROOT / "tests/fakes/path"), str(ROOT)])
    done = subprocess.run(
        [sys.executable, "-m", "bench.runtime", path, folder / "out"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": shims, "FAKE_GPU_REPORT": str(folder / "report"), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode in (0, 1), done.stderr
    found = [schema.load(str(file), "record") for file in (folder / "out/records").iterdir()]
    return {record["job"]["id"]: record for record in found}


def tensorrt(bundle: Path, model: Path, **changes: Any) -> dict[str, Any]:
    return models.job(bundle, model, backend="tensorrt", **changes)


@pytest.fixture(scope="module", params=[pytest.param(RELEASES[0], marks=pytest.mark.slow), RELEASES[-1]])
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("gpu")
    bundle = folder / "bundle"
    good = tensorrt(bundle, models.mlp(bundle / "models/good.onnx", width=16))
    fancy = models.one_node(bundle / "models/fancy.onnx", "Fancy", "com.example")
    bad = tensorrt(bundle, fancy, with_reference=False)
    return folder, run(folder, [good, bad], FAKE_TENSORRT=request.param)


def test_a_pretend_gpu_makes_a_record_that_is_never_valid(finished: Any) -> None:
    record = finished[1]["good--tensorrt-fp32-t1"]
    assert record["status"] == "ok", record["error"]
    assert "fake_backend" in {reason["code"] for reason in record["validity"]["reasons"]}
    assert not record["validity"]["valid"]
    assert record["output_check"]["ok"]


def test_every_process_is_a_build_of_its_own_with_compute_time_apart(finished: Any) -> None:
    processes = finished[1]["good--tensorrt-fp32-t1"]["latency"]["processes"]
    assert [process["build"] for process in processes] == [0, 1]
    for process in processes:
        whole, compute = samples.decode(process["samples"]), samples.decode(process["compute"])
        assert len(whole) == len(compute) > 0
        assert all(0 < inner <= outer for inner, outer in zip(compute, whole, strict=True))


def test_device_memory_is_on_every_rung_from_the_context_on(finished: Any) -> None:
    rungs = finished[1]["good--tensorrt-fp32-t1"]["memory"]["rungs"]
    for rung in rungs:
        known = rung["rung"] not in ("start", "backend_imported")
        assert (rung["gpu_free"] is not None) == known, rung["rung"]
    loaded = next(rung for rung in rungs if rung["rung"] == "model_loaded")
    assert loaded["backend"]["activations"] > 0


def test_an_unknown_operator_is_a_failed_record_with_advice(finished: Any) -> None:
    record = finished[1]["fancy--tensorrt-fp32-t1"]
    assert record["status"] == "failed"
    assert record["error"]["kind"] == "unsupported_operator"
    assert "Fancy" in record["error"]["message"]
    assert record["error"]["advice"]


def test_no_process_left_anything_on_the_gpu(finished: Any) -> None:
    reports = [json.loads(line) for line in (finished[0] / "report").read_text().splitlines()]
    assert len(reports) >= 4  # two measuring processes and their builders, and those of the failed job
    assert all(report["violations"] == [] and report["left"] == {} for report in reports)


def test_a_full_gpu_is_a_failed_record_with_advice(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    job = tensorrt(bundle, models.mlp(bundle / "models/big.onnx", width=64), measure={"processes": 1})
    records = run(tmp_path, [job], FAKE_TENSORRT=RELEASES[0], FAKE_GPU_MEMORY="8192")
    error = records["big--tensorrt-fp32-t1"]["error"]
    assert error["kind"] == "out_of_memory"
    assert "smaller model" in error["advice"]


def runtime(path: Path, **environment: str) -> dict[str, Any]:
    """How `subprocess` runs the job list at `path` on the pretend TensorRT."""
    shims = os.pathsep.join([str(ROOT / "tests/fakes/path"), str(ROOT)])
    return {
        "args": [sys.executable, "-m", "bench.runtime", path, path.parent / "out"],
        "cwd": ROOT,
        "env": {**os.environ, "PYTHONPATH": shims, "FAKE_TENSORRT": RELEASES[0], **environment},
    }


def events_of(folder: Path, *jobs: dict[str, Any], **environment: str) -> list[dict[str, Any]]:
    """The lines of the runtime on some jobs."""
    path = models.job_list(folder / "jobs.json", folder / "bundle", list(jobs))
    done = subprocess.run(**runtime(path, **environment), capture_output=True, text=True, timeout=PATIENCE)
    return [json.loads(line) for line in done.stdout.splitlines()]


LOWER = {"fp16": {"processes": 3, "builds": 2}, "int8": {"processes": 1}}


@pytest.fixture(scope="module")
def lower(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """The lines and the records, by precision, of a run in lower precisions."""
    folder = tmp_path_factory.mktemp("lower")
    bundle = folder / "bundle"
    net = models.mlp(bundle / "models/net.onnx", width=64)
    jobs = [
        tensorrt(bundle, net, precision=precision, measure=measure) for precision, measure in LOWER.items()
    ]
    lines = events_of(folder, *jobs)
    records = [schema.load(str(path), "record") for path in (folder / "out/records").iterdir()]
    return lines, {record["job"]["precision"]: record for record in records}


@pytest.mark.parametrize("precision", LOWER)
def test_a_lower_precision_is_judged_by_its_own_tolerance(lower: Any, precision: str) -> None:
    record = lower[1][precision]
    check = record["output_check"]
    assert record["status"] == "ok", record["error"]
    assert check["arithmetic"] == precision
    assert check["max_abs_error"] > 1e-4  # beyond what fp32 is allowed: it computed in what it claims
    if precision == "int8":
        assert (check["tolerance"], check["top1_agreement"]) == (None, 1.0)
        assert check["correlation"] > 0.9


def test_builds_are_counted_apart_and_the_processes_share_them(lower: Any) -> None:
    lines, records = lower
    assert (lines[0]["processes"], lines[0]["builds"]) == (3 + 1, 2 + 1)
    built = [
        (line["build"], line["status"])
        for line in lines
        if line["event"] == "build" and line["job"] == "net--tensorrt-fp16-t1"
    ]
    assert sorted(built) == [(0, "ok"), (0, "started"), (1, "ok"), (1, "started")]
    record = records["fp16"]
    assert [process["build"] for process in record["latency"]["processes"]] == [0, 1, 0]
    assert record["environment"]["build"]["cached"] is False
    assert record["environment"]["build"]["layers"] > 0


def test_a_build_has_a_limit_of_its_own(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    measure = {"processes": 1, "timeout_seconds": 120, "build_timeout_seconds": 0.05}
    job = tensorrt(bundle, models.mlp(bundle / "models/net.onnx", width=16), measure=measure)
    failed = next(line for line in events_of(tmp_path, job) if line.get("status") == "failed")
    assert failed["event"] == "build"
    assert failed["error"]["kind"] == "timeout"
    assert "build_timeout_seconds" in failed["error"]["advice"]


def test_tactics_timed_for_one_model_serve_the_next_run_where_they_are_kept(tmp_path: Path) -> None:
    kept = str(tmp_path / "kept")
    for number, width in enumerate((16, 24)):  # two runs of two models
        folder = tmp_path / str(number)
        model = models.mlp(folder / "bundle/models/net.onnx", width=width)
        job = tensorrt(folder / "bundle", model, measure={"processes": 1})
        job["model"]["inputs"] = [{"name": "input", "shape": [1, width], "dtype": "float32"}]  # as bundles do
        events_of(folder, job, ORBITBENCH_TIMING_CACHE=kept)
        record = schema.load(str(folder / "out/records/net--tensorrt-fp32-t1.json"), "record")
        assert record["environment"]["build"]["timing_cache"]["reused"] is bool(number)


def test_a_run_killed_in_mid_build_goes_on_with_the_tactics_of_its_earlier_builds(tmp_path: Path) -> None:
    bundle, sign = tmp_path / "bundle", tmp_path / "building"
    jobs = [
        tensorrt(bundle, models.mlp(bundle / f"models/{name}.onnx", width=width), measure={"processes": 1})
        for name, width in (("one", 16), ("two", 24))
    ]
    path = models.job_list(tmp_path / "jobs.json", bundle, jobs)
    last = order(jobs, seed=7)[-1].job["model"]
    hanging = f"{Path(last['file']).name}:{sign}"
    with subprocess.Popen(
        **runtime(path, FAKE_BUILD_HANGS=hanging), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as killed:
        wait_for(lambda: sign.exists() and sign.read_text())
        killed.kill()
    wait_for(lambda: not Path("/proc", sign.read_text()).exists())  # no build is left on the GPU
    done = subprocess.run(**runtime(path), capture_output=True, text=True, timeout=PATIENCE)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert {line["job"] for line in lines if line["event"] == "build"} == {f"{last['id']}--tensorrt-fp32-t1"}
    record = schema.load(str(tmp_path / f"out/records/{last['id']}--tensorrt-fp32-t1.json"), "record")
    reused = record["environment"]["build"]["timing_cache"]["reused"]
    part = Part("board", "builds")
    try:
        part.add("an engine build killed, the run resumed", "timing cache reused", reused, reused is True)
    finally:
        part.write()
