"""A measured network moved to a figure nearby: few widths, by little, so that its measurement still holds.

A device's model errs differently on every network, but hardly on two that share all widths but one. Where a
network was measured a little beside a budget, single widths are moved until the model predicts that the
difference is made up for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

from bench.scaling.budgets import COUNTS, BudgetTask
from bench.scaling.direction import FAITH, Direction, worth

STEPS = (1, 2, 4, 8)  # units that a width is moved by at once
REACH, UNITS = 0.12, 2  # how far from where it was: a fraction of it, or units, whichever is more
SETTLED = 0.002  # of a limit: near enough
TOUCHED = 0.02  # of the parameters, that leaving a width as it was measured is worth
GOOD = 0.5  # share of what is missing that a move should make up for, so that few widths are moved

Allowed = Callable[[int, int], bool]  # (layer, width)


def nudged(
    task: BudgetTask, direction: Direction, start: Sequence[int], allowed: Allowed = lambda layer, width: True
) -> list[int]:
    """Move single widths of `start` until it takes what the limits of `task` allow on the device.

    Of the moves that lead there, the one that keeps the most parameters nearest to the direction. Counts stay
    within their limits, and no shortcut comes or goes. What is left of a budget is used by wider layers only,
    never by widths that are dear. Ends where no move comes nearer, which may be anywhere.
    """
    found, shape = list(start), _shape(task, start)
    while abs(missing := _missing(task, found)) > SETTLED:
        candidates = _moves(task.unit, found, start, allowed, narrower=missing < 0)
        alike = [each for each in candidates if _shape(task, each) == shape]
        task.look_ahead(alike)
        moves = [
            (each, left)
            for each in alike
            if _counted(task, each) and abs(left := _missing(task, each)) < abs(missing)
        ]
        if not moves:
            break
        there = [each for each, left in moves if abs(left) <= SETTLED]
        good = [each for each, left in moves if abs(left) <= (1 - GOOD) * abs(missing)]
        fallback = [min(moves, key=lambda move: abs(move[1]))[0]]
        found = max(there or good or fallback, key=lambda each: _score(task, direction, each, start))
    return found


def _shape(task: BudgetTask, widths: Sequence[int]) -> object:
    return task.architecture.network(widths, task.dataset).projections()


def _missing(task: BudgetTask, widths: Sequence[int]) -> float:
    """ln of the tightest budget of the device over the model's prediction; negative beyond it."""
    figures = task.figures(widths)
    return min(math.log(limit / figures[name]) for name, limit in task.limits.items() if name not in COUNTS)


def _counted(task: BudgetTask, widths: Sequence[int]) -> bool:
    figures = task.figures(widths)
    return all(figures[name] <= limit for name, limit in task.limits.items() if name in COUNTS)


def _moves(
    unit: int, widths: Sequence[int], start: Sequence[int], allowed: Allowed, narrower: bool
) -> Iterator[list[int]]:
    for layer, width in enumerate(widths):
        reach = max(UNITS * unit, REACH * start[layer])
        for step in (sign * unit * units for units in STEPS for sign in ((1, -1) if narrower else (1,))):
            moved = width + step
            if moved >= unit and abs(moved - start[layer]) <= reach and allowed(layer, moved):
                yield [*widths[:layer], moved, *widths[layer + 1 :]]


def _score(task: BudgetTask, direction: Direction, widths: Sequence[int], start: Sequence[int]) -> float:
    kept = worth(task.architecture, task.dataset, widths)
    moved = sum(a != b for a, b in zip(widths, start, strict=True))
    return kept - FAITH * direction.nearest(widths)[1] ** 2 - TOUCHED * moved
