"""The lock of a device on this machine: nobody else can lead it astray, or take it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.runtime.supervise import lock
from tests import matrix

MATRIX = matrix.Part("hostile", "lock")
ME = {"run": "r", "pid": 1, "since": "now"}


@pytest.fixture(scope="module", autouse=True)
def write_matrix() -> Iterator[None]:
    yield
    MATRIX.write()


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder as everybody may write to it, and no other place for locks."""
    monkeypatch.delenv("ORBITBENCH_LOCK_DIR", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    monkeypatch.setattr("tempfile.tempdir", str(shared))
    return shared


def test_locks_lie_in_the_users_runtime_folder(
    places: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "run").mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    assert lock.lock_folder("out") == str(tmp_path / "run")
    (tmp_path / "run").chmod(0o777)
    assert lock.lock_folder("out") == str(places / f"orbitbench-{os.getuid()}")


def test_without_one_they_lie_in_a_private_folder(places: Path) -> None:
    made = Path(lock.lock_folder("out"))
    MATRIX.add(
        "no runtime folder", "mode 0700", oct(made.stat().st_mode), made.stat().st_mode & 0o777 == 0o700
    )
    assert lock.lock_folder("out") == str(made)


@pytest.mark.parametrize("what", ["a link", "a folder for everybody", "a file"])
def test_a_strangers_thing_in_place_of_the_private_folder_is_not_used(
    places: Path, tmp_path: Path, what: str
) -> None:
    place = places / f"orbitbench-{os.getuid()}"
    if what == "a link":
        (tmp_path / "victim").mkdir(mode=0o700)
        place.symlink_to(tmp_path / "victim")
    elif what == "a file":
        place.touch()
    else:
        place.mkdir()
        place.chmod(0o777)
    found = lock.lock_folder(str(tmp_path / "out"))
    MATRIX.add(f"{what} in place of the lock folder", "not used", found, found == str(tmp_path / "out"))


@pytest.mark.parametrize("what", ["a link", "a hard link", "a FIFO"])
def test_a_lock_is_a_plain_file_or_is_not_taken(tmp_path: Path, what: str) -> None:
    victim, path = tmp_path / "victim", tmp_path / "orbitbench-d.lock"
    victim.write_text("precious")
    if what == "a link":
        path.symlink_to(victim)
    elif what == "a hard link":
        path.hardlink_to(victim)
    else:
        os.mkfifo(path)
    with pytest.raises(lock.DeviceHeldError) as error, lock.DeviceLock("d", str(tmp_path), ME):
        pass
    ok = "lock file that" in str(error.value) and victim.read_text() == "precious"
    MATRIX.add(f"{what} in place of a lock", "refused in one line", error.value, ok)


def test_one_holder_at_a_time_and_a_dead_one_holds_nothing(tmp_path: Path, root: Path) -> None:
    code = "import sys\nfrom bench.runtime.supervise.lock import DeviceLock\n"
    code += "with DeviceLock('d', sys.argv[1], {'run': 'r', 'pid': 7, 'since': 'noon'}):\n"
    code += "    print('held', flush=True); sys.stdin.read()"
    pipe = subprocess.PIPE
    other = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdin=pipe, stdout=pipe, cwd=root)
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(lock.DeviceHeldError, match="run r, process 7, since noon"):
        lock.DeviceLock("d", str(tmp_path), ME).__enter__()
    other.kill()
    other.wait()
    with lock.DeviceLock("d", str(tmp_path), ME):
        assert (tmp_path / "orbitbench-d.lock").stat().st_mode & 0o077 == 0
