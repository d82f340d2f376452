"""What a run leaves that is killed while it is made, and who clears it away. The processes here are real."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrate.runs import staging
from tests.conftest import PATIENCE, wait_for

ROOT = Path(__file__).resolve().parents[3]
MAKER = """
import subprocess, sys
from pathlib import Path
from orchestrate.runs.staging import draft
with draft(Path(sys.argv[1])) as (folder, held):
    (folder / "model.onnx").write_bytes(b"half of it")
    child = subprocess.Popen(["sleep", "3600"], pass_fds=[held]) if "child" in sys.argv else None
    print(folder, child.pid if child else 0, flush=True)
    sys.stdin.read()
"""


def drafts(results: Path) -> list[Path]:
    return list(results.glob(".new-*"))


@pytest.fixture
def maker(tmp_path: Path) -> Iterator[Callable[..., tuple[subprocess.Popen[str], Path, int]]]:
    """Starts a process that holds a draft: (it, its folder, the id of its child or 0)."""
    started: list[subprocess.Popen[str]] = []

    def start(*words: str) -> tuple[subprocess.Popen[str], Path, int]:
        command = [sys.executable, "-c", MAKER, str(tmp_path), *words]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        started.append(process)
        assert process.stdout is not None
        folder, child = process.stdout.readline().split()
        return process, Path(folder), int(child)

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_what_a_killed_run_left_goes_with_the_next_and_what_a_living_one_makes_stays(tmp_path, maker) -> None:
    dead, left, _ = maker()
    dead.kill()
    dead.wait()
    assert (left / "model.onnx").exists()  # nobody could clear up
    _, used, _ = maker()
    assert drafts(tmp_path) == [used]
    with staging.draft(tmp_path):
        assert (used / "model.onnx").exists()
    assert drafts(tmp_path) == [used]


def test_a_draft_stays_while_the_killed_runs_export_still_writes_into_it(tmp_path, maker) -> None:
    process, folder, child = maker("child")
    process.kill()
    process.wait()
    staging.remove_abandoned(tmp_path)
    assert folder.exists()
    os.kill(child, signal.SIGKILL)
    wait_for(lambda: staging.remove_abandoned(tmp_path) or not folder.exists())


def test_a_link_is_not_followed_and_other_folders_are_not_touched(tmp_path) -> None:
    elsewhere, run = tmp_path / "elsewhere", tmp_path / "20261122-191500-demo"
    for folder in (elsewhere, run):
        folder.mkdir()
        (folder / "file").touch()
    (tmp_path / ".new-link").symlink_to(elsewhere)
    staging.remove_abandoned(tmp_path)
    assert (elsewhere / "file").exists()
    assert (run / "file").exists()


def test_orchestrate_killed_during_export_is_cleared_up_after_by_the_next_run(tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ORBITBENCH_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "orchestrate.cli", "run", "--device", "local", "--experiment"]
    quiet = {"cwd": tmp_path, "env": env, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    killed = subprocess.Popen([*command, "smoke"], start_new_session=True, **quiet)
    try:
        wait_for(lambda: drafts(tmp_path / "results"))
    finally:
        os.killpg(killed.pid, signal.SIGKILL)
        killed.wait()
    assert drafts(tmp_path / "results")
    assert subprocess.run([*command, "nonsense"], **quiet, timeout=PATIENCE, check=False).returncode == 2
    assert not drafts(tmp_path / "results")


def test_a_results_folder_that_was_made_for_nothing_goes_again(tmp_path: Path) -> None:
    results = tmp_path / "new" / "results"
    with pytest.raises(KeyError), staging.draft(results):
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_a_results_folder_stays_once_a_run_is_in_it_or_where_it_was_there_before(tmp_path: Path) -> None:
    with staging.draft(tmp_path / "results") as (folder, _):
        folder.rename(tmp_path / "results" / "run")
    assert (tmp_path / "results/run").is_dir()
    (tmp_path / "mine").mkdir()
    with staging.draft(tmp_path / "mine"):
        pass
    assert (tmp_path / "mine").is_dir()
