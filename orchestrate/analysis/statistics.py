"""Estimates with intervals: few replicates, stated honestly.

Two situations. A handful of processes of one job: Student's t, as `bench.record.statistics` has it. A sample
of pairs: a bootstrap of the mean logarithm with expanded percentiles (Hesterberg, 'What Teachers Should Know
About the Bootstrap', 2015: percentiles widened so that small samples are covered as a t interval would). A
pair's ratio carries the noise of its two jobs, so resampling pairs carries it on; adding the noise once more
would count it twice.
"""

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench.record import distributions, statistics

LEVEL = statistics.CONFIDENCE
RESAMPLES = 10_000
SEED = 20_200_620  # of the bootstrap: the same records give the same bytes
FEWEST = 3  # pairs that an interval over pairs needs
FEWEST_RESAMPLED = 10  # below, resamples cannot reach beyond the pairs: Student's interval on logarithms


class Estimate(NamedTuple):
    """A figure and its interval; `low` and `high` are NaN where `n` replicates allow none."""

    value: float
    low: float
    high: float
    n: int

    @property
    def known(self) -> bool:
        """Whether there is an interval at all."""
        return math.isfinite(self.low) and math.isfinite(self.high)


NOTHING = Estimate(math.nan, math.nan, math.nan, 0)


@lru_cache(maxsize=4096)
def t_quantile(probability: float, freedom: float) -> float:
    """Quantile of Student's t for `probability` from 0.5 to 1."""
    return distributions.student_quantile(probability, freedom)


def of_processes(values: Sequence[float], level: float = LEVEL, middle: bool = False) -> Estimate:
    """Mean of `values`, one a process (`middle`: median), with Student's interval; none from one process."""
    count = len(values)
    if not count:
        return NOTHING
    mean = math.fsum(values) / count
    value = statistics.median(values) if middle else mean
    if count < 2:
        return Estimate(value, math.nan, math.nan, count)
    half = t_quantile((1 + level) / 2, count - 1) * math.sqrt(_squares(values, mean) / (count - 1) / count)
    return Estimate(value, mean - half, mean + half, count)


def _squares(values: Sequence[float], mean: float) -> float:
    return math.fsum((value - mean) ** 2 for value in values)


class Difference(NamedTuple):
    """Difference of two mean logarithms, its standard error, and the degrees of freedom of that."""

    value: float
    error: float
    freedom: int

    @property
    def p(self) -> float:
        """Two-sided probability of a difference as large as this where there is none; 1 if unknown."""
        if self.freedom < 1:
            return 1.0
        if self.error == 0:
            return 0.0 if self.value else 1.0
        return 2 * (1 - distributions.student_tail(abs(self.value) / self.error, self.freedom))


def difference(above: Sequence[float], below: Sequence[float]) -> Difference:
    """How far the positive values of two jobs' processes are apart in logarithms; variance pooled.

    The arithmetic of `bench.record.statistics.compare`, from medians that are known already.
    """
    logs = [[math.log(value) for value in side] for side in (above, below)]
    a, b = (math.fsum(side) / len(side) for side in logs)
    freedom = len(above) + len(below) - 2
    if freedom < 1:
        return Difference(a - b, math.nan, 0)
    variance = (_squares(logs[0], a) + _squares(logs[1], b)) / freedom
    return Difference(a - b, math.sqrt(variance * (1 / len(above) + 1 / len(below))), freedom)


def of_ratio(above: Sequence[float], below: Sequence[float], level: float = LEVEL) -> Estimate:
    """Ratio of two jobs from their processes' positive values, with Student's interval on logarithms."""
    apart = difference(above, below)
    half = t_quantile((1 + level) / 2, apart.freedom) * apart.error if apart.freedom else math.nan
    low, high = (math.exp(apart.value + side * half) for side in (-1, 1))
    return Estimate(math.exp(apart.value), low, high, min(len(above), len(below)))


@lru_cache(maxsize=64)
def _draws(count: int) -> NDArray[np.float64]:
    """How often each of `count` pairs is drawn in each resample; fixed: a rebuild gives the same bytes."""
    generator = np.random.default_rng([SEED, count])
    return generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(float)


def of_pairs(ratios: ArrayLike, level: float = LEVEL) -> Estimate:
    """Geometric mean of the `ratios` of pairs with its interval over pairs; none from fewer than three."""
    return of_columns(np.asarray(ratios, dtype=float).reshape(-1, 1), level)[0]


def of_columns(ratios: NDArray[np.float64], level: float = LEVEL) -> list[Estimate]:
    """`of_pairs` for each column of (pairs, columns); a NaN is a pair that lacks the figure."""
    logs, found = np.log(ratios), [NOTHING] * ratios.shape[1]
    masks = np.isfinite(logs)
    for mask in np.unique(masks, axis=1).T if len(ratios) else ():
        alike = np.flatnonzero((masks == mask[:, None]).all(axis=0))
        for column, estimate in zip(alike, _of_logs(logs[np.ix_(mask, alike)], level), strict=True):
            found[column] = estimate
    return found


def _of_logs(logs: NDArray[np.float64], level: float) -> list[Estimate]:
    """Estimates for the columns of finite (pairs, columns)."""
    count, centre = len(logs), logs.mean(axis=0) if len(logs) else np.empty(0)
    if not count:
        return [NOTHING] * logs.shape[1]
    if count < FEWEST:
        return [Estimate(math.exp(mean), math.nan, math.nan, count) for mean in centre]
    student = t_quantile((1 + level) / 2, count - 1)
    if count < FEWEST_RESAMPLED:
        half = student * logs.std(axis=0, ddof=1) / math.sqrt(count)
        low, high = centre - half, centre + half
    else:
        tail = NormalDist().cdf(-math.sqrt(count / (count - 1)) * student)
        low, high = np.quantile(_draws(count) @ (logs / count), [tail, 1 - tail], axis=0)
    ends = zip(np.exp(centre).tolist(), np.exp(low).tolist(), np.exp(high).tolist(), strict=True)
    return [Estimate(*each, count) for each in ends]


def of_share(percent: float, images: int) -> Estimate:
    """A share of `images`, in percent, with Wilson's interval (1927): other images give another share."""
    if not images > 0 or math.isnan(percent):
        return Estimate(percent, math.nan, math.nan, 0)
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    share, scale = percent / 100, 1 + z * z / images
    centre = (share + z * z / (2 * images)) / scale
    half = z * math.sqrt(share * (1 - share) / images + (z / (2 * images)) ** 2) / scale
    return Estimate(percent, 100 * (centre - half), 100 * (centre + half), images)


def of_seeds(mean: float, std: float, seeds: int) -> Estimate:
    """A mean over trainings from several seeds, by Student's t; one seed tells no interval."""
    if seeds < 2 or math.isnan(std):
        return Estimate(mean, math.nan, math.nan, seeds)
    half = t_quantile((1 + LEVEL) / 2, seeds - 1) * std / math.sqrt(seeds)
    return Estimate(mean, mean - half, mean + half, seeds)
