"""Work on several cores, on what is in memory already: processes that are forked from this one."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from bench.record.parent_process import die_with


def cores() -> int:
    """Return how many processes may work at once; 1 where a fork is not safe.

    A fork takes no other thread with it, but the locks that those hold. On macOS none is safe.
    """
    known = hasattr(os, "sched_getaffinity") and threading.active_count() == 1
    return len(os.sched_getaffinity(0)) if known else 1


@contextmanager
def beside(work: Callable[[], object]) -> Iterator[None]:
    """Do `work`, whose result is what it writes, in another process while the block runs.

    Where that is not safe, or where it fails there, it is done here after the block, which shows its error.
    The other process never outlives this one, nor an interrupted wait for it.
    """
    parent = os.getpid()
    child = os.fork() if cores() > 1 else None
    if child == 0:
        _leave_after(work, parent)
    status = 1
    try:
        yield
    finally:
        if child:
            status = _ended(child)
    if status:
        work()


def _ended(child: int) -> int:
    """Wait for the child; its status. An interrupted wait kills it."""
    try:
        return os.waitpid(child, 0)[1]
    except BaseException:
        with suppress(ProcessLookupError, ChildProcessError):  # it had ended just then
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        raise


def _leave_after(work: Callable[[], object], parent: int) -> None:
    """End this process without what an interpreter does at its end: buffers and locks are its parent's."""
    status = 1
    try:
        die_with(parent)
        work()
        status = 0
    finally:
        os._exit(status)
