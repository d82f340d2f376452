"""Work on several cores, on what is in memory already: processes that are forked from this one."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


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
    """
    child = os.fork() if cores() > 1 else None
    if child == 0:
        _leave_after(work)
    status = 1
    try:
        yield
    finally:
        if child:
            status = os.waitpid(child, 0)[1]
    if status:
        work()


def _leave_after(work: Callable[[], object]) -> None:
    """End this process without what an interpreter does at its end: buffers and locks are its parent's."""
    status = 1
    try:
        work()
        status = 0
    finally:
        os._exit(status)
