"""The cheapest path through stages whose summed costs stay within limits: exact, by labels and bounds.

A *stage* is a list of arcs from states to states; an arc has an objective and one cost per limit. A path
takes one arc per stage. Without limits that is a shortest path; with them it is one with side constraints,
solved in two steps. Lagrange: the limits become prices, found by cutting planes; each trial is a shortest
path, and the best one bounds what any path within the limits can reach. Labels: partial paths are extended
stage by stage, and dropped where the bound shows that no completion beats the best path known, where the
cheapest completion exceeds a limit, or where another partial path to the same state is no worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_LABELS = 200_000  # partial paths kept a stage; beyond, `Path.gap` is what may have been lost
CUTS = 40
CLOSE = 1e-9  # of the cutting planes, relative to the bound
ROUNDING = 1e-12  # of a sum of costs that equals its limit


@dataclass(frozen=True)
class Stage:
    """Arcs from `source` to `target` states; costs: (arcs, limits), as fractions of the limits."""

    source: Ints
    target: Ints
    states: int  # after this stage
    costs: Floats


@dataclass(frozen=True)
class Path:
    """One arc per stage, what they sum to, and by how much the objective may be above the least."""

    arcs: tuple[int, ...]
    objective: float
    costs: Floats
    gap: float = 0.0


Stages = Sequence[Stage]
Objective = Sequence[Floats]


def cheapest(
    stages: Stages, objective: Objective, below: float = np.inf, tolerance: float = 0.0
) -> Path | None:
    """Return the path of least objective whose costs sum to at most 1 in every column.

    None where there is none with an objective less than `below` by more than `tolerance`.
    """
    ceiling = sum(float(np.max(each)) for each in objective) + 1.0
    kept = [_useful(stage, each) for stage, each in zip(stages, objective, strict=True)]
    fewer = [_only(stage, k) for stage, k in zip(stages, kept, strict=True)]
    search = _Search(fewer, [each[k] for each, k in zip(objective, kept, strict=True)], min(below, ceiling))
    prices, bound = search.prices(tolerance)
    found = search.best if bound > search.below - tolerance else search.labels(prices, tolerance)
    if found is None:
        return None
    return replace(found, arcs=tuple(int(k[a]) for k, a in zip(kept, found.arcs, strict=True)))


def _only(stage: Stage, kept: Ints) -> Stage:
    return Stage(stage.source[kept], stage.target[kept], stage.states, stage.costs[kept])


def _useful(stage: Stage, objective: Floats) -> Ints:
    """The arcs that are no worse than every other between the same two states, in everything or in something.

    With several limits all are: there is no order to sweep along.
    """
    ends = stage.source * stage.states + stage.target
    return np.sort(_undominated(np.arange(ends.size), ends, objective, stage.costs))


def least(stages: Stages, column: int) -> tuple[float, tuple[int, ...]]:
    """Return the least sum of one column of costs over all paths, and the path that has it."""
    arcs = _shortest(stages, [stage.costs[:, column] for stage in stages])
    return sum(float(stage.costs[a, column]) for stage, a in zip(stages, arcs, strict=True)), arcs


def _shortest(stages: Stages, weights: Objective) -> tuple[int, ...]:
    """The arcs of the path whose weights sum to the least."""
    reach, taken = np.zeros(1), []
    for stage, weight in zip(stages, weights, strict=True):
        value = reach[stage.source] + weight
        reach = np.full(stage.states, np.inf)
        np.minimum.at(reach, stage.target, value)
        arc = np.zeros(stage.states, dtype=np.int64)
        hits = np.flatnonzero(value == reach[stage.target])
        arc[stage.target[hits]] = hits
        taken.append(arc)
    state, arcs = int(np.argmin(reach)), []
    for stage, arc in zip(reversed(stages), reversed(taken), strict=True):
        arcs.append(int(arc[state]))
        state = int(stage.source[arcs[-1]])
    return tuple(reversed(arcs))


def _ahead(stages: Stages, weights: Objective) -> list[Floats]:
    """For every state before each stage, and after the last, the least sum of the weights still to come."""
    found = [np.zeros(stages[-1].states)]
    for stage, weight, before in zip(
        reversed(stages), reversed(weights), [*(s.states for s in reversed(stages[:-1])), 1], strict=True
    ):
        value = np.full(before, np.inf)
        np.minimum.at(value, stage.source, weight + found[-1][stage.target])
        found.append(value)
    return found[::-1]


class _Search:
    """The best path known so far, and what every shortest path tried adds to the bound."""

    def __init__(self, stages: Stages, objective: Objective, below: float) -> None:
        self.stages, self.objective = stages, objective
        self.below = below
        self.best: Path | None = None
        self.columns = stages[0].costs.shape[1]
        self.cuts: list[tuple[float, Floats]] = []

    def weights(self, prices: Floats) -> list[Floats]:
        """Return the objective with every cost at its price."""
        return [o + s.costs @ prices for o, s in zip(self.objective, self.stages, strict=True)]

    def attempt(self, prices: Floats) -> float:
        """Return the bound that these prices give; the path that shows it is noted."""
        arcs = _shortest(self.stages, self.weights(prices))
        objective = sum(float(o[a]) for o, a in zip(self.objective, arcs, strict=True))
        costs = np.sum([s.costs[a] for s, a in zip(self.stages, arcs, strict=True)], axis=0)
        if np.all(costs <= 1 + ROUNDING) and objective < self.below:
            self.best, self.below = Path(arcs, objective, costs), objective
        self.cuts.append((objective, costs - 1))
        return objective + float(prices @ (costs - 1))

    def prices(self, tolerance: float) -> tuple[Floats, float]:
        """Return the prices of the limits that give the highest bound, and that bound."""
        top = 1e4 * max(1.0, sum(float(np.ptp(each)) for each in self.objective))
        best, bound = np.zeros(self.columns), self.attempt(np.zeros(self.columns))
        if np.all(self.cuts[0][1] <= 0):
            return best, bound
        for prices in top * np.eye(self.columns):
            self.attempt(prices)
        for _ in range(CUTS):
            prices, most = self._next_prices(top)
            reached = self.attempt(prices)
            if reached > bound:
                best, bound = prices, reached
            if most - bound <= CLOSE * max(1.0, abs(most)) or bound > self.below - tolerance:
                break
        return best, bound

    def _next_prices(self, top: float) -> tuple[Floats, float]:
        """The best prices by the cuts so far, and the bound that they give by those: a linear programme."""
        if self.columns == 1:
            return self._crossing(top)
        from scipy.optimize import linprog

        rows = np.array([[1.0, *-excess] for _, excess in self.cuts])
        limits = np.array([objective for objective, _ in self.cuts])
        bounds = [(None, None), *[(0, top)] * self.columns]
        found = linprog([-1.0, *[0.0] * self.columns], A_ub=rows, b_ub=limits, bounds=bounds, method="highs")
        return np.asarray(found.x[1:], dtype=float), float(found.x[0])

    def _crossing(self, top: float) -> tuple[Floats, float]:
        """The same for one limit: where the latest rising and the latest falling cut meet."""
        rising = [(objective, excess[0]) for objective, excess in self.cuts if excess[0] > 0][-1]
        falling = [(objective, excess[0]) for objective, excess in self.cuts if excess[0] <= 0][-1:]
        price = top
        if falling:
            price = min(top, max(0.0, (falling[0][0] - rising[0]) / (rising[1] - falling[0][1])))
        return np.array([price]), float(rising[0] + price * rising[1])

    def labels(self, prices: Floats, tolerance: float) -> Path | None:
        """Return the best path, by extending partial ones; `best` where none of them beats it."""
        ahead = _ahead(self.stages, self.weights(prices))
        cheapest = [_ahead(self.stages, [s.costs[:, b] for s in self.stages]) for b in range(self.columns)]
        state = np.zeros(1, dtype=np.int64)
        objective, costs = np.zeros(1), np.zeros((1, self.columns))
        history: list[tuple[Ints, Ints]] = []
        lost = np.inf
        for n, stage in enumerate(self.stages):
            parent, arc = _extensions(stage, state, ahead[n].size)
            state = stage.target[arc]
            objective = objective[parent] + self.objective[n][arc]
            costs = costs[parent] + stage.costs[arc]
            bound = objective + costs @ prices + ahead[n + 1][state] - float(prices.sum())
            keep = bound <= self.below - tolerance
            for b in range(self.columns):
                keep &= costs[:, b] + cheapest[b][n + 1][state] <= 1 + ROUNDING
            kept = _undominated(np.flatnonzero(keep), state, objective, costs)
            if kept.size > MOST_LABELS:
                kept = kept[np.argsort(bound[kept])]
                lost = min(lost, float(bound[kept[MOST_LABELS]]))
                kept = kept[:MOST_LABELS]
            state, objective, costs = state[kept], objective[kept], costs[kept]
            history.append((parent[kept], arc[kept]))
        return self._finished(history, objective, costs, lost)

    def _finished(
        self, history: list[tuple[Ints, Ints]], objective: Floats, costs: Floats, lost: float
    ) -> Path | None:
        found = self.best
        best = int(np.argmin(objective)) if objective.size else 0
        if objective.size and objective[best] < self.below:
            arcs, label = [], best
            for parent, arc in reversed(history):
                arcs.append(int(arc[label]))
                label = int(parent[label])
            found = Path(tuple(reversed(arcs)), float(objective[best]), costs[best])
        if found is None or lost >= found.objective:
            return found
        return Path(found.arcs, found.objective, found.costs, found.objective - lost)


def _extensions(stage: Stage, state: Ints, states: int) -> tuple[Ints, Ints]:
    """Every label with every arc that leaves its state: indices of labels and of arcs."""
    order = np.argsort(stage.source, kind="stable")
    first = np.searchsorted(stage.source[order], np.arange(states + 1))
    count = (first[1:] - first[:-1])[state]
    parent = np.repeat(np.arange(state.size), count)
    inside = np.arange(parent.size) - np.repeat(np.cumsum(count) - count, count)
    return parent, order[first[state][parent] + inside]


def _undominated(kept: Ints, state: Ints, objective: Floats, costs: Floats) -> Ints:
    """Without the labels that another one of the same state is no worse than, in objective and first cost.

    With several costs only equal labels are dropped: there is no order to sweep along.
    """
    if costs.shape[1] != 1 or kept.size == 0:
        return kept
    kept = kept[np.lexsort((objective[kept], costs[kept, 0], state[kept]))]
    rank = np.cumsum(np.diff(state[kept], prepend=state[kept[0]]) != 0)
    spread = float(np.ptp(objective[kept])) + 1.0
    value = objective[kept] - rank * spread
    before = np.concatenate([[np.inf], np.minimum.accumulate(value)[:-1]])
    return kept[value < before]
