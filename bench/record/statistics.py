"""Figures from samples, by the standard library alone. Durations in, durations out, in whatever unit came
in."""

import math
from typing import List, NamedTuple, Optional, Sequence

from bench.record.distributions import binomial_tail, student_quantile

CONFIDENCE = 0.95
EARLY_STOPPING_CONFIDENCE = 0.99  # MLPerf inference rules, early stopping, c

Interval = NamedTuple("Interval", [("estimate", float), ("low", float), ("high", float), ("processes", int)])


def quantile(ordered: Sequence[float], p: float) -> float:
    """The p-quantile of ascending values, linear between neighbours (type 7 of Hyndman and Fan, numpy's
    default)."""
    position = (len(ordered) - 1) * p
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def median(values: Sequence[float]) -> float:
    """The median of values in any order."""
    return quantile(sorted(values), 0.5)


def discarded(n: int, p: float) -> int:
    """How many of the slowest of n samples may exceed the p-quantile, by chance 1 - c at most; 0: too few
    samples."""
    low, high = 0, n
    while low < high:  # the largest t with P(Binomial(n, 1 - p) <= t) <= 1 - c
        middle = (low + high + 1) // 2
        if binomial_tail(n, 1 - p, middle) <= 1 - EARLY_STOPPING_CONFIDENCE:
            low = middle
        else:
            high = middle - 1
    return low


def early_stopping(ordered: Sequence[float], p: float) -> Optional[float]:
    """MLPerf's early-stopping estimate of the p-quantile of ascending values; None below 64 (p90), 662 (p99).

    An upper bound with confidence 0.99 if samples are independent: the t - 1 slowest are set aside, the
    slowest of
    the rest is reported. Source: mlcommons/inference, `inference_rules.adoc`, `loadgen/early_stopping.cc`.
    """
    t = discarded(len(ordered), p)
    return ordered[len(ordered) - t] if t >= 1 else None


def drift(samples: Sequence[float]) -> Optional[float]:
    """Relative change of the median from the first third to the last third; None for fewer than 30
    samples."""
    third = len(samples) // 3
    if third < 10:
        return None
    return median(samples[-third:]) / median(samples[:third]) - 1


def autocorrelation(samples: Sequence[float]) -> float:
    """Lag-1 autocorrelation; 0 where nothing varies."""
    mean = math.fsum(samples) / len(samples)
    deviations = [x - mean for x in samples]
    total = math.fsum(d * d for d in deviations)
    return math.fsum(a * b for a, b in zip(deviations, deviations[1:])) / total if total else 0.0


def median_interval(processes: Sequence[Sequence[float]]) -> Optional[Interval]:
    """The typical duration over fresh processes with its 95 % interval; None with fewer than two
    processes."""
    medians = [median(p) for p in processes]
    count = len(medians)
    if count < 2:
        return None
    centre = math.fsum(medians) / count
    variance = math.fsum((m - centre) ** 2 for m in medians) / (count - 1)
    half = student_quantile((1 + CONFIDENCE) / 2, count - 1) * math.sqrt(variance / count)
    return Interval(centre, centre - half, centre + half, count)


def medians(processes: Sequence[Sequence[float]]) -> List[float]:
    """The median of every process."""
    return [median(p) for p in processes]
