"""Work beside other work: in another process where that is safe, and never lost."""

import os
import threading
from pathlib import Path

import pytest

from orchestrate.analysis import forking


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "pids"


def note(path: Path) -> None:
    with path.open("a") as stream:
        stream.write(f"{os.getpid()}\n")


def pids(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()]


def test_work_is_done_once_and_is_there_after_the_block(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "cores", lambda: 2)
    with forking.beside(lambda: note(written)):
        pass
    (pid,) = pids(written)
    assert pid != os.getpid()


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


def test_an_error_of_the_block_is_raised_and_no_process_is_left(
    written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forking, "cores", lambda: 2)
    with pytest.raises(KeyError), forking.beside(lambda: note(written)):
        raise KeyError
    with pytest.raises(ChildProcessError):
        os.waitpid(pids(written)[0], os.WNOHANG)


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
