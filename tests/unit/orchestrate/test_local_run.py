"""Device `local`, for real: the command line, the runtime and onnxruntime in their own processes."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestrate.runs.folder import Run
from tests.conftest import PATIENCE, wait_for
from tests.unit.orchestrate import sample

ROOT = Path(__file__).resolve().parents[3]
NAME = sample.NAME


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """A private lock folder, so that nothing else on this machine is in the way."""
    locks = tmp_path / "locks"
    locks.mkdir()
    return {**os.environ, "PYTHONPATH": str(ROOT), "ORBITBENCH_LOCK_DIR": str(locks), "COLUMNS": "200"}


def resume(tmp_path: Path, env: dict[str, str], *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "orchestrate.cli", "run", "--resume", NAME, "--no-report", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=tmp_path, env=env, stdout=pipe, stderr=pipe, text=True, bufsize=1)


@pytest.fixture
def running(tmp_path: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A run that has finished its first measuring process of four: to start the others takes a while."""
    sample.real_run(tmp_path / "results", models=2, processes=2)
    process = resume(tmp_path, env)
    assert process.stdout is not None
    for line in process.stdout:
        if " 1/4 " in line:
            break
    assert process.poll() is None, process.communicate()
    yield process
    process.kill()
    process.communicate()


@contextlib.contextmanager
def held(process: subprocess.Popen[str]) -> Iterator[None]:
    """The process and all that it started stand still: on a busy machine it would be done too early."""
    whole = psutil.Process(process.pid)
    family = [whole, *whole.children(recursive=True)]
    for one in family:
        one.suspend()
    try:
        yield
    finally:
        for one in family:
            one.resume()


def runtimes(run: Run) -> list[int]:
    """Process ids of the runtimes at work on this run."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words, folder = path.read_bytes().split(b"\0"), (path.parent / "cwd").readlink()
        except OSError:
            continue
        if b"bench.runtime" in words and folder == run.path.parents[1]:
            found.append(int(path.parent.name))
    return found


def test_a_run_ends_with_every_record_a_table_and_nothing_left_over_and_resumed_does_nothing(
    tmp_path: Path, env: dict[str, str]
) -> None:
    run = sample.real_run(tmp_path / "results", models=2, processes=1)
    process = resume(tmp_path, env, "--json")
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    summary = json.loads(out)
    assert summary["devices"]["local"]["ok"] == 2
    for job in summary["jobs"]:
        assert job["figures"]["load"] > 0
        assert job["figures"]["first"] > 0
    assert "2/2" in err
    assert run.finished()
    assert not run.devices["local"].out.exists()
    assert runtimes(run) == []
    records = {path: path.stat().st_mtime_ns for path in run.devices["local"].records.iterdir()}
    again = resume(tmp_path, env)
    out, _ = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0
    assert "local: 2 ok" in out
    assert {path: path.stat().st_mtime_ns for path in run.devices["local"].records.iterdir()} == records


def test_a_second_orchestrator_names_the_first_which_killed_leaves_a_run_that_resumes_without_repeating_any(
    tmp_path: Path, env: dict[str, str], running: subprocess.Popen[str]
) -> None:
    with held(running):
        other = sample.real_run(tmp_path / "elsewhere" / "results", models=1)
        same = resume(tmp_path, env)  # on one run
        elsewhere = resume(tmp_path / "elsewhere", env)  # on one device
        _, err = same.communicate()
        out, _ = elsewhere.communicate()
    assert same.returncode == 1
    assert f"is locked by process {running.pid}" in err
    assert elsewhere.returncode == 1
    assert f"held by run {NAME}" in out
    assert not other.finished()
    assert running.poll() is None

    run = Run(tmp_path / "results" / NAME)
    running.send_signal(signal.SIGKILL)
    running.wait(PATIENCE)
    assert not run.finished()
    assert len(runtimes(run)) == 1  # it needs nobody to be connected
    again = resume(tmp_path, env)
    out, err = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, out + err
    assert run.finished()
    numbers = [
        process["process"] for r in run.devices["local"].stored() for process in r["latency"]["processes"]
    ]
    assert sorted(numbers) == [0, 0, 1, 1]
    assert runtimes(run) == []


def test_orchestrator_and_runtime_killed_the_finished_processes_are_not_measured_again(
    tmp_path: Path, env: dict[str, str], running: subprocess.Popen[str]
) -> None:
    run = Run(tmp_path / "results" / NAME)
    running.send_signal(signal.SIGKILL)
    for pid in runtimes(run):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not runtimes(run))
    again = resume(tmp_path, env)
    out, err = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, out + err
    assert run.finished()
    assert "running  0/4" not in out
    assert re.search(r"running  [1-3]/4", out)


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, id="ctrl-c"),
        pytest.param(signal.SIGTERM, id="terminated", marks=pytest.mark.slow),
    ],
)
def test_interrupted_it_stops_the_runtime_and_says_how_to_go_on(
    tmp_path: Path, env: dict[str, str], running: subprocess.Popen[str], number: signal.Signals
) -> None:
    run = Run(tmp_path / "results" / NAME)
    running.send_signal(number)
    _, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert f"orchestrate run --resume {NAME}" in err
    assert "Traceback" not in err
    assert runtimes(run) == []
    again = resume(tmp_path, env)
    assert again.wait(PATIENCE) == 0
    assert run.finished()


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(signal.SIGINT, id="ctrl-c", marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, id="timeout"),
    ],
)
def test_interrupted_again_and_again_it_still_leaves_nothing_at_work(
    tmp_path: Path, running: subprocess.Popen[str], number: signal.Signals
) -> None:
    """`timeout` sends SIGTERM twice, and an impatient user presses Ctrl-C until the prompt is back."""
    run = Run(tmp_path / "results" / NAME)
    (runtime,) = runtimes(run)
    os.kill(runtime, signal.SIGSTOP)  # it cannot end before all signals are sent
    for _ in range(5):
        running.send_signal(number)
        time.sleep(0.05)
    os.kill(runtime, signal.SIGCONT)
    _, err = running.communicate(timeout=PATIENCE)
    assert running.returncode == 130
    assert "interrupted, " in err
    assert "Traceback" not in err
    assert runtimes(run) == []


def test_a_reader_that_leaves_is_an_interruption(tmp_path: Path, env: dict[str, str]) -> None:
    """As in `orchestrate run ... | head`: the runtime stayed at work, and nobody followed it."""
    sample.real_run(tmp_path / "results", models=1, processes=60)
    process = resume(tmp_path, env)
    assert process.stdout is not None
    assert process.stderr is not None
    while " 1/60 " not in process.stdout.readline():
        assert process.poll() is None, process.communicate()
    process.stdout.close()
    assert process.wait(PATIENCE) == 130
    assert "interrupted, " in process.stderr.read()
    assert runtimes(Run(tmp_path / "results" / NAME)) == []


def test_a_model_that_is_none_fails_its_own_job_and_no_other(tmp_path: Path, env: dict[str, str]) -> None:
    run = sample.real_run(tmp_path / "results", processes=1)
    (run.bundle / "models" / "m1.onnx").write_bytes(b"not a model")
    process = resume(tmp_path, env, "--json")
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1, err
    local = json.loads(out)["devices"]["local"]
    assert (local["ok"], local["failed"], local["missing"]) == (2, 1, 0)
    assert local["errors"][0]["job"] == "m1--onnxruntime-fp32-t1"
    assert local["errors"][0]["advice"] in err
    assert "Traceback" not in err
