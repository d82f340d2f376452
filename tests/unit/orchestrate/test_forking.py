"""Work beside other work: in another process where that is safe, and never lost."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrate.analysis import forking
from tests.conftest import PATIENCE

ENDLESS = """import os, time
from orchestrate.analysis import forking
forking.cores = lambda: 2
def work():
    print(os.getpid(), flush=True)
    time.sleep(3600)
with forking.beside(work):
    time.sleep(3600)
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "pids"


def note(path: Path) -> None:
    with path.open("a") as stream:
        stream.write(f"{os.getpid()}\n")


def pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()]


def wait_for_work(path: Path) -> None:
    """Until the process has written its number."""
    while not (path.exists() and path.read_text().endswith("\n")):
        time.sleep(0.01)


def assert_reaped(pid: int) -> None:
    """The process has ended, and is not left as a zombie."""
    with pytest.raises(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def test_work_is_done_once_and_is_there_after_the_block(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "cores", lambda: 2)
    with forking.beside(lambda: note(written)):
        pass
    (pid,) = pids(written)
    assert pid != os.getpid()


def test_what_comes_of_the_work_is_there_after_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "cores", lambda: 2)
    large = "x" * 10**6  # more than a pipe holds
    with forking.beside(lambda: (os.getpid(), large)) as there:
        pass
    with forking.beside(lambda: (os.getpid(), large), worth=False) as here:
        pass
    assert there()[1] == here()[1] == large
    assert there()[0] != here()[0] == os.getpid()


def test_work_that_fails_in_its_process_fails_here_after_the_block(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        note(written)
        raise OSError("no space left")

    monkeypatch.setattr(forking, "cores", lambda: 2)
    done = False
    with pytest.raises(OSError, match="no space left"), forking.beside(fail):
        done = True
    assert done
    assert len(pids(written)) == 2
    assert pids(written)[1] == os.getpid()


def test_a_process_that_is_killed_loses_no_work(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = os.getpid()
    monkeypatch.setattr(forking, "cores", lambda: 2)
    with forking.beside(lambda: note(written) if os.getpid() == here else os.kill(os.getpid(), 9)):
        pass
    assert pids(written) == [here]


def test_beside_a_thread_work_is_done_here(written: Path) -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with forking.beside(lambda: note(written)):
            assert not written.exists()
    finally:
        stop.set()
        thread.join()
    assert pids(written) == [os.getpid()]


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL"])
def test_the_process_dies_with_the_one_that_it_works_for(name: str) -> None:
    with subprocess.Popen([sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        child = int(parent.stdout.readline())
        parent.send_signal(getattr(signal, name))
        parent.wait(PATIENCE)
        try:
            assert parent.communicate(timeout=PATIENCE)[0] == ""  # the end of output: nobody holds the pipe
        except subprocess.TimeoutExpired:
            os.kill(child, signal.SIGKILL)
            raise


def test_an_interrupted_wait_leaves_no_process(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless() -> None:
        note(written)
        time.sleep(3600)

    def interrupt_once_it_works() -> None:
        wait_for_work(written)
        signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)

    def interrupt(_: int, frame: Any) -> None:
        if frame.f_code.co_filename == forking.__file__:  # it waits
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise KeyboardInterrupt

    monkeypatch.setattr(forking, "cores", lambda: 2)
    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        with pytest.raises(KeyboardInterrupt), forking.beside(endless):
            interrupt_once_it_works()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert_reaped(pids(written)[0])


def test_work_beside_a_block_that_fails_is_ended(written: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forking, "cores", lambda: 2)

    def endless() -> None:
        note(written)
        time.sleep(3600)

    def fail() -> None:
        wait_for_work(written)
        raise KeyError("in the block")

    with pytest.raises(KeyError), forking.beside(endless):
        fail()
    assert_reaped(pids(written)[0])
