"""Work on several cores, on what is in memory already: processes that are forked from this one."""

import ctypes
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from bench.record.parent_process import die_with

T = TypeVar("T")
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # glibc's malloc.h
KEPT_BYTES = 32 << 20  # the most that glibc allows as the second


def cores() -> int:
    """Return how many processes may work at once; 1 where a fork is not safe.

    A fork takes no other thread with it, but the locks that those hold. On macOS none is safe.
    """
    known = hasattr(os, "sched_getaffinity") and threading.active_count() == 1
    return len(os.sched_getaffinity(0)) if known else 1


def begin(parent: int) -> None:
    """Make this process, forked to work through much data, end with its `parent` and keep what it frees."""
    die_with(parent)
    with suppress(OSError, AttributeError, TypeError):  # no glibc: as it was
        mallopt = ctypes.CDLL(None).mallopt
        # Pages given back and taken again for every record take a tenth of the time of reading.
        for setting in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(setting, KEPT_BYTES)


@contextmanager
def beside(work: Callable[[], T], worth: bool = True) -> Iterator[Callable[[], T]]:
    """Do `work` in another process while the block runs; after the block, what is yielded returns its result.

    Where that is not safe or not worth a process, or where it fails there, it is done here after the block,
    which shows its error. The other process never outlives this one, nor an interrupted wait for it.
    """
    results: list[T] = []
    child = _Child(work) if worth and cores() > 1 else None
    try:
        yield lambda: results[0]
    except BaseException:
        if child:
            child.kill()
        raise
    sent = child.ended() if child else b""
    results.append(pickle.loads(sent) if sent else work())  # noqa: S301 - by a fork of this very process


class _Child:
    """A fork that does some work and sends what comes of it."""

    def __init__(self, work: Callable[[], object]) -> None:
        parent = os.getpid()
        self._end, end = os.pipe()
        self._pid = os.fork()
        if not self._pid:
            _leave_after(work, end, parent)
        os.close(end)

    def ended(self) -> bytes:
        """Wait for it; the result as it was sent, nothing where it failed. An interrupted wait kills it."""
        try:
            with open(self._end, "rb") as sent:
                found = sent.read()
            return b"" if os.waitpid(self._pid, 0)[1] else found
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError, ChildProcessError):  # it had ended just then
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)


def _leave_after(work: Callable[[], object], end: int, parent: int) -> None:
    """End this process without what an interpreter does at its end: buffers and locks are its parent's."""
    status = 1
    try:
        begin(parent)
        result = pickle.dumps(work(), pickle.HIGHEST_PROTOCOL)
        with open(end, "wb") as sent:
            sent.write(result)
        status = 0
    finally:
        os._exit(status)
