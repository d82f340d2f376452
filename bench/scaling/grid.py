"""Candidate widths of every layer, and all ways to combine them into a network, priced segment by segment."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.scaling import exact
from bench.scaling.direction import Direction
from bench.scaling.segments import PriceList

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

REACH = math.log(1.4)  # candidates: ln(width) from the point of the curve
MOST = 16  # candidates of a layer
COMBINATIONS = 2_000  # of the widths of one segment, at most about


def stepping(widths: Sequence[int], unit: int) -> list[list[int]]:
    """Return each width, its neighbours, and the multiples of 4, 8 and 16 units around it within 40 %."""
    found = []
    for width in widths:
        near_by = {width - unit, width, width + unit}
        for block in (4 * unit, 8 * unit, 16 * unit):
            near_by |= {width // block * block, -(-width // block) * block}
        limit = math.exp(REACH) * width + unit
        found.append(sorted(w for w in near_by if w >= unit and width**2 / limit <= w <= limit))
    return found


@dataclass(frozen=True)
class Grid:
    """Candidate widths of each layer, ascending, and the arcs between their states, with raw costs."""

    candidates: list[list[int]]
    layers: list[tuple[int, ...]]  # that each stage decides
    stages: list[exact.Stage]
    own: list[Ints]  # per stage: (arcs, widths) positions among the candidates
    peaks: list[Floats]

    def widths(self, arcs: Sequence[int]) -> list[int]:
        """Return the widths of a path."""
        found = [0] * len(self.candidates)
        for own, arc, layers in zip(self.own, arcs, self.layers, strict=True):
            for layer, position in zip(layers, own[arc], strict=True):
                found[layer] = self.candidates[layer][position]
        return found


def grid(prices: PriceList, candidates: list[list[int]]) -> Grid:
    """Return every way to choose each segment's widths, with what it costs."""
    states: list[tuple[int, Hashable]] = [(-1, prices.start)]  # position of the stream's width, its layout
    stages, owns, peaks = [], [], []
    for n, segment in enumerate(prices.segments):
        lengths = [len(candidates[i]) for i in segment.own]
        choices = np.indices(lengths).reshape(len(lengths), math.prod(lengths)).T
        source = np.repeat(np.arange(len(states)), len(choices))
        own = np.tile(choices, (len(states), 1))
        widths = own.copy()
        for k, i in enumerate(segment.own):
            widths[:, k] = np.array(candidates[i])[own[:, k]]
        costs, layouts, peak = _priced(prices, n, states, source, widths, candidates)
        leaving = own[:, -1] if segment.own else np.array([states[s][0] for s in source])
        keys = list(zip(leaving.tolist(), layouts, strict=True))
        number = {key: k for k, key in enumerate(dict.fromkeys(keys))}
        target = np.array([number[key] for key in keys], dtype=np.int64)
        states = list(number)
        stages.append(exact.Stage(source, target, len(states), costs))
        owns.append(own)
        peaks.append(peak)
    return Grid(candidates, [s.own for s in prices.segments], stages, owns, peaks)


def _priced(
    prices: PriceList,
    n: int,
    states: list[tuple[int, Hashable]],
    source: Ints,
    widths: Ints,
    candidates: list[list[int]],
) -> tuple[Floats, list[Hashable], Floats]:
    """The price list, asked once for each layout of the stream that enters."""
    entry = prices.segments[n].entry
    entering = np.array([0 if entry is None else candidates[entry][at] for at, _ in states], dtype=np.int64)
    costs, peaks = np.zeros((len(source), len(prices.names))), np.zeros(len(source))
    leaving: list[Hashable] = [None] * len(source)
    for layout in dict.fromkeys(layout for _, layout in states):
        of_it = np.array([each == layout for _, each in states])
        rows = np.flatnonzero(of_it[source])
        found = prices.prices(n, entering[source[rows]], widths[rows], layout)
        costs[rows], peaks[rows] = found.costs, found.peaks
        for row, after in zip(rows.tolist(), found.layouts, strict=True):
            leaving[row] = after
    return costs, leaving, peaks


def widths_near(direction: Direction, x: float, unit: int, most: int) -> list[list[int]]:
    """Return for each layer about `most` multiples of a power of two times `unit` around the point x."""
    found = []
    for log in direction.logs(x).tolist():
        low, high = math.exp(log - REACH), math.exp(log + REACH)
        step = unit
        while math.floor(high / step) - math.ceil(low / step) + 1 > most:
            step *= 2
        first = max(1, math.ceil(low / step))
        found.append([step * k for k in range(first, max(first, math.floor(high / step)) + 1)])
    return found


def around(candidates: list[list[int]], widths: Sequence[int], unit: int) -> list[list[int]] | None:
    """Return each width and its neighbours at half the candidates' step.

    None where every step is the unit.
    """
    steps = [c[1] - c[0] if len(c) > 1 else unit for c in candidates]
    halves = [max(unit, step // 2 // unit * unit) for step in steps]
    if halves == steps and all(len(c) <= 3 for c in candidates):
        return None
    return [
        [w for w in (width - half, width, width + half) if w >= unit]
        for width, half in zip(widths, halves, strict=True)
    ]


def most_candidates(prices: PriceList) -> int:
    """Return the candidates a layer, so that no segment has many more than COMBINATIONS ways."""
    joined = max(len(segment.own) + (segment.entry is not None) for segment in prices.segments)
    return min(MOST, max(4, int(COMBINATIONS ** (1 / joined))))
