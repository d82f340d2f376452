"""The one clock that durations come from: monotonic, nanoseconds as an integer."""

import time
from typing import Callable, Tuple


def _coarse_ns() -> int:
    """Nanoseconds on Python 3.6, which has no perf_counter_ns; a double holds them exactly for 104 days of
    uptime."""
    return int(time.perf_counter() * 1e9)


now_ns: Callable[[], int] = getattr(time, "perf_counter_ns", _coarse_ns)


def read_together(one: Callable[[], float], other: Callable[[], float]) -> Tuple[float, float]:
    """Return what two clocks show at one moment: the closest of ten pairs, so that a process that is
    interrupted between two readings cannot pass for a wrong clock."""
    pairs = []
    for _ in range(10):
        before, there, after = one(), other(), one()
        pairs.append((after - before, (before + after) / 2, there))
    return min(pairs)[1:]


def cpu_ns() -> int:
    """CPU time of this process in nanoseconds, all its threads together: what waiting for a CPU adds nothing
    to. Python 3.6 has it as a float, exact enough while the process is hours old at most."""
    return int(time.clock_gettime(time.CLOCK_PROCESS_CPUTIME_ID) * 1e9)


def iso_utc(seconds: float) -> str:
    """Return the seconds since the epoch as `2026-11-22T19:15:00Z`."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
