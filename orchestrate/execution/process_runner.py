"""Transport `process`: the job list runs on this machine, without Docker, in a process that outlives us."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrate.console import first_line
from orchestrate.errors import OrbitError
from orchestrate.runs import plan
from orchestrate.runs.folder import DeviceFolder

POLL_SECONDS = 0.2
STOP_SECONDS = 10.0  # a runtime that was asked to end has this long to write down what it has
ROOM = 1_000_000  # bytes: a record of one job
ROOT = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str]:
    """Return our environment, this very `bench` first on the path, whatever the current folder."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def tactics_folder() -> Path:
    """Return where this machine keeps the timing caches of engine builds, with `keep_tactics` of a device."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "orbitbench" / "tactics"


def board_model() -> str | None:
    """Return what this machine calls itself."""
    for name in ("/sys/firmware/devicetree/base/model", "/sys/class/dmi/id/product_name"):
        try:
            return Path(name).read_text().strip("\0\n ") or None
        except OSError:
            continue
    return None


def full_disk(path: Path) -> str | None:
    """Return the message where the disk that holds `path` takes nothing more; None where it does."""
    disk = os.statvfs(path)
    if disk.f_bavail * disk.f_frsize >= ROOM and (disk.f_favail or not disk.f_files):
        return None
    return f"the disk that holds {path} is full: make room, then resume"


class ProcessRunner:
    """The runtime of one device folder as a process of its own session.

    A lock on `runtime.lock`, inherited by the runtime and by nobody else, shows whether it lives: the kernel
    keeps that true, also after our own death, so that `--resume` attaches to it instead of starting a second.
    """

    is_local = True
    place = "this machine"

    def __init__(self, folder: DeviceFolder, keep_tactics: bool = False) -> None:
        self.folder, self.files = folder, folder.files
        self.own = {"ORBITBENCH_TIMING_CACHE": str(tactics_folder())} if keep_tactics else {}
        self.log, self.errors, self.lock, self.todo, self.out = (
            folder.inner(name)
            for name in ("runtime.jsonl", "runtime.err", "runtime.lock", "todo.json", "out")
        )
        self.process: subprocess.Popen[bytes] | None = None

    def open(self) -> None:
        """Nothing is connected to."""

    def alive(self) -> bool:
        """Return whether a runtime of this folder, ours or of an earlier orchestrator, is at work."""
        if self.process is not None and self.process.poll() is not None:
            return False
        return self.files.is_locked(self.lock)

    def start(self, missing: list[str], say: Callable[[str], None] = print) -> None:
        """Start the runtime on the jobs in `missing`."""
        jobs = plan.restrict(self.folder.job_list(), missing, {"model": board_model()})
        self.files.check_tree("bundle")  # the runtime checks hashes, and goes by paths in both
        self.files.make(self.out)
        self.files.check_tree(self.out)
        self.files.write(self.todo, json.dumps({**jobs, "bundle": "../bundle"}).encode())
        command = [
            sys.executable,
            "-m",
            "bench.runtime",
            str(self.files.path(self.todo)),
            str(self.files.path(self.out)),
        ]
        with (
            self.files.open(self.lock, os.O_RDWR | os.O_CREAT) as lock,
            self.files.create(self.log) as log,
            self.files.create(self.errors) as errors,
        ):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            lock.truncate(0)
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=errors,
                env={**environment(), **self.own},
                pass_fds=[lock.fileno()],
                start_new_session=True,
            )
            lock.write(str(self.process.pid).encode())

    def lines(self) -> Iterator[bytes]:
        """Yield the runtime's lines from its beginning until it ends.

        An empty one at least every POLL_SECONDS.
        """
        if not self.files.is_file(self.log):
            return
        with self.files.open(self.log) as log:
            rest = b""
            while True:
                alive = self.alive()  # asked before reading: what a dying runtime wrote last is still read
                while chunk := log.read(1 << 16):
                    *whole, rest = (rest + chunk).split(b"\n")
                    yield from whole
                if not alive:
                    return
                yield b""
                time.sleep(POLL_SECONDS)

    def read(self, job: str) -> bytes | None:
        """Return the record of `job` as the runtime left it, None while there is none."""
        try:
            return self.files.read(f"{self.out}/records/{job}.json")
        except FileNotFoundError:
            return None

    def discard(self, jobs: set[str]) -> None:
        """Remove records, and the parts that they were made of."""
        for kind in ("records", "parts"):  # JOB.json and JOB.PROCESS.json
            for name in self.files.names(f"{self.out}/{kind}"):
                stem = name.removesuffix(".json")
                if stem in jobs or stem.rpartition(".")[0] in jobs:
                    self.files.remove(f"{self.out}/{kind}/{name}")

    def exit_reason(self) -> str:
        """Return why the runtime ended, in one line."""
        errors = self.files.end(self.errors).decode(errors="replace").strip().splitlines()
        code = self.process.wait() if self.process is not None else None
        ended = f"exit code {code}" if code is None or code >= 0 else f"killed by signal {-code}"
        if errors:
            return first_line(errors[-1])
        full = full_disk(self.folder.path)
        return f"{full} ({ended})" if full else f"the runtime ended without a word ({ended})"

    def status(self) -> str:
        """Return whether the runtime works, in a few words."""
        return "at work" if self.alive() else "not running"

    def tail(self, lines: int) -> list[str]:
        """Return the last lines of the runtime's log, and of its errors."""
        found: list[str] = []
        for name in (self.log, self.errors):
            found += self.files.end(name).decode(errors="replace").splitlines()[-lines:]
        return found

    def stop(self) -> None:
        """Ask the runtime to end, then insist. Not by SIGINT: what a script starts with `&` ignores it."""
        for number, patience in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, STOP_SECONDS)):
            if not self.alive():
                return
            pid = self.owner_pid()
            (os.kill if number == signal.SIGTERM else os.killpg)(pid, number)
            end = time.monotonic() + patience
            while self.alive() and time.monotonic() < end:
                time.sleep(POLL_SECONDS / 4)
        if self.alive():
            raise OrbitError(f"process {self.owner_pid()} does not end; see {self.files.path(self.errors)}")

    def owner_pid(self) -> int:
        """Return the process id in the lock of a runtime that is at work."""
        try:
            pid = int(self.files.read(self.lock, 100))
        except ValueError:
            pid = 0
        if pid <= 1:
            raise OrbitError(f"{self.files.path(self.lock)} names no process: end the runtime by hand")
        return pid

    def restore(self) -> None:
        """This machine was not changed."""

    def doubt(self) -> str | None:
        """Nothing: the runtime sees this machine as we do."""
        return None

    def clear(self) -> None:
        """Remove the runtime's own files: every record is stored and verified."""
        self.files.remove_tree(self.out)
        for name in (self.lock, self.todo):
            self.files.remove(name)

    def close(self) -> None:
        """Nothing is held open."""
