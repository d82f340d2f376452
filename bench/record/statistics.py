"""Figures from samples, by the standard library alone. Durations in, durations out, in whatever unit came
in."""

import math
import random
from typing import List, NamedTuple, Optional, Sequence, Tuple

from bench.record import bootstrap
from bench.record.distributions import binomial_tail, student_quantile

CONFIDENCE = 0.95
THRESHOLD = 0.01  # relative; a smaller change is not told, however sure: nobody would act on it
EARLY_STOPPING_CONFIDENCE = 0.99  # MLPerf inference rules, early stopping, c

Comparison = NamedTuple(
    "Comparison",
    [
        ("ratio", float),  # b over a: 1.03 means that b takes 3 % longer
        ("low", Optional[float]),
        ("high", Optional[float]),
        ("differs", Optional[bool]),  # the interval excludes 1, and the ratio is off by the threshold or more
    ],
)
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
    slowest of the rest is reported. Source: mlcommons/inference, `inference_rules.adoc`,
    `loadgen/early_stopping.cc`.
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


def medians(processes: Sequence[Sequence[float]]) -> List[float]:
    """The median of every process."""
    return [median(p) for p in processes]


def median_interval(processes: Sequence[Sequence[float]]) -> Interval:
    """The typical duration with its 95 % interval: the medians of fresh processes, averaged, by Student's t.

    The process is what repeats: samples inside one share its memory layout, its threads' placement, its
    moment. With three of them a percentile bootstrap over processes covers 75 % where it says 95 % (see
    tests/performance/bench_statistics.py); the t interval keeps its word. Of a single process only the noise
    inside it is known: block bootstrap, `processes` is 1 and the reader must say so.
    """
    values = medians(processes)
    count, centre = len(values), math.fsum(values) / len(values)
    if count == 1:
        off, tail = bootstrap.deviations(processes[0], centre, random.Random(1)), (1 - CONFIDENCE) / 2
        return Interval(centre, centre + quantile(off, tail), centre + quantile(off, 1 - tail), 1)
    half = student_quantile((1 + CONFIDENCE) / 2, count - 1) * math.sqrt(
        _squares(values) / (count - 1) / count
    )
    return Interval(centre, centre - half, centre + half, count)


def compare(
    a: Sequence[Sequence[float]], b: Sequence[Sequence[float]], threshold: float = THRESHOLD
) -> Comparison:
    """How many times as long b takes as a: ratio of the typical durations with its 95 % interval.

    a, b: one series of samples a fresh process. Student's t on the logarithms of the process medians,
    variance pooled, as processes of one machine scatter alike. `differs` is None with fewer than three
    processes in all.
    """
    logs = [[math.log(m) for m in medians(side)] for side in (a, b)]
    means = [math.fsum(side) / len(side) for side in logs]
    shift, degrees = means[1] - means[0], len(a) + len(b) - 2
    if degrees < 1:
        return Comparison(math.exp(shift), None, None, None)
    variance = (_squares(logs[0]) + _squares(logs[1])) / degrees
    return _told(shift, math.sqrt(variance * (1.0 / len(a) + 1.0 / len(b))), degrees, threshold)


def compare_turns(
    rounds: Sequence[Sequence[Tuple[float, float]]], threshold: float = THRESHOLD
) -> Comparison:
    """How many times as long b takes as a, from neighbouring turns; one series of (a, b) a round.

    A round's logarithm is the median over its pairs, which a turn that met a change of the machine's speed
    does not move; Student's t over the rounds, whose processes are fresh.
    """
    shifts = [median([math.log(b / a) for a, b in pairs]) for pairs in rounds]
    shift = math.fsum(shifts) / len(shifts)
    if len(shifts) < 2:
        return Comparison(math.exp(shift), None, None, None)
    degrees = len(shifts) - 1
    return _told(shift, math.sqrt(_squares(shifts) / degrees / len(shifts)), degrees, threshold)


def _told(shift: float, error: float, degrees: int, threshold: float) -> Comparison:
    """What a mean logarithm with its standard error says of the ratio."""
    half = student_quantile((1 + CONFIDENCE) / 2, degrees) * error
    differs = not shift - half <= 0 <= shift + half and abs(math.expm1(shift)) >= threshold
    return Comparison(math.exp(shift), math.exp(shift - half), math.exp(shift + half), differs)


def _squares(values: Sequence[float]) -> float:
    """The sum of squared deviations from the mean."""
    mean = math.fsum(values) / len(values)
    return math.fsum((v - mean) ** 2 for v in values)
