"""Records to a tidy table: figures from raw samples, what is left out and why, runs merged by a rule."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.record import schema
from orchestrate.analysis import memory, pairs, recommend, records, table
from orchestrate.errors import BadInput
from orchestrate.quantities import number
from orchestrate.report import data, terminal
from tests import synthetic
from tests.synthetic import Study

SMALL = Study(architectures=("vgg11",), ratios=(0.25, 1.0), samples=40)


def changed(run: Path, name: str, **parts: Any) -> None:
    path = next(run.glob(f"*/records/*{name}*.json"))
    path.write_text(json.dumps({**json.loads(path.read_text()), **parts}))


def by_model(run: Path) -> dict[str, dict[str, Any]]:
    return {row["model"]: row for row in table.tidy(records.read([run])).rows()}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return synthetic.write(SMALL, tmp_path)


def test_synthetic_records_are_records_and_say_that_they_are_synthetic() -> None:
    for record in synthetic.records(SMALL):
        assert schema.problems(record) == []
        assert record["environment"]["synthetic"] is True
        assert "synthetic" in [warning["code"] for warning in record["validity"]["warnings"]]


def test_p99_is_not_told_from_too_few_samples(run: Path) -> None:
    assert np.isnan(table.tidy(records.read([run]))["p99"]).all()


def test_invalid_failed_and_unreadable_records_are_left_out_each_with_its_reason(run: Path) -> None:
    reasons = [{"code": "throttled", "message": f"it got hot, {n} times"} for n in range(3)]
    changed(run, "uniform-p0.25", validity={"valid": False, "reasons": reasons, "warnings": []})
    error = {"kind": "out_of_memory", "message": "no memory left", "advice": "use a smaller model"}
    invalid = {"valid": False, "reasons": [], "warnings": []}
    changed(run, "uniform-p1", status="failed", error=error, validity=invalid)
    changed(run, "neuralscale-p0.25", schema=99)
    next(run.glob("*/records/*neuralscale-p1*.json")).write_text("{half")
    found = records.read([run])
    assert found.jobs == ()
    told = {excluded.job.split("--")[0]: (excluded.code, excluded.reason) for excluded in found.excluded}
    assert told["vgg11-cifar10-uniform-p0.25"] == ("throttled", "it got hot, 0 times")
    assert told["vgg11-cifar10-uniform-p1"] == ("failed", "no memory left; use a smaller model")
    assert "update Orbitbench" in told["vgg11-cifar10-neuralscale-p0.25"][1]
    assert told["vgg11-cifar10-neuralscale-p1"][0] == "unreadable"


def test_a_record_that_calls_itself_valid_against_its_own_evidence_is_left_out(run: Path) -> None:
    changed(run, "uniform-p1", environment={"emulated": "qemu"})
    excluded = records.read([run]).excluded
    assert [each.code for each in excluded] == ["contradictory"]
    assert "emulated" in excluded[0].reason


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("latency", {"processes": []}),
        ("latency", {}),
        ("memory", None),
        ("job", {}),
        ("job", []),
        ("accuracy", 7),
        ("accuracy", {"value": "91", "source": "measured"}),
        ("accuracy", {"value": 1e9, "source": "measured"}),
        ("sensors", [{"power": "much"}]),
        ("sensors", {"power": 1}),
        ("figures", {"latency": {"ci": [1]}}),
        ("figures", {"latency": {"p50": "1"}}),
        ("environment", {"spans": [{"cpu": []}]}),
        ("environment", {"board": "x" * 200_000}),
        ("output_check", {"max_abs_error": "0", "tolerance": 0}),
    ],
)
def test_a_record_of_a_wrong_shape_is_left_out_and_never_a_traceback(
    run: Path, part: str, value: Any
) -> None:
    changed(run, "uniform-p1", **{part: value})
    found = records.read([run])
    assert (len(found.jobs), len(found.excluded)) == (3, 1)


def test_a_study_without_a_valid_record_is_an_empty_table(run: Path) -> None:
    for record in run.glob("*/records/*.json"):
        record.write_text("{}")
    found = records.read([run])
    assert len(found.excluded) == 4
    assert len(table.tidy(found)) == 0


def test_of_two_runs_the_newest_record_of_a_job_counts_and_the_older_is_listed(tmp_path: Path) -> None:
    old = synthetic.write(Study(architectures=("vgg11",), run="20260101-000000-old"), tmp_path)
    new = synthetic.write(Study(architectures=("vgg11",), run="20260102-000000-new"), tmp_path)
    found = records.read([new, old])
    assert {job.run for job in found.jobs} == {"20260102-000000-new"}
    assert {each.run for each in found.replaced} == {"20260101-000000-old"}
    assert found.conflicts == ()
    assert repr(records.read([old, new]).jobs) == repr(found.jobs)  # some are NaN


def test_a_board_whose_clock_is_wrong_does_not_decide_which_run_is_newer(tmp_path: Path) -> None:
    made = Study(architectures=("vgg11",), ratios=(0.5, 1.0), methods=("uniform",), samples=20)
    runs = [synthetic.write(replace(made, run=f"2026010{day}-000000-a"), tmp_path) for day in (1, 9)]
    for path in runs[1].glob("*/records/*.json"):
        path.write_text(path.read_text().replace("2026-01-01T", "1970-01-01T"))
    found = records.read(runs)
    assert {job.run for job in found.jobs} == {"20260109-000000-a"}
    assert {each.run for each in found.replaced} == {"20260101-000000-a"}
    (line,) = found.conflicts
    assert line == (
        "bench-a: by the board's clock run 20260109-000000-a (1970-01-01) was before run "
        "20260101-000000-a (2026-01-01); the runs' ids decide which is newer"
    )


def test_runs_that_disagree_beyond_their_noise_are_named(tmp_path: Path) -> None:
    old = synthetic.write(Study(architectures=("vgg11",), ratios=(1.0,), run="20260101-000000-a"), tmp_path)
    slow = Study(architectures=("vgg11",), ratios=(1.0,), run="20260102-000000-b", latency=5.2)
    new = synthetic.write(slow, tmp_path)
    conflicts = records.read([old, new]).conflicts
    assert len(conflicts) == 1
    assert "neuralscale-p1" in conflicts[0]
    assert "2.00 times as long" in conflicts[0]


def test_two_files_under_one_name_are_named(tmp_path: Path, run: Path) -> None:
    other = synthetic.write(Study(architectures=("vgg11",), ratios=(1.0,), run="20260109-000000-b"), tmp_path)
    path = next(other.glob("*/records/*uniform-p1*.json"))
    record = json.loads(path.read_text())
    record["job"]["model"]["sha256"] = "f" * 64
    path.write_text(json.dumps(record))
    assert any("not the same ONNX file" in conflict for conflict in records.read([run, other]).conflicts)


def test_a_missing_accuracy_is_missing_with_the_command_that_makes_it(tmp_path: Path) -> None:
    run = synthetic.write(Study(architectures=("vgg11",), ratios=(1.0,), no_accuracy=("vgg11",)), tmp_path)
    found = records.read([run])
    assert ("vgg11-cifar10-uniform-p1", "bench train vgg11-cifar10-uniform-p1") in [
        (each.model, each.command) for each in found.missing
    ]
    assert np.isnan(table.tidy(found)["accuracy"]).all()


def test_models_that_the_bundle_skipped_are_missing_with_their_command(run: Path) -> None:
    (run / "bundle").mkdir()
    skipped = {"id": "resnet50-x", "reason": "no fit for resnet50", "command": "bench search resnet50"}
    head = {"schema": 1, "kind": "orbitbench.bundle"}
    (run / "bundle" / "bundle.json").write_text(json.dumps({**head, "models": [], "skipped": [skipped]}))
    missing = records.read([run]).missing
    assert missing == (
        records.Missing("resnet50-x", "model", "no fit for resnet50", "bench search resnet50"),
    )


def test_a_folder_without_records_is_bad_input_that_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no such run"):
        records.read([tmp_path / "nowhere"])
    with pytest.raises(BadInput, match=r"DEVICE/records/\*\.json"):
        records.read([tmp_path])


def test_a_users_own_file_has_a_row_without_architecture_or_method(run: Path) -> None:
    path = next(run.glob("*/records/*uniform-p1*.json"))
    record = json.loads(path.read_text())
    own = {"id": "onnx-mine-0123abcd", "file": "models/mine.onnx", "sha256": "0" * 64, "bytes": 10}
    record["job"]["model"] = {**own, "architecture": None, "method": None, "ratio": None, "accuracy": None}
    path.write_text(json.dumps(record))
    mine = by_model(run)["onnx-mine-0123abcd"]
    assert (mine["architecture"], mine["method"]) == ("", "")
    assert mine["latency"] > 0


@pytest.mark.parametrize(
    ("readings", "watts"),
    [
        ([(30.0, False), (4.0, True), (5.0, True), (6.0, True), (30.0, False)], 5.0),
        ([(30.0, False)], None),
        ([(None, True)], None),
        ([(30.0, None)], None),
    ],
    ids=["loading around it", "too short for a reading", "no sensor", "never timed"],
)
def test_energy_comes_from_readings_during_the_samples_alone(
    run: Path, readings: list[tuple[float | None, bool | None]], watts: float | None
) -> None:
    sensors = [{"process": 0, "t": 0.5, "power": power, "timed": timed} for power, timed in readings]
    changed(run, "uniform-p0.25", sensors=sensors)
    rows = by_model(run)
    row = rows["vgg11-cifar10-uniform-p0.25"]
    assert row["energy"] == pytest.approx(watts * row["latency"]) if watts else math.isnan(row["energy"])
    assert sum(not math.isnan(each["energy"]) for each in rows.values()) == (1 if watts else 0)


def test_an_accuracy_measured_on_the_device_comes_first_with_its_images_and_the_difference(run: Path) -> None:
    ours = {"value": 61.5, "unit": "percent", "source": "measured", "n": 500}
    changed(run, "uniform-p0.25", accuracy=ours)
    rows = by_model(run)
    row, other = rows["vgg11-cifar10-uniform-p0.25"], rows["vgg11-cifar10-uniform-p1"]
    assert (row["accuracy"], row["accuracy_source"]) == (61.5, "measured on the device")
    assert (row["accuracy_images"], row["accuracy_seeds"]) == (500, 0)
    assert row["accuracy_stated_source"] == "trained"
    assert row["accuracy_difference"] == pytest.approx(61.5 - row["accuracy_stated"])
    assert terminal.accuracy(row).startswith("61.5 measured on the device (500 images, ")
    assert (other["accuracy"], other["accuracy_source"]) == (other["accuracy_stated"], "trained")
    assert math.isnan(other["accuracy_difference"])


def test_below_fp32_a_stated_accuracy_is_of_the_fp32_network_in_words_and_no_figure(tmp_path: Path) -> None:
    made = Study(architectures=("vgg11",), backend="tensorrt", precisions=("fp32", "int8"), samples=20)
    run = synthetic.write(made, tmp_path)
    ours = {"value": 61.5, "unit": "percent", "source": "measured", "n": 500}
    changed(run, "uniform-p1--tensorrt-int8", accuracy=ours)
    found = records.read([run])
    rows = table.tidy(found)
    lowered = rows.take(rows["precision"] == "int8").rows()
    stated, measured = (
        next(row for row in lowered if row["model"].endswith(end)) for end in ("neuralscale-p1", "uniform-p1")
    )
    assert math.isnan(stated["accuracy"])
    assert stated["accuracy_source"] == f"of the fp32 network: {number(accuracy_of(found, stated))} (trained)"
    assert terminal.accuracy(stated) == f"– ({stated['accuracy_source']})"
    assert (measured["accuracy"], measured["accuracy_source"]) == (61.5, "measured on the device")
    assert terminal.accuracy(measured).endswith("to trained, of the fp32 network)")
    assert measured["accuracy_difference"] == pytest.approx(61.5 - accuracy_of(found, measured))
    limits = recommend.ModelLimits(accuracy=1)
    judged = recommend.judge(stated, limits)
    assert judged.verdict == recommend.FAILS
    assert judged.notes == (f"accuracy unknown ({stated['accuracy_source']})",)
    assert recommend.judge(measured, limits).verdict == recommend.FITS
    paired = pairs.of(rows, pairs.COMPARISONS[0])
    known = dict.fromkeys(("fp32", "int8"), 0)
    for row in paired.rows():
        known[row["precision"]] += math.isfinite(row["accuracy_ratio"])
    assert known == {"fp32": 4, "int8": 0}
    assert ("vgg11-cifar10-neuralscale-p1", "accuracy in int8") in [each[:2] for each in found.missing]


def accuracy_of(found: records.Study, row: dict[str, Any]) -> float:
    return float(next(job.model["accuracy"]["value"] for job in found.jobs if job.id == row["job"]))


def test_an_accuracy_that_only_the_device_knows_is_not_missing(tmp_path: Path) -> None:
    run = synthetic.write(Study(architectures=("vgg11",), ratios=(1.0,), no_accuracy=("vgg11",)), tmp_path)
    changed(run, "uniform-p1", accuracy={"value": 61.5, "source": "measured", "n": 500})
    found = records.read([run])
    assert [each.model for each in found.missing] == ["vgg11-cifar10-neuralscale-p1"]
    row = by_model(run)["vgg11-cifar10-uniform-p1"]
    assert math.isnan(row["accuracy_difference"])
    assert terminal.accuracy(row) == "61.5 measured on the device (500 images)"


def test_a_pair_never_mixes_a_measured_accuracy_with_a_stated_one(run: Path) -> None:
    def pair_of() -> Any:
        found = pairs.of(table.tidy(records.read([run])), pairs.COMPARISONS[0])
        return next(row for row in found.rows() if row["ratio"] == 0.25)

    stated = pair_of()
    changed(run, "uniform-p0.25", accuracy={"value": 50.0, "source": "measured", "n": 500})
    one = pair_of()
    assert one["accuracy_from"] == stated["accuracy_from"] == "trained (last epoch)"
    assert one["accuracy_ratio"] == stated["accuracy_ratio"]
    changed(run, "neuralscale-p0.25", accuracy={"value": 60.0, "source": "measured", "n": 500})
    both = pair_of()
    assert both["accuracy_from"] == "measured on the device"
    assert both["accuracy_ratio"] == pytest.approx(1.2)
    column = f"accuracy_per_mb:{memory.PROCESS}"
    assert both[column] / stated[column] == pytest.approx(1.2 / stated["accuracy_ratio"])


def test_efficiency_says_which_accuracy_it_uses(run: Path) -> None:
    for path in run.glob("*/records/*p0.25*.json"):
        changed(run, path.stem, accuracy={"value": 60.0, "source": "measured", "n": 500})
    means = data.build(records.read([run]), []).frames["means"]
    assert set(means.keys(["quantity", "accuracy_from"])) >= {
        ("accuracy_per_mb", "measured on the device; trained (last epoch)"), ("latency", ""),
    }  # fmt: skip
    assert ("accuracy_per_mb", "") not in means.keys(["quantity", "accuracy_from"])
