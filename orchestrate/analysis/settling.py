"""When a model has settled: how long after the start of its load it is as quick as it stays."""

import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from bench.record.measure import MAX_DRIFT, MIN_SAMPLES
from orchestrate.analysis import samples
from orchestrate.analysis.samples import Seconds

LOOK = 256  # windows at a time, after the first: most models settle at once

Entry = Mapping[str, Any]  # of a process in a record's `latency`


class Settled(NamedTuple):
    """Seconds from the start of the load to the first steady inference, one a process; empty: unknown."""

    steady: tuple[float, ...]
    cold_steady: tuple[float, ...]  # of the processes that loaded the model from a file out of the page cache


def of_jobs(jobs: Sequence[Sequence[Entry]], p50s: Sequence[float]) -> Iterator[Settled]:
    """Yield when each job settled, from its processes; p50s: of all processes in a row.

    ValueError for damaged series.
    """
    entries = [entry for each in jobs for entry in each]
    warm, cold = (samples.several([entry.get(key) for entry in entries]) for key in ("warmup", "cold_warmup"))
    found = iter(zip(entries, p50s, warm, cold, strict=True))
    for each in jobs:
        own = [next(found) for _ in each]
        steady = [_after(e, "load_seconds", "first_seconds", series, p50) for e, p50, series, _ in own]
        known = [_after(e, "cold_load_seconds", "cold_first_seconds", s, p50) for e, p50, _, s in own]
        yield Settled(
            tuple(steady) if all(map(math.isfinite, steady)) else (), tuple(filter(math.isfinite, known))
        )


def _after(entry: Entry, load: str, first: str, inferences: Seconds, p50: float) -> float:
    begun = entry.get(load), entry.get(first)
    if begun[0] is None or begun[1] is None or not len(inferences):
        return math.nan
    return float(begun[0]) + float(begun[1]) + seconds(inferences, p50)


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
