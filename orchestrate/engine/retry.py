"""Trying again, ever more slowly, what may work in a moment."""

import random
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from orchestrate.errors import LinkLost

T = TypeVar("T")
FIRST_SECONDS, LONGEST_SECONDS = 0.5, 15.0


def waits(first: float = FIRST_SECONDS, longest: float = LONGEST_SECONDS) -> Iterator[float]:
    """Yield the seconds to wait: doubling, each drawn from its upper half, so that boards do not return all
    at once."""
    ceiling = first
    while True:
        yield random.uniform(ceiling / 2, ceiling)
        ceiling = min(2 * ceiling, longest)


def retry(
    action: Callable[[], T],
    patience: float,
    *,
    on_wait: Callable[[LinkLost, float], None] = lambda _error, _seconds: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> T:
    """Return the result of `action`, repeated while it raises LinkLost, for `patience` seconds at most.

    `on_wait` hears of each failure and the wait after it. The last error is raised when patience ends.
    """
    end = clock() + patience
    for seconds in waits():
        try:
            return action()
        except LinkLost as error:
            if clock() + seconds > end:
                raise
            on_wait(error, seconds)
            sleep(seconds)
    raise AssertionError("unreachable")  # waits() never ends
