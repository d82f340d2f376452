"""What a run says at its end: counts, reasons, and the next thing to type."""

import io
import json
import math
from pathlib import Path

import pytest
from rich.console import Console

from bench.record import samples
from orchestrate.execution import summary
from orchestrate.runs.folder import Run
from tests.unit.orchestrate import sample

JOBS = [f"{name}--onnxruntime-fp32-t1" for name in "abcd"]
LOADED = {"valid": False, "reasons": [{"code": "other_load", "message": "load 3.1"}], "warnings": []}


LADDER = {
    "start": {"rss": 10_000_000, "uss": 8_000_000},
    "device_initialised": {"rss": 50_700_000, "uss": 40_000_000},
    "steady_trimmed": {"rss": 63_000_000, "uss": 50_000_000},
}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """One record that counts, one that does not, one of a failed job, one missing."""
    run = sample.run(tmp_path, "a", "b", "c", "d")
    processes = [
        {"process": n, "samples": samples.encode([ns] * 20)} for n, ns in enumerate((2000_000, 2200_000))
    ]
    rungs = [{"process": n, "rung": rung, **size} for n in (0, 1) for rung, size in LADDER.items()]
    measured = {
        "latency": {"unit": "s", "processes": processes},
        "memory": {"unit": "byte", "rungs": rungs, "residual": []},
        "figures": {"latency": {"p50": 9.9}},  # of an earlier version: ignored
    }
    for record in (
        sample.record(JOBS[0], **measured),
        sample.record(JOBS[1], validity=LOADED, **measured),
        sample.record(JOBS[2], status="failed"),
    ):
        run.devices["local"].save(record["job"]["id"], sample.encoded(record))
    return run


def concluded(run: Run, problems: dict[str, str] | None = None) -> tuple[int, str]:
    console = Console(file=io.StringIO(), width=160)
    code = summary.conclude(run, problems or {}, "RESUME", console, as_json=False, report=False)
    return code, console.file.getvalue()  # type: ignore[attr-defined]


def test_figures_carry_their_units_and_what_does_not_count_is_marked_with_its_reason(run: Run) -> None:
    _, text = concluded(run)
    assert text.splitlines()[0].strip() == "local, onnxruntime fp32 t1"  # said once
    rows = [line.split() for line in text.splitlines() if line[:2] in ("a ", "b ")]
    figures = ["2.10", "64.3", "12.3", "61.0"]  # of 2.0 and 2.2 ms, their geometric mean
    assert rows[0] == ["a", *figures]
    assert rows[1] == ["b", *figures, "does", "not", "count:", "other_load"]
    assert "of these, do not count: 1 for other_load" in text
    assert "1 of 4 valid" in text


@pytest.fixture
def invalid(tmp_path: Path) -> Run:
    """A run whose only record does not count."""
    run = sample.run(tmp_path, "b")
    run.devices["local"].save(JOBS[1], sample.encoded(sample.record(JOBS[1], validity=LOADED)))
    return run


def test_long_times_have_no_exponent(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"latency": 12.34, "latency_low": 12.0, "latency_high": 13.0, "load": 1.2345, "first": math.nan}
    sizes = {"model_own_trimmed": 5e9, "process_own_trimmed": 5e6}
    monkeypatch.setattr(summary, "_computed", lambda _: {**found, **sizes})
    assert summary._row(sample.record(JOBS[0]))[3:-1] == ("12,300", "4.1", "1,230", "", "5,000", "5.00")


@pytest.mark.parametrize(("required", "code"), [(False, 0), (True, 1)])
def test_a_run_without_a_valid_record_prints_its_figures_and_fails_where_valid_ones_are_required(
    invalid: Run, required: bool, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    console = Console(file=io.StringIO(), width=160)
    given = summary.conclude(invalid, {}, "RESUME", console, True, report=False, require_valid=required)
    assert given == code
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert "0.00105" in text
    assert "does not count: other_load" in text
    assert "0 of 1 valid" in text
    (job,) = json.loads(capsys.readouterr().out)["jobs"]
    assert (job["valid"], job["reasons"]) == (False, ["other_load"])
    assert job["figures"]["p50"] == pytest.approx(1.05e-6)


def test_every_trouble_comes_with_the_next_thing_to_type(run: Run) -> None:
    code, text = concluded(run, {"local": "the cable is out"})
    assert code == 1
    assert "local: 2 ok, 1 failed, 1 missing" in text
    assert f"{JOBS[2]}: no memory; use a smaller model" in text
    assert "the cable is out" in text
    assert "to go on: RESUME\n" in text
    assert "RESUME --retry failed\n" in text
    assert "RESUME --retry invalid\n" in text


@pytest.mark.parametrize(("code", "again"), [("other_load", True), ("fake_backend", False)])
def test_what_would_not_count_again_is_not_advised_to_be_measured_again(code: str, again: bool) -> None:
    device = {"missing": 0, "errors": [], "invalid": {code: 2}}
    assert summary.advice({"local": device}, "RESUME") == again * [
        "to measure again what does not count: RESUME --retry invalid"
    ]


def test_a_record_cannot_speak_to_the_terminal(run: Run) -> None:
    error = {"kind": "crashed", "message": "\x1b[2Jgone [red]", "advice": "\x07"}
    run.devices["local"].save(
        JOBS[3], sample.encoded({**sample.record(JOBS[3], status="failed"), "error": error})
    )
    _, text = concluded(run)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[red]" in text


def test_a_script_reads_the_same_as_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    summary.conclude(run, {}, "RESUME", Console(quiet=True), as_json=True, report=False)
    local = json.loads(capsys.readouterr().out)["devices"]["local"]
    assert (local["ok"], local["failed"], local["missing"], local["invalid"]) == (2, 1, 1, {"other_load": 1})
    assert local["errors"][0]["kind"] == "out_of_memory"


def test_all_well_is_exit_code_0_without_advice(tmp_path: Path) -> None:
    run = sample.run(tmp_path, "a")
    run.devices["local"].save(JOBS[0], sample.encoded(sample.record(JOBS[0])))
    code, text = concluded(run)
    assert code == 0
    assert "RESUME" not in text


def test_a_device_that_failed_its_self_test_is_a_failure_though_its_jobs_are_only_skipped(
    tmp_path: Path,
) -> None:
    run = sample.run(tmp_path, "a")
    error = {"kind": "self_test_failed", "message": "the clock is wrong", "advice": "mend it"}
    run.devices["local"].save(
        JOBS[0], sample.encoded({**sample.record(JOBS[0], status="skipped"), "error": error})
    )
    code, text = concluded(run)
    assert code == 1
    assert "the clock is wrong" in text
