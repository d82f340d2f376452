"""The real x at which a network has the target size: what bisecting gives, in a fifth of its steps."""

import math
from collections.abc import Callable

import pytest

from bench.scaling.solve import real_root

SIZES: dict[str, Callable[[float], float]] = {
    "powers": lambda x: 3e3 + math.exp(9 + 1.7 * x) + math.exp(11 + 0.3 * x),
    "straight": lambda x: math.exp(14 + 2 * x),
    "steep": lambda x: math.exp(12 + 60 * x),
    "a floor": lambda x: 1e5 + math.exp(8 * x),
    "none below a point": lambda x: math.exp(min(900 * x, 700)),  # 0.0 at -1: it has no logarithm
    "a step": lambda x: 1e3 if x < 0.7 else 1e7,
}


def bisected(size: Callable[[float], float], target: float) -> float:
    low, high = -8.0, 8.0
    while low < (middle := 0.5 * (low + high)) < high:
        low, high = (middle, high) if size(middle) < target else (low, middle)
    return high


@pytest.mark.parametrize("target", [1.3e5, 4e6])
@pytest.mark.parametrize("name", SIZES)
def test_it_is_where_bisecting_ends(name: str, target: float) -> None:
    size, calls = SIZES[name], []

    def counted(x: float) -> float:
        calls.append(x)
        return size(x)

    found = real_root(counted, target, 0.0)
    assert found == pytest.approx(bisected(size, target), abs=1e-15)
    assert name not in ("powers", "straight", "steep") or len(calls) < 40
