"""Ctrl-C, SIGTERM and a lost terminal: one interrupt, after which what runs here is ended undisturbed.

`timeout` sends SIGTERM twice and people press Ctrl-C twice: a second interrupt in the middle of the clean-up
would leave the runtime at work behind us.
"""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
BUT_CTRL_C = (signal.SIGTERM, signal.SIGHUP)  # where nothing is left at work, a second Ctrl-C may end it all


class Signals:
    """The handler of all: the first signal raises KeyboardInterrupt, later ones only after `hear_again`."""

    def __init__(self) -> None:
        self.deaf = False

    def __call__(self, number: int, frame: FrameType | None) -> None:
        """Interrupt, once."""
        if not self.deaf:
            self.deaf = True
            raise KeyboardInterrupt

    def hear_again(self) -> None:
        """Let the next signal interrupt: what runs on this machine has ended."""
        self.deaf = False


@contextmanager
def terminated_is_interrupted(
    numbers: Iterable[signal.Signals] = NUMBERS,
) -> Iterator[Signals]:
    """Treat SIGTERM (a CI's time limit) and a lost terminal like Ctrl-C, and interrupt once only.

    A shell's `&` starts programs that ignore SIGINT: that stays so. Outside the main thread, which alone gets
    signals, nothing changes. Not around a training or a search, which are asked to stop between two steps
    (`bench.work.resumable`).
    """
    handler = Signals()
    in_main = threading.current_thread() is threading.main_thread()
    taken = [number for number in numbers if in_main and signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in taken}
    try:
        yield handler
    finally:
        for number, old in before.items():
            signal.signal(number, old or signal.SIG_DFL)
