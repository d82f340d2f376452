"""Which board numbers are taken on this machine, so that several test runs can share it.

A number is a folder and a locked file beside it. The kernel drops the lock with its holder, whatever ended
that: a folder whose lock is free belongs to nobody, and the next test run clears it away.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

BASE = Path(os.environ.get("ORBITBENCH_FLEET", "/tmp/orbitbench-fleet"))  # short: sockets allow 107 bytes
NUMBERS = range(1, 250)


class Lease:
    """A board number that nobody else on this machine has, until `release` or the end of the process."""

    def __init__(self, number: int, handle: int) -> None:
        self.number = number
        self.handle = handle

    @property
    def folder(self) -> Path:
        return BASE / str(self.number)

    def release(self) -> None:
        os.close(self.handle)


def take(number: int) -> Lease | None:
    """The lease of `number`, or None while somebody holds it."""
    BASE.mkdir(mode=0o755, exist_ok=True)
    handle = os.open(BASE / f"{number}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return Lease(number, handle)


def take_free() -> Lease:
    """A lease of a number without a folder. Raises RuntimeError when all are taken."""
    for number in NUMBERS:
        if (BASE / str(number)).exists():
            continue
        lease = take(number)
        if lease and not lease.folder.exists():
            lease.folder.mkdir(parents=True)
            return lease
        if lease:
            lease.release()
    raise RuntimeError(f"all {len(NUMBERS)} board numbers are taken; look into {BASE}")


def abandoned() -> Iterator[Lease]:
    """Leases of every folder whose holder is gone."""
    for folder in BASE.glob("[0-9]*"):
        if folder.is_dir() and (lease := take(int(folder.name))):
            yield lease
