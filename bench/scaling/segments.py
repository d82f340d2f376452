"""A network as a line of segments: which widths each decides, and what it costs for them alone.

Between two segments passes the *stream*: its width, and for a device its layout in memory. What a segment
costs depends on the stream that enters and on the widths that it decides itself, so that a network's cost is
the sum over its segments, and the best widths can be found exactly (`bench.scaling.device`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.zoo import Architecture, Dataset

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Segment(NamedTuple):
    """A child of the zoo's chain. `entry`: the layer whose width enters, None for the image.

    `own`: the layers whose widths it decides, the stream that leaves last; () where the stream stays.
    """

    name: str
    entry: int | None
    own: tuple[int, ...]


class Prices(NamedTuple):
    """What n ways to choose one segment's widths cost: costs (n, quantities), the layouts that leave.

    peaks: (n,) what counts by its maximum over the segments (live activations), 0 where nothing does.
    """

    costs: Floats
    layouts: Sequence[Hashable]
    peaks: Floats


class PriceList(Protocol):
    """What the segments of one architecture on one data set cost, in additive quantities named `names`."""

    @property
    def names(self) -> tuple[str, ...]:
        """The quantities, in the order of the costs."""

    @property
    def segments(self) -> Sequence[Segment]:
        """The segments, in order."""

    @property
    def start(self) -> Hashable:
        """The layout of the image."""

    def prices(self, segment: int, entry: Ints, own: Ints, layout: Hashable) -> Prices:
        """Return the prices of segment number `segment`.

        Entry: (n,) widths that enter, 0 for the image; own: (n, widths).
        """

    def room(self, name: str, limit: float, peak: float) -> float:
        """Return what a limit leaves for the segments' costs where no peak is above `peak`."""

    def settle(self, widths: Sequence[int]) -> None:
        """Price what is no sum over segments as it is about the network of these widths."""


@lru_cache(maxsize=64)
def _segments(architecture: Architecture, dataset: Dataset) -> tuple[Segment, ...]:
    """Return the segments of an architecture, found by which children's cost each width changes."""
    base = [float(10 + 2 * i) for i in range(len(architecture.layers))]
    names, before = _costs(architecture, dataset, base)
    uses: list[list[int]] = [[] for _ in names]
    for i in range(len(base)):
        changed = _costs(architecture, dataset, [w + (j == i) * 0.5 for j, w in enumerate(base)])[1]
        for n, (old, new) in enumerate(zip(before, changed, strict=True)):
            if old != new:
                uses[n].append(i)
    found, stream = [], None
    for name, used in zip(names, uses, strict=True):
        own = tuple(i for i in used if stream is None or i > stream)
        found.append(Segment(name, stream, own))
        stream = own[-1] if own else stream
    return tuple(found)


def _costs(
    architecture: Architecture, dataset: Dataset, widths: Sequence[float]
) -> tuple[list[str], list[tuple[float, float]]]:
    chain, size, found = architecture.network(widths, dataset), dataset.size, []
    for layer in chain.layers.values():
        cost, size = layer.cost(size)
        found.append((cost.params, cost.macs))
    return list(chain.layers), found


@dataclass(frozen=True)
class Counts:
    """Parameters and MACs as a price list: exact, and the same on every device."""

    architecture: Architecture
    dataset: Dataset
    names: tuple[str, ...] = ("params", "macs")
    start: Hashable = None

    @property
    def segments(self) -> Sequence[Segment]:
        """The segments of the architecture."""
        return _segments(self.architecture, self.dataset)

    def prices(self, segment: int, entry: Ints, own: Ints, layout: Hashable) -> Prices:
        """Return the parameters and MACs of one segment."""
        widths = np.column_stack([entry, own]).astype(float)
        apart, equal = _forms(self.architecture, self.dataset, segment)
        same = widths[:, 0] == widths[:, -1]
        costs = np.where(same[:, None], equal(widths), apart(widths))
        return Prices(costs, [layout] * len(widths), np.zeros(len(widths)))

    def room(self, name: str, limit: float, peak: float) -> float:
        """Return the whole limit: counts are sums."""
        return limit

    def settle(self, widths: Sequence[int]) -> None:
        """Do nothing: counts are sums."""


class Quadratic(NamedTuple):
    """A quadratic form in n widths, one a quantity: what convolutions cost. Exact, from differences."""

    constant: Floats  # (quantities,)
    linear: Floats  # (n, quantities)
    square: Floats  # (n, n, quantities)

    def __call__(self, widths: Floats) -> Floats:
        """(m, n) widths to (m, quantities)."""
        crossed = np.einsum("mi,mj,ijq->mq", widths, widths, self.square)
        found: Floats = self.constant + widths @ self.linear + crossed
        return found


def _quadratic(function: Callable[[Floats], Floats], at: Floats) -> Quadratic:
    """The form of a quadratic function, from its differences around `at`."""
    unit, n = np.eye(len(at)), len(at)
    base, once = function(at), [function(at + e) for e in unit]
    square = np.zeros((n, n, len(base)))
    for i in range(n):
        square[i, i] = (function(at + 2 * unit[i]) - 2 * once[i] + base) / 2
        for j in range(i):
            square[i, j] = function(at + unit[i] + unit[j]) - once[i] - once[j] + base
    linear = np.array([once[i] - base for i in range(n)])
    linear -= np.array([square[i, i] * (2 * at[i] + 1) for i in range(n)])
    for i in range(n):
        for j in range(i):
            linear[i] -= square[i, j] * at[j]
            linear[j] -= square[i, j] * at[i]
    rest = at @ linear + np.einsum("i,j,ijq->q", at, at, square)
    return Quadratic(base - rest, linear, square)


@lru_cache(maxsize=1000)
def _forms(architecture: Architecture, dataset: Dataset, number: int) -> tuple[Quadratic, Quadratic]:
    """What a segment costs where the stream's width changes, and where it stays (a shortcut less)."""
    part = _segments(architecture, dataset)[number]

    def cost(widths: Floats) -> Floats:
        every = [1.0] * len(architecture.layers)
        if part.entry is not None:
            every[part.entry] = float(widths[0])
        for i, w in zip(part.own, widths[1:], strict=True):
            every[i] = float(w)
        return np.array(_costs(architecture, dataset, every)[1][number], dtype=float)

    apart: Floats = (
        np.arange(1, len(part.own) + 2, dtype=float) * 10.0
    )  # no two equal, nor after a difference

    def tied(widths: Floats) -> Floats:
        return cost(np.concatenate([widths[-1:], widths[1:]]))

    return _quadratic(cost, apart), _quadratic(tied, apart)
