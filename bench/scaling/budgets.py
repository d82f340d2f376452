"""The largest network of a method within budgets: parameters, MACs, and what a device's model predicts.

Limits are in base units (parameters, MACs, seconds, bytes); several may hold at once. Widths are a step of
the method's rounded curve, the largest that every budget allows, then filled: single widths, or groups of
them, are raised by one unit where the budgets allow it, those first that depart least from the curve.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from bench.scaling.direction import Direction
from bench.scaling.errors import UnreachableError
from bench.scaling.solve import FARTHEST, FARTHEST_UNITS, LARGEST, departure
from bench.zoo import Architecture, Dataset

Figures = Callable[[Sequence[int]], Mapping[str, float]]

UNITS = {"params": " parameters", "macs": " MACs"}
COUNTS = ("params", "macs")  # grow with every width; a device's figures need not
SCAN, AROUND = 0.005, 1.2  # of x: steps of the curve that are looked at, where figures do not only grow
FULL = 0.999  # of the tightest budget: nothing is filled beyond
FARTHEST_X = 60.0  # from the default network: exp(60) is far beyond any


@dataclass(frozen=True)
class BudgetTask:
    """What widths are wanted for; `figures` gives at least the quantities of `limits`.

    look_ahead: called with networks whose figures will be asked for, where many at once take less time.
    """

    architecture: Architecture
    dataset: Dataset
    limits: Mapping[str, float]
    figures: Figures
    unit: int = 1
    look_ahead: Callable[[Sequence[Sequence[int]]], None] = lambda networks: None

    def use(self, widths: Sequence[int]) -> float:
        """Return the largest share of a budget that a network takes; above 1 it does not fit."""
        found = self.figures(widths)
        return max(found[name] / limit for name, limit in self.limits.items())

    def step(self, widths: Sequence[float]) -> list[int]:
        """Return the nearest multiples of the unit, halves up, at least one."""
        return [self.unit * max(1, math.floor(w / self.unit + 0.5)) for w in widths]


def counts(architecture: Architecture, dataset: Dataset) -> Figures:
    """Return parameters and MACs as figures."""

    def figures(widths: Sequence[int]) -> Mapping[str, float]:
        cost = architecture.cost(widths, dataset)
        return {"params": cost.params, "macs": cost.macs}

    return figures


def largest(task: BudgetTask, direction: Direction, together: bool) -> list[int]:
    """Return the widths nearest to a direction that are as large as the budgets allow.

    `together`: layers of one default width are raised together as long as that fits (uniform). Raises
    UnreachableError where even the smallest network is too large, and names it.
    """
    x = crossing(task, direction)
    widths, x = _largest_step(task, direction, x)
    default = task.architecture.default_widths
    single = [[i] for i in range(len(default))]
    equal = [[i for i, w in enumerate(default) if w == width] for width in dict.fromkeys(default)]
    real = direction.widths(x)
    if together:
        widths = _filled(task, widths, real, equal)
    return _filled(task, widths, real, single)


def crossing(task: BudgetTask, direction: Direction) -> float:
    """Return an x where the rounded curve goes beyond the budgets.

    UnreachableError where it does everywhere.
    """

    def fits(x: float) -> bool:
        return task.use(task.step(direction.widths(x))) <= 1

    low = high = start = direction.nearest(task.architecture.default_widths)[0]
    width = 0.25
    while not fits(low):
        if max(task.step(direction.widths(low))) == task.unit:
            return _cheapest(task, direction, low, start)
        low, width = low - width, width * 2
    width = 0.25
    while fits(high):
        high, width = high + width, width * 2
        if high > start + FARTHEST_X or _size(task, direction.widths(high)) > LARGEST:
            raise UnreachableError(
                f"{_where(task)}: the budget is beyond reason (limit {LARGEST:.0e} parameters); give less"
            )
    while high - low > 1e-9:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _cheapest(task: BudgetTask, direction: Direction, low: float, high: float) -> float:
    """The x of the network that takes least of the budgets, refused where that is too much.

    On a device it need not be the smallest one: 8 channels may cost less than 1.
    """
    count = 1 if set(task.limits) <= set(COUNTS) else max(1, math.ceil((high - low) / (10 * SCAN)))
    points = [low + (high - low) * n / count for n in range(count)]
    task.look_ahead([task.step(direction.widths(x)) for x in points])
    x = min(points, key=lambda x: task.use(task.step(direction.widths(x))))
    if task.use(task.step(direction.widths(x))) > 1:
        refuse(task, task.step(direction.widths(x)))
    return x


def _size(task: BudgetTask, widths: Sequence[float]) -> float:
    return float(task.architecture.network(widths, task.dataset).cost(task.dataset.size)[0].params)


def _largest_step(task: BudgetTask, direction: Direction, x: float) -> tuple[list[int], float]:
    """The largest step of the rounded curve within the budgets, and its x, known to lie at `x` or beyond."""
    if not set(task.limits) <= set(COUNTS):
        places = [x + SCAN * n for n in range(round(AROUND / SCAN), 0, -1)]
        steps = [task.step(direction.widths(each)) for each in places]
        task.look_ahead(steps)
        for each, widths in zip(places, steps, strict=True):
            if task.use(widths) <= 1:
                return widths, each
    return task.step(direction.widths(x)), x


def _filled(
    task: BudgetTask, widths: list[int], real: Sequence[float], groups: Sequence[Sequence[int]]
) -> list[int]:
    """Raise groups by a unit while the budgets allow it, the least departure from `real` first."""

    def shape(candidate: Sequence[int]) -> object:
        return task.architecture.network(candidate, task.dataset).projections()

    wanted = shape(widths)
    while (now := task.use(widths)) < FULL:
        raised = [
            [w + task.unit * (i in group) for i, w in enumerate(widths)]
            for group in groups
            if all(near(widths[i] + task.unit, real[i], task.unit) for i in group)
        ]
        raised = [each for each in raised if shape(each) == wanted]
        task.look_ahead(raised)
        fitting = [each for each in raised if now - 1e-9 <= task.use(each) <= 1]
        if not fitting:
            break
        widths = min(fitting, key=lambda each: departure(each, real))
    return widths


def near(width: int, real: float, unit: int) -> bool:
    """Return whether a width is what a method may make of a real one: two units or 5 % beside it at most."""
    return abs(width - real) <= max(FARTHEST_UNITS * unit, FARTHEST * real)


def _where(task: BudgetTask) -> str:
    return f"{task.architecture.name} on {task.dataset.name}"


def refuse(task: BudgetTask, widths: Sequence[int]) -> NoReturn:
    """Raise UnreachableError: the smallest network, and by which figures it is over the budgets."""
    found = task.figures(widths)
    over = [name for name, limit in task.limits.items() if found[name] > limit]
    least = " and ".join(
        f"{shown(name, found[name])}{UNITS.get(name, '')} (asked: {shown(name, task.limits[name])}"
        f"{UNITS.get(name, '')})"
        for name in over
    )
    raise UnreachableError(
        f"{_where(task)}: the budget cannot be reached; the least is {least}, with the widths "
        f"{' '.join(map(str, widths))}",
        widths,
        found,
    )


def shown(name: str, value: float) -> str:
    """Return a figure with its unit, where it has one; `unknown` where nobody knows it."""
    value = float(value)
    if math.isnan(value):
        return "unknown"
    if name == "latency":
        return f"{_digits(value * 1e3)} ms"
    return f"{_digits(value / 1e6)} MB" if name == "memory" else f"{value:,.0f}"


def _digits(value: float) -> str:
    """Four significant digits, and whole numbers from 10,000 on in place of an exponent."""
    return f"{value:,.0f}" if 9999.5 <= abs(value) < 1e15 else f"{value:.4g}"
