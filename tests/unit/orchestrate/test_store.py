"""The results folder: whole files, verified records, and state that is read off what is there."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrate.console import first_line
from orchestrate.errors import BadInput, Busy, OrbitError
from orchestrate.runs.folder import Run, newest_unfinished
from tests.unit.orchestrate import sample

JOBS = ["a--onnxruntime-fp32-t1", "b--onnxruntime-fp32-t1"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return sample.run(tmp_path / "results", "a", "b")


def test_a_stored_record_is_the_very_bytes_that_came_and_no_longer_missing(run: Run) -> None:
    folder = run.devices["local"]
    assert folder.missing() == JOBS
    data = sample.encoded(sample.record(JOBS[0]))
    folder.save(JOBS[0], data, hashlib.sha256(data).hexdigest())
    assert (folder.records / f"{JOBS[0]}.json").read_bytes() == data
    assert folder.missing() == JOBS[1:]
    assert not run.finished()


def test_a_job_that_failed_has_left_its_record_and_is_not_missing(run: Run) -> None:
    run.devices["local"].save(JOBS[0], sample.encoded(sample.record(JOBS[0], status="failed")))
    assert run.missing() == {"local": JOBS[1:]}


HOSTILE = {
    "another job's": sample.encoded(sample.record(JOBS[1])),
    "another run's": sample.encoded(sample.record(JOBS[0], run="20261122-000000-tiny")),
    "another device's": sample.encoded(sample.record(JOBS[0], device="other")),
    "cut off": sample.encoded(sample.record(JOBS[0]))[:-20],
    "empty": b"",
    "binary": bytes(range(256)),
    "deeply nested": b"[" * 200_000,
    "nested inside a record": sample.encoded(sample.record(JOBS[0])).replace(
        b'"environment": {}', b'"environment": ' + b'{"a":' * 500 + b"1" + b"}" * 501
    ),
    "of wrong types": sample.encoded({**sample.record(JOBS[0]), "job": "all"}),
    "a list": b"[1, 2]",
    "not a number": sample.encoded(sample.record(JOBS[0], figures={"x": float("nan")})),
    "a number of 100 000 digits": b'{"schema": ' + b"1" * 100_000 + b"}",
    "of a newer schema": sample.encoded(sample.record(JOBS[0], schema=99)),
    "valid although fake": sample.encoded(sample.record(JOBS[0], environment={"fake": True})),
    "with terminal escapes": sample.encoded(sample.record(JOBS[0], status="\x1b[2J\x07bad")),
    "huge": b" " * 64_000_001,
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_record_that_is_hostile_or_damaged_is_refused_in_one_line_and_leaves_nothing(
    run: Run, what: str
) -> None:
    folder = run.devices["local"]
    with pytest.raises(OrbitError) as error:
        folder.save(JOBS[0], HOSTILE[what])
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 500
    assert not folder.records.exists()
    assert folder.missing() == JOBS


def test_a_record_that_changed_on_its_way_is_refused(run: Run) -> None:
    data = sample.encoded(sample.record(JOBS[0]))
    with pytest.raises(OrbitError, match="SHA-256"):
        run.devices["local"].save(JOBS[0], data, hashlib.sha256(data + b" ").hexdigest())


def test_an_unknown_run_lists_the_known_ones(run: Run) -> None:
    with pytest.raises(BadInput, match=r"no run '2027'.*known: 20261122-191500-tiny"):
        Run.open(run.path.parent, "2027")


def test_a_run_is_found_by_its_name_and_by_its_path(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Run.open(run.path.parent, run.id).path == run.path
    assert Run.open(Path("elsewhere"), str(run.path)).path == run.path
    monkeypatch.chdir(run.path.parent)
    for name in (run.id, f"./{run.id}"):
        assert Run.open(Path("elsewhere"), name).path.resolve() == run.path
        assert Run.open(run.path.parent, name).path.resolve() == run.path


def test_the_newest_unfinished_run_of_the_same_plan_is_found(tmp_path: Path) -> None:
    results = tmp_path / "results"
    names = ["20261122-000001-tiny", "20261122-000002-tiny", "20261122-000003-tiny"]
    runs = [sample.run(results, "a", name=name) for name in names]
    sample.run(results, "other", name="20261122-000004-tiny")
    runs[2].devices["local"].save(JOBS[0], sample.encoded(sample.record(JOBS[0], run=names[2])))
    found = newest_unfinished(results, runs[0].plan["hash"])
    assert found is not None
    assert found.id == names[1]
    assert newest_unfinished(results, "no such plan") is None


def test_a_folder_of_a_newer_version_is_refused_by_name_and_does_not_stop_a_search(run: Run) -> None:
    plan = run.path / "plan.json"
    plan.write_text(plan.read_text().replace('"schema": 1', '"schema": 2', 1))
    with pytest.raises(BadInput, match=r"schema 2.*update orbitbench"):
        Run.open(run.path.parent, run.id)
    assert newest_unfinished(run.path.parent, run.plan["hash"]) is None


def test_one_orchestrator_at_a_time_and_a_killed_one_holds_nothing(run: Run, root: Path) -> None:
    code = "import sys; from pathlib import Path; from orchestrate.runs.folder import Run\n"
    code += "with Run(Path(sys.argv[1])).held(): print('held', flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    other = subprocess.Popen([sys.executable, "-c", code, run.path], stdin=pipe, stdout=pipe, cwd=root)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(Busy, match=f"process {other.pid}"), run.held():
            pass
    finally:
        other.kill()
        other.wait()
    with run.held():
        assert (run.path / ".lock").read_text() == str(os.getpid())


def test_a_terminal_never_sees_what_a_board_says_raw() -> None:
    assert first_line("\x1b[31mred\x07 alert\nsecond line") == "?[31mred? alert"
    assert len(first_line("x" * 10_000)) == 300
