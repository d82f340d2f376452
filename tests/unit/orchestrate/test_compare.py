"""Two runs: a change is reported, noise is not, and what changed around them is named."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from orchestrate import cli
from orchestrate.analysis import compare, records, statistics
from orchestrate.errors import BadInput
from tests import synthetic
from tests.synthetic import Study

FAILED = {"status": "failed", "validity": {"valid": False, "reasons": [], "warnings": []}}
BEFORE = Study(spread=0.0, run="before", architectures=("vgg11", "mobilenetv2"), samples=30)


def compared(results: Path, after: Study, **options: Any) -> compare.RunComparison:
    runs = [synthetic.write(made, results) for made in (BEFORE, after)]
    return compare.compare(records.read([runs[0]]), records.read([runs[1]]), **options)


def test_the_same_jobs_measured_again_show_no_change(tmp_path: Path) -> None:
    found = compared(tmp_path, replace(BEFORE, run="after", seed=99))
    assert [c for c in found.changes if c.verdict != compare.SAME] == []


def test_a_slowdown_is_a_regression_and_a_speedup_an_improvement(tmp_path: Path) -> None:
    slower = compared(tmp_path, replace(BEFORE, run="slower", seed=7, latency=2.6 * 1.2))
    told = {(c.job.split("--")[0], c.figure): c.verdict for c in slower.changes}
    assert told["vgg11-cifar10-neuralscale-p0.5", "latency"] == compare.REGRESSION
    assert told["vgg11-cifar10-uniform-p0.5", "latency"] == compare.SAME
    faster = compared(tmp_path, replace(BEFORE, run="faster", seed=7, latency=2.6 / 1.2))
    assert faster.regressions == []
    assert any(c.verdict == compare.IMPROVEMENT for c in faster.changes)


def test_three_percent_on_every_job_shows_over_all_of_them_at_once(tmp_path: Path) -> None:
    only = replace(BEFORE, methods=("neuralscale",))
    runs = [
        synthetic.write(made, tmp_path) for made in (only, replace(only, run="b", latency=2.6 * 1.03, seed=3))
    ]
    found = compare.compare(*(records.read([run]) for run in runs))
    assert (compare.ALL, "latency") in [(c.job, c.figure) for c in found.regressions]


def test_more_memory_is_a_regression(tmp_path: Path) -> None:
    found = compared(tmp_path, replace(BEFORE, run="after", seed=7, memory=1.05 * 1.1))
    assert {"memory", "peak"} <= {c.figure for c in found.regressions}


def test_a_change_below_the_threshold_is_not_told(tmp_path: Path) -> None:
    found = compared(tmp_path, replace(BEFORE, run="after", seed=7, latency=2.6 * 1.2), threshold=0.5)
    assert found.regressions == []


def test_measuring_again_raises_a_false_alarm_in_no_more_than_5_percent_of_comparisons() -> None:
    rng, alarms, runs = np.random.default_rng(2), 0, 400
    for _ in range(runs):
        values = [compare.statistics.difference(*np.exp(rng.normal(0, 0.01, (2, 3)))).p for _ in range(20)]
        alarms += any(p < compare.RATE for p in statistics.adjust_p_values(values))
    assert alarms / runs <= 0.05 + 2 * (0.05 * 0.95 / runs) ** 0.5


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_are_those_of_benjamini_and_hochberg(values: list[float]) -> None:
    from scipy.stats import false_discovery_control

    assert statistics.adjust_p_values(values) == pytest.approx(false_discovery_control(values).tolist())


def test_what_changed_around_the_runs_is_named(tmp_path: Path) -> None:
    found = compared(
        tmp_path, replace(BEFORE, run="after", environment={"kernel": "6.9", "board": {"fan": "on"}})
    )
    assert ("bench-a", "kernel", "0.0-synthetic", "6.9") in found.environment
    assert ("bench-a", "board.fan", "-", "on") in found.environment


def test_another_option_of_the_backend_and_another_arithmetic_are_named(tmp_path: Path) -> None:
    small = replace(BEFORE, architectures=("vgg11",))
    before, after = (
        records.read([synthetic.write(replace(small, run=run), tmp_path)]) for run in ("before", "after")
    )

    def told(study: records.Study, **how: Any) -> records.Study:
        return replace(study, jobs=tuple(replace(job, **how) for job in study.jobs))

    basic = told(before, options={"graph_level": "basic"})
    relaxed = told(after, options={"graph_level": "all", "tf32": True}, precision="tf32")
    assert compare.compare(basic, told(after, options={"graph_level": "basic"})).environment == ()
    assert compare.compare(basic, relaxed).environment == (
        ("bench-a", "onnxruntime arithmetic", "fp32", "tf32"),
        ("bench-a", "onnxruntime option graph_level", "basic", "all"),
        ("bench-a", "onnxruntime option tf32", "default", "True"),
    )


def test_a_job_that_fails_in_the_second_run_is_lost_and_one_that_is_only_there_is_alone(
    tmp_path: Path,
) -> None:
    runs = [synthetic.write(made, tmp_path) for made in (BEFORE, replace(BEFORE, run="after"))]
    failed = next(runs[1].glob("*/records/vgg11-cifar10-uniform-p1--*.json"))
    record = json.loads(failed.read_text())
    error = {"kind": "oom", "message": "no memory left", "advice": ""}
    failed.write_text(json.dumps({**record, **FAILED, "error": error}))
    next(runs[0].glob("*/records/vgg11-cifar10-uniform-p0.5--*.json")).unlink()
    found = compare.compare(records.read([runs[0]]), records.read([runs[1]]))
    assert len(found.lost) == len(found.alone) == 1
    assert "no memory left" in found.lost[0]
    assert "second run only" in found.alone[0]


def invoked(*arguments: str) -> Any:
    return CliRunner().invoke(cli.build(), ["compare", *arguments])


def test_the_command_exits_with_1_on_a_regression_for_ci_and_with_0_otherwise(tmp_path: Path) -> None:
    for made in (BEFORE, replace(BEFORE, run="slow", latency=4.0), replace(BEFORE, run="fast", latency=1.5)):
        synthetic.write(made, tmp_path)
    slow = invoked("before", "slow", "--results", str(tmp_path))
    assert slow.exit_code == 1
    assert "regression: bench-a, vgg11-cifar10-neuralscale-p0.25" in slow.stdout
    assert "Benjamini-Hochberg" in slow.stdout
    fast = invoked("before", "fast", "--results", str(tmp_path), "--json")
    assert fast.exit_code == 0
    assert json.loads(fast.stdout)["regressions"] == 0


def one_a_side(run: Path, of: str, figure: dict[str, Any]) -> None:
    """Make the run one whose jobs have one process each, or one build for all processes."""
    for path in run.glob("*/records/*.json"):
        record = json.loads(path.read_text())
        processes = record["latency"]["processes"]
        if of == "process":
            record["latency"]["processes"] = processes[:1]
            record["memory"]["rungs"] = [r for r in record["memory"]["rungs"] if r["process"] == 0]
        for process in processes:
            process.update(figure)
        path.write_text(json.dumps(record))


@pytest.mark.parametrize(("of", "figure"), [("process", {}), ("build", {"build": 1})])
def test_what_one_process_or_build_a_side_cannot_decide_is_not_known(
    tmp_path: Path, of: str, figure: dict[str, Any]
) -> None:
    """A job three times as slow was `no change shown`, with exit code 0 and NaN in the JSON."""
    two = replace(BEFORE, architectures=("vgg11",), methods=("neuralscale",), ratios=(0.5, 1.0))
    for made in (replace(two, run="one"), replace(two, run="slow", latency=7.8)):
        one_a_side(synthetic.write(made, tmp_path), of, figure)
    told = invoked("one", "slow", "--results", str(tmp_path))
    assert told.exit_code == 2, told.output
    assert "not known: bench-a, vgg11-cifar10-neuralscale-p1--" in told.stdout
    assert "nothing known of any: one process or build a side" in told.stdout
    found = json.loads(
        invoked("one", "slow", "--results", str(tmp_path), "--json").stdout, parse_constant=pytest.fail
    )
    assert found["not_known"] == len(found["changes"]) > 0
    for change in found["changes"]:
        unknown = (change["p"], change["adjusted"], change["ratio"]["low"], change["ratio"]["high"])
        assert (change["verdict"], *unknown) == (compare.UNKNOWN, None, None, None, None)


def test_what_is_not_known_is_no_test_of_the_others(tmp_path: Path) -> None:
    assert statistics.adjust_p_values([0.01, math.nan, 0.5]) == pytest.approx(
        [0.02, math.nan, 0.5], nan_ok=True
    )
    runs = [synthetic.write(replace(BEFORE, run=run), tmp_path) for run in ("a", "b")]
    for run in runs:
        path = next(run.glob("*/records/vgg11-cifar10-uniform-p1--*.json"))
        record = json.loads(path.read_text())
        for process in record["latency"]["processes"]:
            process["build"] = 1
        path.write_text(json.dumps(record))
    told = invoked("a", "b", "--results", str(tmp_path))
    assert told.exit_code == 0, told.output
    assert " not known (one process or build a side), " in told.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["before", "nowhere"], "no run 'nowhere'"),
        (["before", "before", "--threshold", "3"], "a unit is missing"),
    ],
)
def test_bad_input_is_exit_code_2(tmp_path: Path, arguments: list[str], told: str) -> None:
    synthetic.write(replace(BEFORE, architectures=("vgg11",)), tmp_path)
    done = invoked(*arguments, "--results", str(tmp_path))
    assert (done.exit_code, told in done.stderr) == (2, True)


def test_a_run_without_a_valid_record_cannot_be_compared(tmp_path: Path) -> None:
    run = synthetic.write(replace(BEFORE, architectures=("vgg11",)), tmp_path)
    for path in run.glob("*/records/*.json"):
        path.write_text("{}")
    done = invoked("before", "before", "--results", str(tmp_path))
    assert done.exit_code == 2
    assert "no valid record in before" in done.stderr


def renamed_files(run: Path, stem: str, digest: str) -> None:
    """Make the run one of a single file of one's own."""
    first, *others = sorted(run.glob("*/records/*.json"))
    for other in others:
        other.unlink()
    record = json.loads(first.read_text())
    name = f"onnx-{stem}-{digest[:8]}"
    record["job"]["model"].update(id=name, architecture=None, sha256=digest * 8)
    record["job"]["id"] = f"{name}--onnxruntime-fp32-t1"
    first.unlink()
    first.with_name(f"{record['job']['id']}.json").write_text(json.dumps(record))


def own_pair(results: Path, *stems: str) -> list[str]:
    runs = [synthetic.write(replace(BEFORE, run=name), results) for name in ("before", "after")]
    for run, stem, digest in zip(runs, stems, ("0123abcd", "4567abcd"), strict=True):
        renamed_files(run, stem, digest)
    return [str(run) for run in runs]


def test_two_versions_of_one_own_file_are_compared_and_the_change_is_stated(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.build(), ["compare", *own_pair(tmp_path, "net", "net"), "--json"])
    found = json.loads(done.output)
    assert done.exit_code == 0
    assert {change["figure"] for change in found["changes"]} >= {"latency", "memory"}
    (told,) = found["paired"]
    assert told.endswith("onnx-net--onnxruntime-fp32-t1: the file has changed (0123abcd0123 -> 4567abcd4567)")


def test_nothing_in_common_is_a_mistake(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli.build(), ["compare", *own_pair(tmp_path, "net", "other")])
    assert done.exit_code == 2
    assert "nothing to compare" in done.output


def test_two_devices_are_compared_where_they_are_mapped(tmp_path: Path) -> None:
    small = replace(BEFORE, architectures=("vgg11",))
    runs = [synthetic.write(small, tmp_path), synthetic.write(replace(small, run="after"), tmp_path)]
    a, b = (records.read([run]) for run in runs)
    other = replace(b, jobs=tuple(replace(job, device="xavier") for job in b.jobs))
    device = a.jobs[0].device
    with pytest.raises(BadInput, match="--device-map"):
        compare.compare(a, other)
    assert compare.compare(a, other, devices={device: "xavier"}).changes
    with pytest.raises(BadInput, match="no valid record of device 'tx3' before"):
        compare.compare(a, other, devices={"tx3": "xavier"})
    with pytest.raises(BadInput, match="no record of device 'xavierr' after; known: xavier"):
        compare.compare(a, other, devices={device: "xavierr"})


def test_a_device_takes_the_name_of_another_one_without_taking_its_jobs(tmp_path: Path) -> None:
    """Both were called xavier then, and one's records were compared as the other's."""
    small = replace(BEFORE, architectures=("vgg11",))
    runs = [synthetic.write(small, tmp_path), synthetic.write(replace(small, run="after"), tmp_path)]
    a, b = (records.read([run]) for run in runs)
    others = tuple(replace(job, device="xavier") for job in a.jobs)
    both = replace(a, jobs=(*a.jobs, *others))
    after = replace(b, jobs=tuple(replace(job, device="xavier") for job in b.jobs))
    found = compare.compare(both, after, devices={a.jobs[0].device: "xavier"})
    assert {change.verdict for change in found.changes} == {compare.SAME}
    assert len(found.alone) == len(others)
    assert all(each.startswith("xavier (before), ") for each in found.alone)


def test_two_files_of_other_names_are_compared_where_they_are_named(tmp_path: Path) -> None:
    runs = own_pair(tmp_path, "net", "other")
    done = CliRunner().invoke(cli.build(), ["compare", *runs, "--name", "net=other", "--json"])
    found = json.loads(done.output)
    assert done.exit_code == 0, found
    assert found["changes"]
    assert "onnx-other--onnxruntime-fp32-t1: the file has changed" in found["paired"][0]
    wrong = CliRunner().invoke(cli.build(), ["compare", *runs, "--name", "nett=other"])
    assert (wrong.exit_code, "files: net" in wrong.output) == (2, True)
    wrong = CliRunner().invoke(cli.build(), ["compare", *runs, "--name", "net=othr"])
    assert (wrong.exit_code, "'othr' in the second run; files: other" in wrong.output) == (2, True)


@pytest.mark.parametrize("given", [["net=a", "net=b"], ["net=a", "gone=a"]])
@pytest.mark.parametrize("option", ["--name", "--device-map"])
def test_a_name_given_twice_is_refused(tmp_path: Path, option: str, given: list[str]) -> None:
    done = CliRunner().invoke(
        cli.build(), ["compare", *own_pair(tmp_path, "net", "net"), option, given[0], option, given[1]]
    )
    assert (done.exit_code, f"{option} {given[1]}: " in done.output, "given twice" in done.output) == (
        2,
        True,
        True,
    )


def test_a_changed_file_that_fails_is_lost_like_any_other(tmp_path: Path) -> None:
    runs = own_pair(tmp_path, "net", "net")
    (path,) = Path(runs[1]).glob("*/records/*.json")
    error = {"kind": "wrong_output", "message": "the output is off", "advice": ""}
    path.write_text(json.dumps({**json.loads(path.read_text()), **FAILED, "error": error}))
    done = CliRunner().invoke(cli.build(), ["compare", *runs])
    assert done.exit_code == 1, done.output
    assert (
        "lost: bench-a, onnx-net-0123abcd--onnxruntime-fp32-t1: as another file (onnx-net-4567abcd)"
        in done.output
    )
    assert "the output is off" in done.output
