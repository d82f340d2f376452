"""Estimates with intervals: few replicates, stated honestly.

Two situations. A handful of processes of one job: Student's t, as `bench.record.statistics` has it. A sample
of pairs: a bootstrap of the mean logarithm with expanded percentiles (Hesterberg, 'What Teachers Should Know
About the Bootstrap', 2015: percentiles widened so that small samples are covered as a t interval would). A
pair's ratio carries the noise of its two jobs, so resampling pairs carries it on; adding the noise once more
would count it twice.
"""

import math
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


def of_processes(values: ArrayLike, level: float = LEVEL, middle: bool = False) -> Estimate:
    """Mean of `values`, one a process (`middle`: median), with Student's interval; none from one process."""
    numbers = np.asarray(values, dtype=float)
    count = len(numbers)
    if not count:
        return NOTHING
    mean = float(numbers.mean())
    value = float(np.median(numbers)) if middle else mean
    if count < 2:
        return Estimate(value, math.nan, math.nan, count)
    half = t_quantile((1 + level) / 2, count - 1) * float(numbers.std(ddof=1)) / math.sqrt(count)
    return Estimate(value, mean - half, mean + half, count)


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


def difference(above: ArrayLike, below: ArrayLike) -> Difference:
    """How far the positive values of two jobs' processes are apart in logarithms; variance pooled.

    The arithmetic of `bench.record.statistics.compare`, from medians that are known already.
    """
    a, b = np.log(np.asarray(above, dtype=float)), np.log(np.asarray(below, dtype=float))
    value, freedom = float(a.mean() - b.mean()), len(a) + len(b) - 2
    if freedom < 1:
        return Difference(value, math.nan, 0)
    variance = (float(((a - a.mean()) ** 2).sum()) + float(((b - b.mean()) ** 2).sum())) / freedom
    return Difference(value, math.sqrt(variance * (1 / len(a) + 1 / len(b))), freedom)


def of_ratio(above: ArrayLike, below: ArrayLike, level: float = LEVEL) -> Estimate:
    """Ratio of two jobs from their processes' positive values, with Student's interval on logarithms."""
    apart = difference(above, below)
    half = t_quantile((1 + level) / 2, apart.freedom) * apart.error if apart.freedom else math.nan
    low, high = (math.exp(apart.value + side * half) for side in (-1, 1))
    return Estimate(math.exp(apart.value), low, high, min(np.size(above), np.size(below)))


@lru_cache(maxsize=64)
def _draws(count: int) -> NDArray[np.float64]:
    """How often each of `count` pairs is drawn in each resample; fixed: a rebuild gives the same bytes."""
    generator = np.random.default_rng([SEED, count])
    return generator.multinomial(count, np.full(count, 1 / count), size=RESAMPLES).astype(float)


def of_pairs(ratios: ArrayLike, level: float = LEVEL) -> Estimate:
    """Geometric mean of the `ratios` of pairs with its interval over pairs; none from fewer than three."""
    logs = np.log(np.asarray(ratios, dtype=float))
    count = len(logs)
    if not count:
        return NOTHING
    mean = float(logs.mean())
    if count < FEWEST:
        return Estimate(math.exp(mean), math.nan, math.nan, count)
    if count < FEWEST_RESAMPLED:
        half = t_quantile((1 + level) / 2, count - 1) * float(logs.std(ddof=1)) / math.sqrt(count)
        return Estimate(*(math.exp(mean + side * half) for side in (0, -1, 1)), count)
    tail = NormalDist().cdf(-math.sqrt(count / (count - 1)) * t_quantile((1 + level) / 2, count - 1))
    low, high = np.quantile(_draws(count) @ logs / count, [tail, 1 - tail])
    return Estimate(math.exp(mean), math.exp(low), math.exp(high), count)
