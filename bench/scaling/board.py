"""A device's cost model as a price list: seconds and bytes of many widths at once.

A segment's kernels are the same for all widths that the backend treats alike (multiples of 4 and of its
channel block, fewer channels than a block): for each such kind they are derived once, with channels that
remember which width they come from, and the widths of all others are filled in. Every kernel is priced once.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import combinations
from typing import NamedTuple

import numpy as np

from bench.cost import CostModel, Prediction, memory
from bench.cost.graph import Operator, Value
from bench.cost.lowering import QUANTUM, Kernel, lower
from bench.scaling.segments import Counts, Floats, Ints, Prices, Segment
from bench.zoo import Architecture, Dataset

PROBES = (1009, 1013, 1019, 1021, 1031)  # primes: a channel count tells which width it is a multiple of
MEMORY = "process"  # what a budget of memory limits


class Channels(int):
    """A channel count that remembers its width: `factor` times number `width`, maybe filled up to blocks."""

    width: int
    factor: int
    filled: bool = False

    def _derived(self, value: int) -> Channels:
        found = Channels(value)
        found.width, found.factor, found.filled = self.width, self.factor, True
        return found

    def __neg__(self) -> Channels:
        return self._derived(-int(self))

    def __floordiv__(self, other: int) -> Channels:
        return self._derived(int(self) // other)

    def __mul__(self, other: int) -> Channels:
        return self._derived(int(self) * other)


class Pattern(NamedTuple):
    """The operators of a segment whose channels are (width, factor), or numbers that no width changes."""

    operators: list[Operator]
    output: Value
    channels: dict[int, tuple[int, int]]  # by channel count of the probe

    def at(self, widths: Sequence[int]) -> tuple[list[Operator], Value]:
        """The operators for the widths (entry, own...), with channels that remember them."""
        filled = {v: self.value(v, widths) for o in self.operators for v in (*o.inputs, o.output)}
        operators = [
            o._replace(
                inputs=tuple(filled[v] for v in o.inputs),
                output=filled[o.output],
                groups=int(filled[o.output].channels) if o.groups > 1 else 1,
            )
            for o in self.operators
        ]
        return operators, filled.get(self.output, self.output)

    def value(self, value: Value, widths: Sequence[int]) -> Value:
        """A tensor with the channels of these widths."""
        if value.channels not in self.channels:
            return value
        width, factor = self.channels[value.channels]
        channels = Channels(widths[width] * factor)
        channels.width, channels.factor = width, factor
        return value._replace(channels=channels)


class Board:
    """The price list of an architecture on a device: parameters, MACs, seconds, bytes of memory.process."""

    names = ("params", "macs", "latency", "memory")

    def __init__(
        self, model: CostModel, architecture: Architecture, dataset: Dataset, extrapolate: bool = False
    ) -> None:
        self.model, self.architecture, self.dataset = model, architecture, dataset
        self.extrapolate = extrapolate
        self.start: Hashable = model.START
        self.parts = model.segments(architecture, dataset)
        self.segments = [Segment(part.name, part.entry, part.own) for part in self.parts]
        self.counts = Counts(architecture, dataset)
        self._patterns: dict[tuple[int, ...], Pattern] = {}
        self._singles: dict[tuple[Hashable, ...], tuple[Floats, float, Hashable]] = {}
        self._kernels: dict[Kernel, tuple[float, int]] = {}

    def predict(self, widths: Sequence[int]) -> Prediction:
        """Latency and memory with their intervals; ExtrapolationError where that is not allowed."""
        return self.model.predict(self.architecture, widths, self.dataset, self.extrapolate)

    def figures(self, widths: Sequence[int]) -> Mapping[str, float]:
        """Parameters, MACs, predicted seconds and bytes of one network."""
        total, peak, layout = np.zeros(len(self.names)), 0.0, self.start
        for n, segment in enumerate(self.segments):
            entry = 0 if segment.entry is None else widths[segment.entry]
            costs, live, layout = self._one(n, entry, tuple(widths[i] for i in segment.own), layout)
            total, peak = total + costs, max(peak, live)
        total[2] += self.model.base_seconds(self.architecture, self.dataset)
        total[3] += self.memory_line[0] + self.memory_line[2] * peak
        return dict(zip(self.names, total.tolist(), strict=True))

    def _one(
        self, segment: int, entry: int, own: tuple[int, ...], layout: Hashable
    ) -> tuple[Floats, float, Hashable]:
        """Costs, live activations and leaving layout of one segment; remembered."""
        key = (segment, entry, own, layout)
        if key not in self._singles:
            found = self.prices(segment, np.array([entry]), np.array([own], dtype=np.int64), layout)
            self._singles[key] = (found.costs[0], float(found.peaks[0]), found.layouts[0])
        return self._singles[key]

    def room(self, name: str, limit: float, peak: float) -> float:
        """What a limit leaves for the segments: less what every inference costs, and the activations."""
        if name == "latency":
            return limit - self.model.base_seconds(self.architecture, self.dataset)
        if name == "memory":
            return limit - self.memory_line[0] - self.memory_line[2] * peak
        return limit

    @cached_property
    def memory_line(self) -> tuple[float, float, float]:
        """Bytes of memory.process: alone, per byte of weights, per byte of live activations."""
        alone = float(self.model.memory(MEMORY, 0, 0))
        mega = 1 << 20
        slopes = (self.model.memory(MEMORY, mega, 0) - alone, self.model.memory(MEMORY, 0, mega) - alone)
        return alone, float(slopes[0]) / mega, float(slopes[1]) / mega

    def prices(self, segment: int, entry: Ints, own: Ints, layout: Hashable) -> Prices:
        """Parameters, MACs, seconds and weights' bytes of one segment; peaks are of live activations."""
        widths = np.column_stack([entry, own])
        costs, peaks = np.zeros((len(widths), 4)), np.zeros(len(widths))
        costs[:, :2] = self._counted(segment, widths)
        layouts: list[Hashable] = [layout] * len(widths)
        for rows in self._alike(segment, widths):
            of_it = widths[rows]
            kernels, leaving = self._kernels_of(segment, of_it[0], layout)
            for kernel in kernels:
                seconds, held = self._priced(kernel, of_it)
                costs[rows, 2] += seconds
                costs[rows, 3] += held * self.memory_line[1]
            peaks[rows] = self._live(segment, of_it)
            for row in rows.tolist():
                layouts[row] = leaving
        return Prices(costs, layouts, peaks)

    def _counted(self, segment: int, widths: Ints) -> Floats:
        """Parameters and MACs of the children that a segment takes together."""
        part, total = self.parts[segment], np.zeros((len(widths), 2))
        places: dict[int | None, int] = {layer: k + 1 for k, layer in enumerate(part.own)}
        places[part.entry] = 0
        for number, child in enumerate(self.counts.segments):
            if child.name in part.children:
                entry = widths[:, places[child.entry]] if child.entry is not None else np.zeros(len(widths))
                own = widths[:, [places[layer] for layer in child.own]]
                total += self.counts.prices(number, entry.astype(np.int64), own, None).costs
        return total

    def _alike(self, segment: int, widths: Ints) -> list[Ints]:
        """Rows of widths that have the same kernels: equal remainders and equalities."""
        block = self.model.block
        kind = np.zeros(len(widths), dtype=np.int64)
        for a, b in combinations(range(widths.shape[1]), 2):
            kind = 2 * kind + (widths[:, a] == widths[:, b])
        apart = self._pattern(segment, range(widths.shape[1]))
        for width, factor in sorted(set(apart.channels.values())):
            channels = widths[:, width] * factor
            for each in (channels % QUANTUM == 0, channels % block == 0, channels < block, channels == 1):
                kind = 2 * kind + each
        order = np.argsort(kind, kind="stable")
        return np.split(order, np.flatnonzero(np.diff(kind[order])) + 1)

    def _pattern(self, segment: int, widths: Iterable[int]) -> Pattern:
        """The pattern for widths that are equal where these are: the sums of some need no convolution."""
        given = list(widths)
        key = (segment, *(given.index(w) for w in given))
        if key not in self._patterns:
            part = self.parts[segment]
            probe = [PROBES[given.index(w)] for w in given]
            operators, output = part.operators(0 if part.entry is None else probe[0], probe[1:])
            counts = {v.channels for o in operators for v in (*o.inputs, o.output)}
            channels = {
                count: (width, count // prime)
                for count in counts
                for width, prime in enumerate(probe)
                if count % prime == 0
            }
            self._patterns[key] = Pattern(operators, output, channels)
        return self._patterns[key]

    def _kernels_of(self, segment: int, widths: Ints, layout: Hashable) -> tuple[list[Kernel], Hashable]:
        """The kernels of one row of widths, with channels that remember them; and the layout that leaves."""
        operators, output = self._pattern(segment, widths.tolist()).at(widths.tolist())
        found = lower(operators, output, self.model.block, str(layout))
        return found.kernels, found.layout

    def _priced(self, kernel: Kernel, widths: Ints) -> tuple[Floats, Floats]:
        """Seconds, and bytes of weights, of a kernel with the channels of each row of widths."""
        ends = np.column_stack([self._channels(c, widths) for c in (kernel.c_in, kernel.c_out)])
        found, which = np.unique(ends, axis=0, return_inverse=True)
        kernels = [kernel._replace(c_in=int(a), c_out=int(b)) for a, b in found.tolist()]
        unknown = [each for each in kernels if each not in self._kernels]
        if unknown:
            seconds = self.model.calibration.model.seconds(unknown, self.architecture.name)
            for each, value in zip(unknown, seconds, strict=True):
                self._kernels[each] = (float(value), memory.weights([each]))
        prices = np.array([self._kernels[each] for each in kernels])[which.ravel()]
        return prices[:, 0], prices[:, 1]

    def _channels(self, channels: int, widths: Ints) -> Ints:
        if not isinstance(channels, Channels):
            return np.full(len(widths), channels)
        found = widths[:, channels.width] * channels.factor
        return -(-found // self.model.block) * self.model.block if channels.filled else found

    def _live(self, segment: int, widths: Ints) -> Floats:
        """Bytes of activations alive at most, of each row."""
        pattern = self._pattern(segment, widths[0].tolist())
        most = np.zeros(len(widths))
        for held in memory.alive(pattern.operators, pattern.output):
            total = np.zeros(len(widths))
            for value in held:
                width, factor = pattern.channels.get(value.channels, (None, value.channels))
                total += 4 * value.size**2 * factor * (1 if width is None else widths[:, width])
            most = np.maximum(most, total)
        return most
