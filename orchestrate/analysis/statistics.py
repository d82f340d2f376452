"""Estimates with intervals, computed here and nowhere else.

Two situations. A handful of processes of one job: Student's t over the processes. Pairs of networks: networks
of one architecture resemble each other, so the architecture is what repeats. Student's t over the means of
the architectures ('cluster summary', Donald and Lang 2007, 'Inference with Difference-in-Differences and
Other Panel Data') keeps its word with three or four of them; an interval over pairs taken as independent
does not. A pair's ratio carries the noise of its two jobs, so the scatter of pairs has it already.
"""

import math
from collections.abc import Hashable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95
FEWEST = 3  # pairs that an interval over pairs needs
FEWEST_GROUPS = 2  # architectures that it needs: from one nobody knows how much another differs
EARLY_STOPPING_CONFIDENCE = 0.99  # MLPerf inference rules, early stopping, c

Floats = NDArray[np.float64]


class Estimate(NamedTuple):
    """A figure and its interval; `low` and `high` are NaN where the replicates allow none.

    `n` counts the replicates; `groups` the architectures that they belong to, where pairs are averaged.
    """

    value: float
    low: float
    high: float
    n: int
    groups: int = 0

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def width(self) -> float:
        """The width of the interval in logarithms; NaN where there is none."""
        return math.log(self.high / self.low) if self.known and self.low > 0 else math.nan


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


def special_functions() -> Any:
    """Return scipy's, loaded when asked for: the summary of few samples in one process needs none."""
    from scipy import special

    return special


@lru_cache(maxsize=4096)
def t_quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t; NaN for unknown freedom."""
    return math.nan if math.isnan(freedom) else float(special_functions().stdtrit(freedom, probability))


def _t_quantiles(probability: float, freedom: Floats) -> Floats:
    """Student's quantiles of many degrees of freedom, of which few are distinct; NaN where unknown."""
    if np.isnan(freedom).all():
        return freedom
    distinct, places = np.unique(freedom, return_inverse=True)
    quantiles: Floats = special_functions().stdtrit(distinct, probability)[places]
    return quantiles


@lru_cache(maxsize=8192)
def discarded(n: int, p: float) -> int:
    """Return how many of the slowest of n samples MLPerf sets aside for the p-quantile; 0: too few samples.

    The largest t with P(Binomial(n, 1 - p) <= t) <= 1 - c.
    """
    if p**n > 1 - EARLY_STOPPING_CONFIDENCE:
        return 0
    special, low, high = special_functions(), 0, n
    while low < high:
        middle = (low + high + 1) // 2
        if special.bdtr(middle, n, 1 - p) <= 1 - EARLY_STOPPING_CONFIDENCE:
            low = middle
        else:
            high = middle - 1
    return low


def early_stopping(ordered: Floats, p: float) -> Floats:
    """Return MLPerf's early-stopping estimate of the p-quantile of values that ascend along the last axis.

    NaN from too few: it needs 64 samples for p90, 662 for p99. An upper bound with confidence 0.99 if
    samples are independent: the t - 1 slowest are set aside, the slowest of the rest is reported. Source:
    mlcommons/inference, `inference_rules.adoc`, `loadgen/early_stopping.cc`.
    """
    kept_back = discarded(ordered.shape[-1], p)
    estimate: Floats = ordered[..., -kept_back] if kept_back else np.full(ordered.shape[:-1], math.nan)
    return estimate


def of_process_rows(values: Floats, level: float = LEVEL) -> tuple[Floats, Floats, Floats]:
    """Return the mean of each row of (jobs, processes) and Student's interval around it.

    Of positive values the geometric mean, with the interval of the mean logarithm: times and sizes scatter by
    factors, and an interval from two processes would begin below 0. A row with another value is averaged as
    it is. NaN is a process that is missing; from one process there is no interval.
    """
    known = np.isfinite(values)
    positive = (values > 0).sum(axis=1) == known.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = np.where(positive[:, None], np.log(values), values)
    found = _student(np.where(known, scaled, np.nan), level)
    mean, low, high = (np.where(positive, np.exp(np.where(positive, each, 0)), each) for each in found)
    return mean, low, high


def _student(values: Floats, level: float) -> tuple[Floats, Floats, Floats]:
    """Return the arithmetic mean of each row and its interval."""
    known = np.isfinite(values)
    count = known.sum(axis=1)
    mean = np.where(known, values, 0).sum(axis=1) / np.where(count, count, np.nan)
    squares = (np.where(known, values - mean[:, None], 0) ** 2).sum(axis=1)
    freedom = np.where(count > 1, count - 1, np.nan)
    half = _t_quantiles((1 + level) / 2, freedom) * np.sqrt(squares / freedom / np.where(count, count, 1))
    return mean, mean - half, mean + half


def of_processes(values: Sequence[float]) -> Estimate:
    """Return `of_process_rows` for one job; NaN without values."""
    found = of_process_rows(np.array([values or [math.nan]], dtype=float))
    value, low, high = (float(each[0]) for each in found)
    return Estimate(value, low, high, len(values))


def adjust_p_values(values: list[float]) -> list[float]:
    """Return Benjamini and Hochberg's adjusted p values, in the order given; NaN, unknown, is no test."""
    from scipy.stats import false_discovery_control  # here: importing it takes more than a second

    known = [p for p in values if not math.isnan(p)]
    adjusted = iter(false_discovery_control(known).tolist() if known else ())
    return [p if math.isnan(p) else next(adjusted) for p in values]


def median(values: Iterable[float]) -> float:
    """Return the median of the values that are known; NaN without any."""
    known = sorted(value for value in values if not math.isnan(value))
    return (known[(len(known) - 1) // 2] + known[len(known) // 2]) / 2 if known else math.nan


def medians(values: Floats) -> Floats:
    """Return the median along the last axis; no value is NaN."""
    ordered, n = np.sort(values, axis=-1), values.shape[-1]
    found: Floats = (ordered[..., (n - 1) // 2] + ordered[..., n // 2]) / 2
    return found


def median_rows(values: Floats) -> Floats:
    """Return the median of each row of (jobs, processes); NaN is a process that is missing."""
    ordered, count = np.sort(values, axis=1), np.isfinite(values).sum(axis=1)
    rows, last = np.arange(len(values)), values.shape[1] - 1
    below, above = (np.clip(at, 0, last) for at in ((count - 1) // 2, count // 2))
    median: Floats = (ordered[rows, below] + ordered[rows, above]) / 2
    return median


class Difference(NamedTuple):
    """Difference of two mean logarithms, its standard error, and the degrees of freedom of that."""

    value: float
    error: float
    freedom: int

    @property
    def p(self) -> float:
        """Two-sided probability of a difference as large as this where there is none; NaN if unknown."""
        return p_value(self.value, self.error, self.freedom)


def p_value(value: float, error: float, freedom: int) -> float:
    """Return Student's two-sided p of `value` where the truth is 0; NaN where nobody knows its error."""
    if freedom < 1:
        return math.nan
    if error == 0:
        return 0.0 if value else 1.0
    return 2 * float(special_functions().stdtr(freedom, -abs(value) / error))


def difference(above: Sequence[float], below: Sequence[float]) -> Difference:
    """Return how far two jobs' positive values, one per process, are apart in logarithms; variance pooled.

    Pooled because processes of one machine scatter alike.
    """
    logs = [np.log(np.asarray(side, dtype=float)) for side in (above, below)]
    shift = float(logs[0].mean() - logs[1].mean())
    freedom = len(above) + len(below) - 2
    if freedom < 1:
        return Difference(shift, math.nan, 0)
    variance = sum(float(((side - side.mean()) ** 2).sum()) for side in logs) / freedom
    return Difference(shift, math.sqrt(variance * (1 / len(above) + 1 / len(below))), freedom)


def of_ratio(above: Sequence[float], below: Sequence[float], level: float = LEVEL) -> Estimate:
    """Return the ratio of two jobs from their processes' positive values; Student's t on logarithms."""
    apart = difference(above, below)
    half = t_quantile((1 + level) / 2, apart.freedom) * apart.error if apart.freedom else math.nan
    low, high = (math.exp(apart.value + side * half) for side in (-1, 1))
    return Estimate(math.exp(apart.value), low, high, min(len(above), len(below)))


def of_ratio_rows(above: Floats, below: Floats, level: float = LEVEL) -> tuple[Floats, Floats, Floats]:
    """Return `of_ratio` for each row of two (pairs, processes); NaN is a process that is missing."""
    logs = [np.log(side) for side in (above, below)]
    known = [np.isfinite(side) for side in logs]
    counts = [each.sum(axis=1) for each in known]
    logs = [np.where(each, side, 0) for each, side in zip(known, logs, strict=True)]
    means = [side.sum(axis=1) / n for side, n in zip(logs, counts, strict=True)]
    squares = sum(
        (np.where(each, side - mean[:, None], 0) ** 2).sum(axis=1)
        for each, side, mean in zip(known, logs, means, strict=True)
    )
    freedom = counts[0] + counts[1] - 2.0
    freedom[freedom < 1] = np.nan
    error = np.sqrt(squares / freedom * (1 / counts[0] + 1 / counts[1]))
    shift, half = means[0] - means[1], _t_quantiles((1 + level) / 2, freedom) * error
    return np.exp(shift), np.exp(shift - half), np.exp(shift + half)


def of_pairs(ratios: ArrayLike, groups: Sequence[Hashable] | None = None, level: float = LEVEL) -> Estimate:
    """Return the geometric mean of pairs' `ratios` with its interval over `groups` (their architectures).

    Each group counts alike, however many pairs it has. Without `groups` each pair is one of its own.
    """
    return of_columns(np.asarray(ratios, dtype=float).reshape(-1, 1), groups, level)[0]


def of_columns(
    ratios: Floats, groups: Sequence[Hashable] | None = None, level: float = LEVEL
) -> list[Estimate]:
    """Return `of_pairs` for each column of (pairs, columns); a NaN is a pair that lacks the figure."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(ratios)
    found, masks = [NOTHING] * ratios.shape[1], np.isfinite(logs)
    numbers = _numbered(range(len(ratios)) if groups is None else groups)
    distinct = {column.tobytes(): column for column in masks.T} if len(ratios) else {}
    for mask in distinct.values():
        alike = np.flatnonzero((masks == mask[:, None]).all(axis=0))
        made = _of_logs(logs[np.ix_(mask, alike)], numbers[mask], level)
        for column, estimate in zip(alike, made, strict=True):
            found[column] = estimate
    return found


def _numbered(groups: Sequence[Hashable]) -> NDArray[np.int64]:
    """0, 1, ... for the distinct groups in order of their first member."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    return np.fromiter(map(numbers.__getitem__, groups), dtype=np.int64, count=len(groups))


def _of_logs(logs: Floats, groups: NDArray[np.int64], level: float) -> list[Estimate]:
    """Estimates for the columns of finite (pairs, columns)."""
    if not len(logs):
        return [NOTHING] * logs.shape[1]
    member = groups[None, :] == np.unique(groups)[:, None]
    means = member @ logs / member.sum(axis=1, keepdims=True)
    count, centre = len(means), means.mean(axis=0)
    half = np.full(len(centre), np.nan)
    if len(logs) >= FEWEST and count >= FEWEST_GROUPS:
        half = t_quantile((1 + level) / 2, count - 1) * means.std(axis=0, ddof=1) / math.sqrt(count)
    ends = (np.exp(each).tolist() for each in (centre, centre - half, centre + half))
    rows = zip(*ends, strict=True)
    return [Estimate(value, low, high, len(logs), count) for value, low, high in rows]


def of_share(percent: float, images: int) -> Estimate:
    """Return a share of `images`, in percent, with Wilson's interval (1927): other images give another."""
    if not images > 0 or math.isnan(percent):
        return Estimate(percent, math.nan, math.nan, 0)
    z = float(special_functions().ndtri((1 + LEVEL) / 2))
    share, scale = percent / 100, 1 + z * z / images
    centre = (share + z * z / (2 * images)) / scale
    half = z * math.sqrt(share * (1 - share) / images + (z / (2 * images)) ** 2) / scale
    return Estimate(percent, 100 * (centre - half), 100 * (centre + half), images)


def of_seeds(mean: float, std: float, seeds: int) -> Estimate:
    """Return a mean over trainings from several seeds, by Student's t; one seed gives no interval."""
    if seeds < 2 or math.isnan(std):
        return Estimate(mean, math.nan, math.nan, seeds)
    half = t_quantile((1 + LEVEL) / 2, seeds - 1) * std / math.sqrt(seeds)
    return Estimate(mean, mean - half, mean + half, seeds)
