"""What a report asks of probability distributions, without waiting for scipy.

`scipy.special` imports numpy's tools for tests and Fortran: as much work as all else that a report of a
hundred records imports. Both functions here are short for the whole numbers that they are asked about, and
tested against scipy, which answers the rest.
"""

import math
from functools import lru_cache

FEW = range(1, 1000)  # degrees of freedom: processes, architectures
FAR = 0.9999  # beyond it the sum of `_within` is too near 1 to be exact


@lru_cache(maxsize=4096)
def t_quantile(probability: float, freedom: float) -> float:
    """Return the quantile of Student's t at a probability from 0.5 to 1; NaN for unknown freedom.

    By Newton's method on the angle whose tangent is t / sqrt(freedom). The probability is concave in it, so
    the steps approach from below and none goes too far.
    """
    if math.isnan(freedom):
        return math.nan
    if freedom not in FEW or probability > FAR:
        from scipy import special

        return float(special.stdtrit(freedom, probability))
    n, angle, step = int(freedom), 0.0, 1.0
    density = 2 / math.sqrt(math.pi) * math.exp(math.lgamma((n + 1) / 2) - math.lgamma(n / 2))
    while step > 1e-9:  # each has about twice the digits of the one before
        step = (2 * probability - 1 - _within(angle, n)) / (density * math.cos(angle) ** (n - 1))
        angle += step
    return math.sqrt(n) * math.tan(angle)


def _within(angle: float, n: int) -> float:
    """P(|T| <= sqrt(n) tan(angle)): Abramowitz and Stegun, 26.7.3 and 26.7.4."""
    odd = n % 2
    term, total = (math.cos(angle) if odd else 1.0), 0.0
    for k in range(2 + odd, n + 1, 2):
        total += term
        term *= math.cos(angle) ** 2 * (k - 1) / k
    total *= math.sin(angle)
    return 2 / math.pi * (angle + total) if odd else total


def t_below(value: float, freedom: float) -> float:
    """Return the probability that Student's t is below `value`."""
    from scipy import special

    return float(special.stdtr(freedom, value))


@lru_cache(maxsize=8192)
def unlikely(n: int, share: float, probability: float) -> int:
    """Return the largest t with P(Binomial(n, share) <= t) <= probability; 0 where there is none.

    The sum begins nine standard deviations below the mean: what it leaves out is less than 1e-15.
    """
    rest = 1 - share
    t = max(0, int(n * share - 9 * math.sqrt(n * share * rest)))
    ways = math.lgamma(n + 1) - math.lgamma(t + 1) - math.lgamma(n - t + 1)
    term = total = math.exp(ways + t * math.log(share) + (n - t) * math.log(rest))
    while total <= probability:
        t += 1
        term *= (n - t + 1) / t * (share / rest)
        total += term
    return max(0, t - 1)
