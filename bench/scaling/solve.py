"""From a target size to widths: a bracketing root finder, and the repair of what rounding leaves.

A method is a *curve*: one real number x (the logarithm of tau, or of the multiplier) to real widths, which
grow with x. Its integer widths are a staircase along that curve. `real_root` finds the x whose real widths
have the target size; `nearest_step` the step of the staircase that comes closest; `repair` moves single
widths, or groups of them, by one unit where even that step is too far off.
"""

import functools
import math
from collections.abc import Callable, Sequence

from bench.scaling.errors import UnreachableError

Curve = Callable[[float], list[float]]
Size = Callable[[Sequence[float]], float]
Step = Callable[[float], list[int]]

LARGEST = 1e11  # parameters or MACs beyond which a request is a slip of the pen
FARTHEST_UNITS, FARTHEST = 2, 0.05  # how far a repair may move a width: steps, or a fraction of it
SECANTS, NEAR, GAP = 12, 1e-9, 1e-13  # at most; a step that ends them; the bracket left (of x, or of one)
SPAN = 200.0  # how far ln tau is searched; exp(200) is far beyond any network


def real_root(size: Callable[[float], float], target: float, start: float) -> float:
    """Return the x where the increasing `size` crosses `target`, to the last bit that matters.

    Raises UnreachableError if there is none within SPAN of `start`.
    """
    low, high = _narrowed(size, target, *_bracket(size, target, start))
    while True:
        middle = 0.5 * (low + high)
        if middle <= low or middle >= high:
            return low if target - size(low) <= size(high) - target else high
        if size(middle) < target:
            low = middle
        else:
            high = middle


def nearest_step(step: Step, size: Size, target: float, start: float) -> list[int]:
    """Return the integer widths on the staircase `step` whose size comes nearest to `target`."""
    known = functools.cache(size)  # two points between the same steps have the same widths

    def of_step(x: float) -> float:
        return known(tuple(step(x)))

    low, high = _bracket(of_step, target, start)
    while high - low > 1e-12:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if of_step(middle) < target else (low, middle)
    return min(step(high), step(low), key=lambda widths: abs(size(widths) - target))


def repair(
    widths: list[int],
    real: Sequence[float],
    size: Size,
    shape: Callable[[Sequence[int]], object],
    target: float,
    tolerance: float,
    unit: int,
    groups: Sequence[Sequence[int]],
) -> list[int]:
    """Move single `groups` of layers by `unit` until the size is within `tolerance` (a fraction) of `target`.

    Each move brings the size nearer; among those that do, the one that departs least from the `real` widths
    for what it mends is taken. No move may change `shape`, so that none adds or drops a shortcut, nor lead
    further than two units or 5% from a real width, which is another network. When no single move helps,
    pairs (one up, one down) are tried; when they do not either, the widths come back as they are.
    """
    wanted = shape(widths)
    reach = [max(FARTHEST_UNITS * unit, FARTHEST * r) for r in real]

    def improved(candidates: list[list[int]], error: float) -> list[int] | None:
        before = departure(widths, real)
        best, price = None, math.inf
        for candidate in candidates:
            near = _within_reach(candidate, widths, real, reach)
            if not near or (mended := error - abs(size(candidate) - target)) <= 0:
                continue
            paid = (departure(candidate, real) - before) / mended
            if paid < price and shape(candidate) == wanted:
                best, price = candidate, paid
        return best

    while (error := abs(size(widths) - target)) > tolerance * target:
        moves, swaps = _moves(widths, unit, groups), _swaps(widths, unit, groups)
        better = improved(moves, error) or improved(swaps, error)
        if better is None:
            break
        widths = better
    return widths


def _within_reach(
    candidate: Sequence[int], widths: Sequence[int], real: Sequence[float], reach: Sequence[float]
) -> bool:
    """Whether each width that differs from `widths` is within `reach` of its real one."""
    moved = zip(candidate, widths, real, reach, strict=True)
    return all(w == before or abs(w - r) <= limit for w, before, r, limit in moved)


def _bracket(size: Callable[[float], float], target: float, start: float) -> tuple[float, float]:
    """Numbers around `start` with size(low) < target <= size(high)."""
    width = 0.25
    low = high = start
    while size(low) >= target:
        low, width = low - width, width * 2
        if low < start - SPAN:
            raise UnreachableError(f"every network on this curve is larger than {target:,.0f}")
    width = 0.25
    while size(high) < target:
        high, width = high + width, width * 2
        if high > start + SPAN:
            raise UnreachableError(f"no network on this curve reaches {target:,.0f}")
    return low, high


def _narrowed(size: Callable[[float], float], target: float, low: float, high: float) -> tuple[float, float]:
    """The bracket, drawn in by secants of ln(size), nearly straight in x: bisecting takes 50 steps."""
    if size(low) <= 0:  # so small that it has no logarithm, as products without a constant term become
        return low, high
    before, x, error = low, high, math.log(size(low) / target)
    for _ in range(SECANTS):
        now = math.log(size(x) / target)
        if now == error or abs(x - before) < NEAR * max(1.0, abs(x)):
            break
        secant = x - now * (x - before) / (now - error)
        before, x, error = x, min(max(secant, low), high), now
    gap = GAP * max(1.0, abs(x))
    if low < x - gap and size(x - gap) < target:
        low = x - gap
    if high > x + gap and size(x + gap) >= target:
        high = x + gap
    return low, high


def departure(widths: Sequence[int], real: Sequence[float]) -> float:
    """Return the sum of squared relative differences: many small departures are better than one large."""
    return math.fsum((w / max(r, 1.0) - 1) ** 2 for w, r in zip(widths, real, strict=True))


def _moves(
    widths: list[int], unit: int, groups: Sequence[Sequence[int]], steps: Sequence[int] = (1, -1)
) -> list[list[int]]:
    """Every vector with one group of layers a unit up or down."""
    moved = [
        [w + step * unit if i in group else w for i, w in enumerate(widths)]
        for group in groups
        for step in steps
    ]
    return [vector for vector in moved if min(vector) >= unit]


def _swaps(widths: list[int], unit: int, groups: Sequence[Sequence[int]]) -> list[list[int]]:
    """Every vector with one group a unit up and another a unit down."""
    up = _moves(widths, unit, groups, steps=(1,))
    return [move for one in up for move in _moves(one, unit, groups, steps=(-1,)) if move != widths]
