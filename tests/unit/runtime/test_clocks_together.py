"""Clocks are compared at one moment: an interruption between two readings is no step of a clock."""

import itertools
import time

import pytest

from bench.runtime.machine import process
from bench.runtime.machine.clock import read_together

STALL = 0.2  # s


def test_the_closest_of_several_pairs_counts() -> None:
    ticks = itertools.count()
    delays = iter([50, 30, 0, 9, 50, 50, 50, 50, 50, 50])

    def other() -> float:
        for _ in range(next(delays)):
            next(ticks)
        return next(ticks)

    at, there = read_together(lambda: next(ticks), other)
    assert at == there  # the third pair: one reading before, one after


def test_a_process_that_is_interrupted_between_two_readings_sees_no_clock_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = process.snapshot()
    real, stalls = time.clock_gettime, iter([STALL, STALL, STALL])

    def interrupted(number: int) -> float:
        time.sleep(next(stalls, 0))
        return real(number)

    monkeypatch.setattr(time, "clock_gettime", interrupted)
    facts = process.difference(before, process.snapshot())
    assert max(abs(facts[gap]) for gap in ("raw_gap", "boot_gap", "wall_gap")) < STALL / 2
