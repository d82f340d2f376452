"""When a model has settled: how long after the start of its load it is as quick as it stays."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bench.record.measure import MAX_DRIFT, MIN_SAMPLES
from orchestrate.analysis import samples
from orchestrate.analysis.samples import Packed, Seconds

NONE: Seconds = np.zeros(0)
LOOK = 256  # windows at a time, after the first: most models settle at once

Entry = Mapping[str, Any]  # of a process in a record's `latency`


class Settled(NamedTuple):
    """Seconds from the start of the load to the first steady inference, one a process; empty: unknown."""

    steady: tuple[float, ...]
    cold_steady: tuple[float, ...]  # of the processes that loaded the model from a file out of the page cache


class Start(NamedTuple):
    """A load, a first inference and the warm-up after it: seconds where known."""

    load: float | None
    first: float | None
    warmup: Packed


class Starts(NamedTuple):
    """How a process began, and the extra process whose model was not in the page cache, if there was one."""

    warm: Start
    cold: Start


def starts(entry: Entry) -> Starts:
    """Return how a process began; ValueError for damaged series."""
    return Starts(*(_start(entry, kind) for kind in ("", "cold_")))


def _start(entry: Entry, kind: str) -> Start:
    warmup = samples.packed(entry.get(kind + "warmup"))
    return Start(entry.get(kind + "load_seconds"), entry.get(kind + "first_seconds"), warmup)


def of_jobs(
    jobs: Sequence[Sequence[Starts]], p50s: Sequence[float], series: Sequence[Seconds]
) -> Iterator[Settled]:
    """Yield when each job settled, from its processes; p50s, series: of the samples of all in a row.

    Where a cold process does not settle in its warm-up, which no samples follow, nothing is known of the
    job's. ValueError for damaged series.
    """
    every = [process for each in jobs for process in each]
    warm = _settled([process.warm for process in every], p50s, series)
    cold = _settled([process.cold for process in every], p50s, [NONE] * len(every))
    for each in jobs:
        steady, known = ([next(found) for _ in each] for found in (warm, cold))
        begun = [after for after in known if not math.isnan(after)]
        yield Settled(_all_known(steady), _all_known(begun))


def _all_known(seconds: Sequence[float]) -> tuple[float, ...]:
    return tuple(seconds) if all(map(math.isfinite, seconds)) else ()


def _settled(starts: Sequence[Start], p50s: Sequence[float], series: Sequence[Seconds]) -> Iterator[float]:
    return map(_after, starts, samples.several([start.warmup for start in starts]), p50s, series)


def _after(start: Start, warmup: Seconds, p50: float, timed: Seconds) -> float:
    """NaN where the process has no such start; infinite where it has not settled."""
    if start.load is None or start.first is None or not len(warmup):
        return math.nan
    before = seconds(warmup, p50)
    if math.isinf(before) and len(timed):  # most settle in the warm-up: the others are looked at again
        before = seconds(np.concatenate((warmup, timed)), p50)
    return float(start.load) + float(start.first) + before


def seconds(inferences: Seconds, p50: float) -> float:
    """Return how long the inferences take before the first MIN_SAMPLES in a row whose median is near `p50`.

    Infinite where they end before that.
    """
    width = min(MIN_SAMPLES, len(inferences))
    if median(inferences[:width].tolist()) <= (1 + MAX_DRIFT) * p50:
        return 0.0  # as most do: numpy takes twenty times as long for one window
    start, count = 1, LOOK
    while start + width <= len(inferences):
        windows = sliding_window_view(inferences[start : start + count + width - 1], width)
        settled = np.flatnonzero(np.median(windows, axis=1) <= (1 + MAX_DRIFT) * p50)
        if len(settled):
            return float(inferences[: start + settled[0]].sum())
        start += count
    return math.inf
