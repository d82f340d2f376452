"""Known answers before a run: instruments that miss a known allocation or a known time fail the device,
not a model."""

import mmap
import time
from typing import Dict

from bench.record.measured import SelfTest
from bench.runtime.machine.clock import now_ns, read_together
from bench.runtime.measure.memory import process_memory

KNOWN_BYTES = 64 * 1024 * 1024
KNOWN_SECONDS = 0.05  # two clocks are read together to some microseconds: 0.01 % of it
TOLERANCE = 0.02
ATTEMPTS = 3  # a busy machine may spoil one


def memory_error() -> float:
    """Return the relative error of the ladder's reader for an allocation of known size whose pages are all
    touched.

    By RSS: USS also moves when another process maps the libraries that we have mapped, or ends.
    """
    before = process_memory()["rss"] or 0
    # Fresh pages of the kernel's: an allocator may hand out memory that the process has touched before.
    block = mmap.mmap(-1, KNOWN_BYTES, flags=mmap.MAP_PRIVATE + mmap.MAP_ANONYMOUS)
    for page in range(0, KNOWN_BYTES, mmap.PAGESIZE):
        block[page] = 1
    grown = (process_memory()["rss"] or 0) - before
    block.close()
    return grown / float(KNOWN_BYTES) - 1


def time_error() -> float:
    """Return the relative error of the samples' clock over a known spin, against another clock, the raw
    hardware one."""
    known, ours = read_together(_raw, _ours)
    while _raw() < known + KNOWN_SECONDS:
        pass
    known_later, ours_later = read_together(_raw, _ours)
    return (ours_later - ours) / (known_later - known) - 1


def _raw() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC_RAW)


def _ours() -> float:
    return now_ns() * 1e-9


def self_test() -> SelfTest:
    """Return {ok, memory_error, time_error}: relative errors, the best of three attempts each."""
    errors: Dict[str, float] = {}
    for name, instrument in (("memory_error", memory_error), ("time_error", time_error)):
        for _ in range(ATTEMPTS):
            error = instrument()
            errors[name] = min(errors.get(name, error), error, key=abs)
            if abs(errors[name]) <= TOLERANCE:
                break
    return {
        "memory_error": errors["memory_error"],
        "time_error": errors["time_error"],
        "ok": all(abs(e) <= TOLERANCE for e in errors.values()),
        "tolerance": TOLERANCE,
    }
