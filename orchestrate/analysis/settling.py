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


def of_jobs(jobs: Sequence[Sequence[Starts]], p50s: Sequence[float]) -> Iterator[Settled]:
    """Yield when each job settled, from its processes; p50s: of all processes in a row.

    ValueError for damaged series.
    """
    every = [process for each in jobs for process in each]
    warm = _settled([process.warm for process in every], p50s)
    cold = _settled([process.cold for process in every], p50s)
    for each in jobs:
        steady, known = ([next(found) for _ in each] for found in (warm, cold))
        yield Settled(
            tuple(steady) if all(map(math.isfinite, steady)) else (), tuple(filter(math.isfinite, known))
        )


def _settled(starts: Sequence[Start], p50s: Sequence[float]) -> Iterator[float]:
    return map(_after, starts, samples.several([start.warmup for start in starts]), p50s)


def _after(start: Start, inferences: Seconds, p50: float) -> float:
    if start.load is None or start.first is None or not len(inferences):
        return math.nan
    return float(start.load) + float(start.first) + seconds(inferences, p50)


def seconds(inferences: Seconds, p50: float) -> float:
    """Return how long the inferences take before the first MIN_SAMPLES in a row whose median is near `p50`.

    All of them, where they end before that: the samples begin then, and are what `p50` is of.
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
    return float(inferences.sum())
