"""A device's cost model as a price list: seconds and bytes of many widths at once.

A segment's kernels are the same for all widths that the backend treats alike (multiples of 4 and of its
channel block, fewer channels than a block): for each such kind they are derived once, with channels that
remember which width they come from, and the widths of all others are filled in. Every kernel is priced once.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import combinations

import numpy as np

from bench.cost import CostModel, Prediction, find_profile, memory
from bench.cost.lowering import QUANTUM, Kernel, lower
from bench.scaling.patterns import ChannelSource, Pattern, Priced, PriceTable, held, source
from bench.scaling.segments import Counts, Floats, Ints, Prices, Segment
from bench.zoo import Architecture, Dataset

PROBES = (1009, 1013, 1019, 1021, 1031)  # primes: a channel count shows which width it is a multiple of
MOST_CHANNELS = 1 << 24  # of a kernel, fewer than
MEMORY = "process"  # what a budget of memory limits
MORE = 1.3  # weights of a network, up to which they are priced


Single = tuple[int, int, tuple[int, ...], Hashable]  # segment, its entering width, its own, entering layout


class DevicePrices:
    """The price list of an architecture on a device: parameters, MACs, seconds, bytes of memory.process.

    A segment's price in memory is its weights' bytes; `room` and `figures` turn them into the process's.
    """

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
        self._singles: dict[Single, tuple[Floats, float, Hashable]] = {}
        self._lowered: dict[tuple[int, int, Hashable], tuple[list[Priced], Hashable]] = {}
        self._held: dict[tuple[int, ...], Floats] = {}
        self._tables: dict[Kernel, PriceTable] = {}  # by shape
        self._far = 0.0  # seconds a byte of weights, for reading again what no cache holds

    def predict(self, widths: Sequence[int]) -> Prediction:
        """Return latency and memory with their intervals; ExtrapolationError where that is not allowed."""
        return self.model.predict(self.architecture, widths, self.dataset, self.extrapolate)

    def figures(self, widths: Sequence[int]) -> Mapping[str, float]:
        """Return parameters, MACs, predicted seconds and bytes of one network."""
        total, peak = self._sums(widths)
        weights, (alone, by_weights, by_live) = total[3], self.memory_line
        total[2] += self.model.far_seconds(self.architecture, weights) - self._far * weights
        total[2] += self.model.base_seconds(self.architecture, self.dataset)
        total[3] = alone + by_weights * weights + by_live * peak
        return dict(zip(self.names, total.tolist(), strict=True))

    def look_ahead(self, networks: Sequence[Sequence[int]]) -> None:
        """Price what these networks are made of, many at once; `figures` finds it, in a tenth of the time."""
        layouts = [self.start] * len(networks)
        for n in range(len(self.segments)):
            keys = [self._key(n, widths, layout) for widths, layout in zip(networks, layouts, strict=True)]
            for layout in dict.fromkeys(layouts):
                self._price([key for key in dict.fromkeys(keys) if key[-1] == layout])
            layouts = [self._singles[key][2] for key in keys]

    def _sums(self, widths: Sequence[int]) -> tuple[Floats, float]:
        """The segments' costs added up, and the largest of their peaks."""
        total, peak, layout = np.zeros(len(self.names)), 0.0, self.start
        for n in range(len(self.segments)):
            key = self._key(n, widths, layout)
            self._price([key])
            costs, live, layout = self._singles[key]
            total, peak = total + costs, max(peak, live)
        return total, peak

    def _key(self, segment: int, widths: Sequence[int], layout: Hashable) -> Single:
        part = self.segments[segment]
        entry = 0 if part.entry is None else widths[part.entry]
        return segment, entry, tuple(widths[i] for i in part.own), layout

    def _price(self, keys: Sequence[Single]) -> None:
        """Remember costs, live activations and leaving layout of keys of one segment and layout."""
        if new := [key for key in keys if key not in self._singles]:
            entry, own = np.array([key[1] for key in new]), np.array([key[2] for key in new], dtype=np.int64)
            found = self.prices(new[0][0], entry, own, new[0][3])
            singles = zip(found.costs, found.peaks.tolist(), found.layouts, strict=True)
            self._singles.update(zip(new, singles, strict=True))

    def room(self, name: str, limit: float, peak: float) -> float:
        """Return what a limit leaves for the segments: less the cost of any inference, and activations."""
        if name == "latency":
            return limit - self.model.base_seconds(self.architecture, self.dataset)
        if name == "memory":
            alone, by_weights, by_live = self.memory_line
            left = limit - alone - by_live * peak
            return left / by_weights if by_weights else math.copysign(math.inf, left)
        return limit

    def settle(self, widths: Sequence[int]) -> None:
        """Have each byte of weights cost what one costs in a network somewhat larger than this.

        What no cache holds costs more than in proportion: smaller ones are priced too high, larger too low.
        """
        weights = MORE * float(self._sums(widths)[0][3])
        self._far = self.model.far_seconds(self.architecture, weights) / weights
        self._singles.clear()

    @cached_property
    def memory_line(self) -> tuple[float, float, float]:
        """Bytes of memory.process: alone, per byte of weights, per byte of live activations."""
        alone = float(self.model.memory(MEMORY, 0, 0))
        mega = 1 << 20
        slopes = (self.model.memory(MEMORY, mega, 0) - alone, self.model.memory(MEMORY, 0, mega) - alone)
        return alone, float(slopes[0]) / mega, float(slopes[1]) / mega

    def prices(self, segment: int, entry: Ints, own: Ints, layout: Hashable) -> Prices:
        """Return parameters, MACs, seconds and weights' bytes of one segment.

        Peaks are of live activations.
        """
        widths = np.column_stack([entry, own])
        costs, peaks = np.zeros((len(widths), 4)), np.zeros(len(widths))
        costs[:, :2] = self._counted(segment, widths)
        layouts = np.empty(len(widths), dtype=object)
        wanted: dict[Priced, list[Ints]] = {}
        for kind, rows in self._alike(segment, widths):
            kernels, layouts[rows] = self._kernels_of(segment, kind, widths[rows[0]], layout)
            peaks[rows] = self._live(segment, widths[rows])
            for kernel in kernels:
                wanted.setdefault(kernel, []).append(rows)
        for kernel, found in wanted.items():
            rows = np.concatenate(found)
            prices = self._priced(kernel, widths[rows])
            seconds = prices[:, 0] + self._far * prices[:, 1]
            costs[:, 2] += np.bincount(rows, seconds, minlength=len(widths))
            costs[:, 3] += np.bincount(rows, prices[:, 1], minlength=len(widths))
        return Prices(costs, layouts.tolist(), peaks)

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

    def _alike(self, segment: int, widths: Ints) -> list[tuple[int, Ints]]:
        """Rows of widths that have the same kernels, and a number for their kind: remainders, equalities."""
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
        rows = np.split(order, np.flatnonzero(np.diff(kind[order])) + 1)
        return [(int(kind[each[0]]), each) for each in rows]

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

    def _kernels_of(
        self, segment: int, kind: int, widths: Ints, layout: Hashable
    ) -> tuple[list[Priced], Hashable]:
        """The kernels of widths of one kind, and the layout that leaves."""
        key = (segment, kind, layout)
        if key not in self._lowered:
            operators, output = self._pattern(segment, widths.tolist()).at(widths.tolist())
            found = lower(operators, output, self.model.block, str(layout))
            kernels = [
                Priced(kernel._replace(c_in=0, c_out=0), source(kernel.c_in), source(kernel.c_out))
                for kernel in found.kernels
            ]
            self._lowered[key] = (kernels, found.layout)
        return self._lowered[key]

    def _priced(self, kernel: Priced, widths: Ints) -> Floats:
        """Seconds, and bytes of weights, of a kernel with the channels of each row of widths."""

        def priced(channels: Ints) -> Floats:
            split = np.column_stack(np.divmod(channels, MOST_CHANNELS)).tolist()
            kernels = [kernel.shape._replace(c_in=a, c_out=b) for a, b in split]
            seconds = self.model.calibration.model.seconds(kernels, self.architecture.name)
            return np.column_stack([seconds, [memory.weights([each]) for each in kernels]])

        ends = self._channels(kernel.inner, widths) * MOST_CHANNELS + self._channels(kernel.outer, widths)
        return self._tables.setdefault(kernel.shape, PriceTable()).at(ends, priced)

    def _channels(self, source: ChannelSource, widths: Ints) -> Ints:
        if source.width is None:
            return np.full(len(widths), source.factor)
        found = widths[:, source.width] * source.factor
        return -(-found // self.model.block) * self.model.block if source.filled else found

    def _live(self, segment: int, widths: Ints) -> Floats:
        """Bytes of activations alive at most, of each row; all rows have the same equal widths."""
        given = widths[0].tolist()
        key = (segment, *(given.index(w) for w in given))
        if key not in self._held:
            self._held[key] = held(self._pattern(segment, given), len(given))
        alive = self._held[key]
        most: Floats = (alive[:, 0] + widths @ alive[:, 1:].T).max(axis=1, initial=0.0)
        return most


def price_list(
    name: str, architecture: Architecture, dataset: Dataset, extrapolate: bool = False
) -> DevicePrices:
    """Return the price list of a device's profile, by name or file."""
    return DevicePrices(CostModel(find_profile(name)), architecture, dataset, extrapolate)
