"""The end of a process with its parent: for measuring processes and for what the report forks."""

import ctypes
import os
import signal

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def die_with(parent: int) -> None:
    """Be killed when process `parent`, which has started this one, dies; end at once where it is dead.

    Linux only: elsewhere nothing happens.
    """
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    except (AttributeError, OSError):
        return
    if os.getppid() != parent:  # it died before it could take us with it
        os._exit(1)
