"""Records of two machines, libraries, options or power modes under one device's name are never mixed."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchestrate.analysis import claim_file, claims, efficiency, pairs, recommend, records, table
from tests import synthetic
from tests.synthetic import Study

Change = Callable[[dict[str, Any]], object]


def runs(tmp_path: Path, change: Change) -> list[Path]:
    """Uniform networks in one run, NeuralScale's in another, whose records are changed."""
    uniform = synthetic.write(Study(samples=20, run="20260101-000000-a", methods=("uniform",)), tmp_path)
    other = synthetic.write(Study(samples=20, run="20260102-000000-b", methods=("neuralscale",)), tmp_path)
    for path in other.glob("*/records/*.json"):
        record = json.loads(path.read_text())
        change(record)
        path.write_text(json.dumps(record))
    return [uniform, other]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda r: r["environment"]["cpu"].update(identity={"model name": "Slow"}), "CPU Slow"),
        (lambda r: r["environment"].update(versions={"onnxruntime": "1.10.0"}), "onnxruntime 1.10.0"),
        (lambda r: r["job"].update(options={"graph_level": "basic"}), "option graph_level basic"),
        (lambda r: r["environment"].update(board={"power_mode": "MAXN"}), "power mode MAXN"),
        (lambda r: r["environment"].update(governors=["powersave"]), "governor powersave"),
        (lambda r: r["environment"].update(board={"clocks_pinned": True}), "clocks pinned yes"),
        (lambda r: r["environment"].update(board={"clocks_pinned": False}), "clocks pinned no"),
    ],
)
def test_records_of_two_setups_make_no_pair_and_are_named(tmp_path: Path, change: Change, name: str) -> None:
    study = records.read(runs(tmp_path, change))
    found = table.tidy(study)
    assert not any(len(pairs.of(found, comparison)) for comparison in pairs.COMPARISONS)
    assert {len(rows) for _, rows in efficiency.configurations(found)} == {16}
    assert not any(answer.pairs for answer in claims.answers(found, claim_file.load()))
    (line,) = study.conflicts
    assert line.startswith("bench-a, onnxruntime fp32, 1 thread: records of several setups, not compared: 16")
    assert f"16 with {name}" in line
    assert any(name in recommend.judge(row, recommend.ModelLimits()).name for row in found.rows())


def two_runs(tmp_path: Path, **newer: Any) -> list[Path]:
    """A run of both methods, and a later one, as `newer` has it, with an older library."""
    made = Study(samples=20, run="20260101-000000-a")
    old, new = (synthetic.write(each, tmp_path) for each in (made, replace(made, **newer)))
    for path in new.glob("*/records/*.json"):
        record = json.loads(path.read_text())
        record["environment"]["versions"] = {"onnxruntime": "1.10.0"}
        path.write_text(json.dumps(record))
    return [old, new]


def test_a_newer_run_of_another_setup_takes_no_pair_from_the_older_one(tmp_path: Path) -> None:
    partly = two_runs(tmp_path, run="20260102-000000-b", methods=("uniform",))
    study = records.read(partly)
    assert (len(study.jobs), study.replaced) == (32 + 16, ())
    assert len(pairs.of(table.tidy(study), pairs.COMPARISONS[0])) == 16
    (line,) = study.conflicts
    assert line.endswith("32 with onnxruntime unknown; 16 with onnxruntime 1.10.0")
    again = synthetic.write(Study(samples=20, run="20260103-000000-c", methods=("uniform",)), tmp_path)
    study = records.read([*partly, again])
    assert {each.run for each in study.replaced} == {"20260101-000000-a"}
    assert (len(study.jobs), len(study.replaced)) == (32 + 16, 16)


def test_of_two_whole_setups_the_verdicts_shown_are_of_the_newer_run(tmp_path: Path) -> None:
    for day in ("20251231", "20260102"):
        found = table.tidy(records.read(two_runs(tmp_path / day, run=f"{day}-000000-b")))
        main = {each.configuration["setup"] for each in claims.answers(found, claim_file.load()) if each.main}
        assert main == {"onnxruntime 1.10.0" if day == "20260102" else "onnxruntime unknown"}


def test_of_runs_whose_names_are_no_times_the_board_s_clock_says_which_setup_is_newer(tmp_path: Path) -> None:
    old, new = two_runs(tmp_path, run="20250101-000000-b")
    new = new.rename(new.parent / "again")
    for path in new.glob("*/records/*.json"):
        path.write_text(path.read_text().replace("2026-01-01T", "2025-06-01T"))
    found = table.tidy(records.read([old, new]))
    main = {each.configuration["setup"] for each in claims.answers(found, claim_file.load()) if each.main}
    assert main == {"onnxruntime unknown"}


def test_records_of_one_setup_are_compared_whatever_the_run(tmp_path: Path) -> None:
    study = records.read(runs(tmp_path, lambda record: record["environment"].update(kernel="9.9")))
    assert study.conflicts == ()
    assert {job.setup for job in study.jobs} == {""}
    assert len(pairs.of(table.tidy(study), pairs.COMPARISONS[0])) == 16


@pytest.mark.parametrize("facts", [{"versions": 7}, {"cpu": {"identity": "x"}}, {"board": []}])
def test_an_environment_without_facts_is_a_line_and_no_traceback(tmp_path: Path, facts: Any) -> None:
    study = records.read(runs(tmp_path, lambda record: record["environment"].update(facts)))
    assert (len(study.jobs), {each.code for each in study.excluded}) == (16, {"unreadable"})


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (
            lambda r: r["environment"].update(governors=["unknown"]),
            ("governor unknown", "governor unknown (2)"),
        ),
        (
            lambda r: r["environment"].update(governors=["x" * 90_000 + r["job"]["id"][-1]]),
            ("governor unknown", "governor " + "x" * 60),
        ),
        (
            lambda r: r["job"].update(options={"x" * 90_000: "default"}),
            (f"option {'x' * 53} default", f"option {'x' * 53} default (2)"),
        ),
    ],
)
def test_a_strangers_fact_is_cut_and_two_setups_never_share_a_name(
    tmp_path: Path, change: Change, names: tuple[str, str]
) -> None:
    study = records.read(runs(tmp_path, change))
    assert sorted({job.setup for job in study.jobs}) == sorted(names)
    assert not len(pairs.of(table.tidy(study), pairs.COMPARISONS[0]))
