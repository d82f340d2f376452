"""What work needs that is stopped and taken up again: a place, sole use of a folder, an end between steps."""

import fcntl
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.errors import InputError

EVERY = 60.0  # seconds between two checkpoints
PATIENCE = 60.0  # seconds to wait for a process that dies while holding the folder


class BusyError(InputError):
    """Another process works in this folder."""


@dataclass(frozen=True)
class Place:
    """Where work runs: output and data folders, device, seconds between checkpoints, threads."""

    out: Path
    data: str | None = None
    device: str = "cpu"
    every: float = EVERY
    threads: int = 1  # small networks gain little from more, and on a busy machine they lose twentyfold


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Hold the folder, which is made: two processes must not work in one. Waits for one that is dying."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        end = time.monotonic() + PATIENCE
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise BusyError(f"{folder}: another process works in it; wait for its end") from None
                time.sleep(0.2)
        yield


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """A question that SIGINT (Ctrl-C, or Ray's cancel) and SIGTERM turn to yes, to be put between two steps.

    An exception in the middle of a step would leave weights and counters that do not belong together. A
    second SIGINT interrupts at once. Outside the main thread, which alone gets signals, the answer is no.
    A SIGTERM that somebody else handles stays theirs: Ray ends a worker so, and starts its task elsewhere.
    """
    asked: list[int] = []

    def note(number: int, _: object) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, signal.default_int_handler)

    numbers = [signal.SIGINT] if threading.current_thread() is threading.main_thread() else []
    if numbers and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        numbers.append(signal.SIGTERM)
    before = {number: signal.signal(number, note) for number in numbers}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def saved_if_interrupted(save: Callable[[], None]) -> Iterator[None]:
    """Call `save` where what is inside, between two steps, is interrupted: who reads its lines may leave."""
    try:
        yield
    except (BrokenPipeError, KeyboardInterrupt):
        save()
        raise
