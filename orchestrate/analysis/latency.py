"""Figures of latency samples, those of many processes and records at once.

numpy takes as long for a hundred samples as for ten thousand: what is of one length is computed together.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from orchestrate.analysis import statistics
from orchestrate.analysis.samples import Seconds

QUANTILES = (0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)
DRIFT_BLOCKS = 12  # medians kept of each process, in order of time


class OfProcess(NamedTuple):
    """Seconds. `blocks` are medians of consecutive twelfths, for the eye; `length`: all samples together."""

    p50: float
    length: float
    blocks: tuple[float, ...]


class Pooled(NamedTuple):
    """Seconds, of the samples of all processes of a job together."""

    quantiles: tuple[float, ...]
    p90: float
    p99: float
    mean: float
    best: float
    n: int


def of_processes(series: Sequence[Seconds]) -> list[OfProcess]:
    """Return the figures of each series, of which none is empty."""
    found: dict[int, OfProcess] = {}
    for places, samples in _alike(series):
        count = min(DRIFT_BLOCKS, samples.shape[1])
        whole = samples.shape[1] // count * count
        blocks = statistics.medians(samples[:, :whole].reshape(len(places), count, -1))
        whole_series = statistics.medians(samples).tolist(), samples.sum(axis=1).tolist()
        rows = zip(*whole_series, blocks.tolist(), strict=True)
        for place, (p50, length, medians) in zip(places, rows, strict=True):
            found[place] = OfProcess(p50, length, tuple(medians))
    return [found[place] for place in range(len(series))]


def of_records(pooled: Sequence[Seconds]) -> list[Pooled]:
    """Return the figures of each record's samples, of which none is empty."""
    found: dict[int, Pooled] = {}
    for places, samples in _alike(pooled):
        ordered, n = np.sort(samples, axis=1), samples.shape[1]
        early = [statistics.early_stopping(ordered, p).tolist() for p in (0.90, 0.99)]
        mean, best = samples.mean(axis=1).tolist(), ordered[:, 0].tolist()
        rows = zip(_quantiles(ordered).tolist(), *early, mean, best, strict=True)
        for place, (quantiles, p90, p99, average, least) in zip(places, rows, strict=True):
            found[place] = Pooled(tuple(quantiles), p90, p99, average, least, n)
    return [found[place] for place in range(len(pooled))]


def _alike(series: Sequence[Seconds]) -> Iterator[tuple[list[int], Seconds]]:
    """The series of each length: their places, and (series, samples)."""
    places: dict[int, list[int]] = {}
    for place, each in enumerate(series):
        places.setdefault(len(each), []).append(place)
    for found in places.values():
        yield found, np.stack([series[place] for place in found])


def _quantiles(ordered: Seconds) -> Seconds:
    """QUANTILES of (records, samples) in ascending order; linear between neighbours (type 7, as numpy)."""
    places = np.asarray(QUANTILES) * (ordered.shape[1] - 1)
    below = places.astype(int)
    low, high = ordered[:, below], ordered[:, np.minimum(below + 1, ordered.shape[1] - 1)]
    found: Seconds = (high - low) * (places - below) + low
    return found
