"""The `device` method: widths for a budget where a device charges least, near a fit's direction.

Of all networks within the budgets, the one whose *score* is highest: ln(parameters of a point of the fit's
curve) less 20 times the mean squared ln(width) from that point, so that a root mean square departure of 10 %
weighs as much as 20 % of the parameters. Where nothing that is limited depends on the device, half the
relative latency is subtracted besides, so that widths still lie where they cost least.

For one point of the curve the score is a sum over layers and the costs are sums over segments, so that the
best widths are found exactly (`bench.scaling.exact`). Points are tried in steps of 8 % of the parameters,
from the one that the rounded curve reaches: upwards until no candidate is within the budgets, which may be
far where odd widths are dear, downwards until no network can score more.
Candidate widths are the multiples of a power of two that leaves a handful within 40 % of the point's; then
the step is halved, around the best widths, down to the unit, and the multiples of 4, 8 and 16 around them
are tried: each time the best of all combinations.
Last, `raised` takes the channels that cost nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.scaling import exact
from bench.scaling.budgets import COUNTS, BudgetTask, crossing, refuse
from bench.scaling.direction import FAITH, Direction, worth
from bench.scaling.grid import Grid, around, grid, most_candidates, stepping, widths_near
from bench.scaling.segments import PriceList

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PRICE = 0.5  # of the relative latency, where only counts are limited
POINTS = 0.08  # of ln(parameters), between two points that are tried
FAR = 4.0  # ln(parameters): how far above the point that the rounded curve reaches points are tried
DRY = 3  # points one after another at which nothing fits: nothing will
PEAKS = 8  # largest live activations that are tried, where memory is limited
LAST = 3  # times that the best is looked for among neighbours and multiples of 4, 8 and 16
SETTLED = 4  # times that prices are settled about a better network
FREE = 8  # units that a width may be raised where that costs nothing
FULL = 0.997  # of the tightest budget: nothing is filled beyond
TOLERANCE = 1e-3  # of the score: 0.1 % of the parameters


@dataclass(frozen=True)
class Best:
    """The best network found: `x` of the point that it is near to, `score`, and what exactness may lack."""

    widths: list[int]
    x: float
    score: float
    gap: float = 0.0


def best(task: BudgetTask, prices: PriceList, direction: Direction) -> Best:
    """Return the device method's widths. UnreachableError where no candidate is within the budgets.

    Exact for prices that are sums over segments. What weights beyond caches cost is no such sum: it is priced
    as about the network found, again where that is another; the curve's own network is left where that does
    not settle.
    """
    start = crossing(task, direction)
    around = task.step(direction.widths(start))
    for _ in range(SETTLED):
        prices.settle(around)
        found = _best(task, prices, direction, start)
        if task.use(found.widths) <= 1:
            break
        around = found.widths
    if task.use(found.widths) > 1 >= task.use(around := task.step(direction.widths(start))):
        return Best(around, start, 0.0, math.inf)
    return found


def _best(task: BudgetTask, prices: PriceList, direction: Direction, start: float) -> Best:
    """The same by prices that are settled."""
    search, step = _Search(task, prices, direction, start), apart(task, direction, start)
    search.upwards(start, step)
    search.downwards(start - step, step)
    if search.best is None:
        plain = task.step(direction.widths(start))
        if task.use(plain) <= 1:
            return Best(plain, start, 0.0, math.inf)
        refuse(task, plain)
    return search.refined(step)


def raised(task: BudgetTask, widths: Sequence[int]) -> list[int]:
    """Raise each width as far as no limited figure rises: channels that the device gives away."""
    found, now = list(widths), task.figures(widths)
    for layer in range(len(found)):
        for more in range(1, FREE + 1):
            wider = [w + task.unit * more * (i == layer) for i, w in enumerate(found)]
            figures = task.figures(wider)
            if all(figures[name] <= now[name] for name in task.limits):
                found, now = wider, figures
                break
    return found


def filled(task: BudgetTask, widths: Sequence[int], worse: Callable[[Sequence[int]], float]) -> list[int]:
    """Single widths raised until the tightest budget is used; each time the network that is least `worse`."""
    found = list(widths)
    while task.use(found) < FULL:
        wider = [
            [w + task.unit * more * (i == layer) for i, w in enumerate(found)]
            for layer in range(len(found))
            for more in (1, 2, 4, 8)
            if found[layer] + more * task.unit <= 1.1 * widths[layer] + task.unit
        ]
        fitting = [each for each in wider if task.use(found) < task.use(each) <= 1]
        if not fitting:
            break
        found = min(fitting, key=worse)
    return found


def apart(task: BudgetTask, direction: Direction, start: float) -> float:
    """Return how far apart points of the curve are tried."""
    slope = (_worth(task, direction, start + 0.05) - _worth(task, direction, start - 0.05)) / 0.1
    return POINTS / slope


def _worth(task: BudgetTask, direction: Direction, x: float) -> float:
    return worth(task.architecture, task.dataset, direction.widths(x))


class _Search:
    """The best network so far, and one point of the curve after another that may have a better one."""

    def __init__(self, task: BudgetTask, prices: PriceList, direction: Direction, start: float) -> None:
        self.task, self.prices, self.direction = task, prices, direction
        self.best: Best | None = None
        self.most = most_candidates(prices)
        self.columns = [prices.names.index(name) for name in task.limits]
        self.reference: float | None = None  # seconds, where only counts are limited
        if "latency" in prices.names and set(task.limits) <= set(COUNTS):
            self.reference = task.figures(task.step(direction.widths(start)))["latency"]

    def upwards(self, x: float, step: float) -> None:
        """Points from x on, until nothing near them is within the budgets."""
        made, dry = None, 0
        for _ in range(round(FAR / POINTS)):
            made = self.about(x, made)
            dry = 0 if self.point(x, made) else dry + 1
            if dry == DRY:
                break
            x += step

    def downwards(self, x: float, step: float) -> None:
        """Points from x down, until even a network on the curve would score less than the best."""
        made = None
        for _ in range(round(FAR / POINTS)):
            if self.best and _worth(self.task, self.direction, x) < self.best.score + TOLERANCE:
                break
            made = self.about(x, made)
            self.point(x, made)
            x -= step

    def about(self, x: float, made: Grid | None) -> Grid:
        """Return the first candidates about a point; `made` where it has the same."""
        wanted = widths_near(self.direction, x, self.task.unit, self.most)
        return made if made is not None and made.candidates == wanted else grid(self.prices, wanted)

    def point(self, x: float, made: Grid) -> bool:
        """Return the best widths of a grid for the point x of the curve; kept where they beat what is known.

        False where no network of the grid is within the budgets.
        """
        objective = self.objective(x, made)
        gain, fits = _worth(self.task, self.direction, x), False
        for stages, kept in self.within(made):
            if any(exact.least(stages, column)[0] > 1 for column in range(len(self.columns))):
                continue
            fits = True
            known = gain - self.best.score if self.best else np.inf
            costs = [each[k] for each, k in zip(objective, kept, strict=True)]
            found = exact.cheapest(stages, costs, known, TOLERANCE)
            if found is not None:
                arcs = [int(k[a]) for k, a in zip(kept, found.arcs, strict=True)]
                self.best = Best(made.widths(arcs), x, gain - found.objective, found.gap)
        return fits

    def objective(self, x: float, made: Grid) -> list[Floats]:
        """Return what each arc takes from the score: its widths' departure, and seconds that count."""
        logs = self.direction.logs(x)
        pull = [
            FAITH / len(logs) * (np.log(widths) - log) ** 2
            for widths, log in zip(made.candidates, logs.tolist(), strict=True)
        ]
        found = []
        for stage, own, layers in zip(made.stages, made.own, made.layers, strict=True):
            total = np.zeros(len(stage.source))
            for k, layer in enumerate(layers):
                total += pull[layer][own[:, k]]
            if self.reference is not None:
                total += PRICE / self.reference * stage.costs[:, self.prices.names.index("latency")]
            found.append(total)
        return found

    def within(self, made: Grid) -> Iterator[tuple[list[exact.Stage], list[Ints]]]:
        """Yield the stages with costs as shares of the limits, for each bound on the peak that is tried."""
        for peak in self.peaks(made):
            room = [self.prices.room(name, limit, peak) for name, limit in self.task.limits.items()]
            kept = [np.flatnonzero(peaks <= peak) for peaks in made.peaks]
            if min(room) <= 0 or not all(k.size for k in kept):
                continue
            stages = [
                exact.Stage(s.source[k], s.target[k], s.states, s.costs[k][:, self.columns] / room)
                for s, k in zip(made.stages, kept, strict=True)
            ]
            yield stages, kept

    def peaks(self, made: Grid) -> list[float]:
        """Return bounds on the largest live activations: from the least of any path, in equal ratios."""
        if "memory" not in self.task.limits:
            return [math.inf]
        low = max(float(p.min()) for p in made.peaks)
        high = max(float(p.max()) for p in made.peaks)
        return [*np.geomspace(low, high, PEAKS)[:-1].tolist(), high] if high > low > 0 else [high]

    def refined(self, step: float) -> Best:
        """Return the best of ever closer neighbours of the best so far; `step` is between two points."""
        assert self.best is not None
        unit = self.task.unit
        candidates = widths_near(self.direction, self.best.x, unit, self.most)
        while (closer := around(candidates, self.best.widths, unit)) is not None:
            made = grid(self.prices, closer)
            for x in (self.best.x + shift * step for shift in (0.0, 0.5, -0.5, 1.0, -1.0)):
                self.point(x, made)
            candidates = closer
        for _ in range(LAST):
            made, before = grid(self.prices, stepping(self.best.widths, unit)), self.best
            for x in (self.best.x + shift * step for shift in (0.0, 0.25, -0.25, 0.5, -0.5)):
                self.point(x, made)
            if self.best is before:
                break
        return self.best
