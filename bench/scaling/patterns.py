"""Segments with open widths: kernels whose channels remember which width they come from, and their prices.

A segment's kernels are the same for all widths that a backend treats alike: derived once, with channels that
are a multiple of one width, they serve all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from bench.cost import memory
from bench.cost.graph import Operator, Value
from bench.cost.lowering import Kernel
from bench.scaling.segments import Floats, Ints


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
        """Return the operators for the widths (entry, own...), with channels that remember them."""
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
        """Return a tensor with the channels of these widths."""
        if value.channels not in self.channels:
            return value
        width, factor = self.channels[value.channels]
        channels = Channels(widths[width] * factor)
        channels.width, channels.factor = width, factor
        return value._replace(channels=channels)


class ChannelSource(NamedTuple):
    """A kernel's channels: `factor` times number `width` of the widths, or `factor` itself."""

    width: int | None
    factor: int
    filled: bool  # up to whole blocks


class Priced(NamedTuple):
    """A kernel of a segment with channels that depend on its widths; `shape` is without them."""

    shape: Kernel
    inner: ChannelSource
    outer: ChannelSource


class PriceTable:
    """Prices of one shape of kernels by their channels, c_in and c_out as one number: many at once."""

    def __init__(self) -> None:
        self.keys: Ints = np.empty(0, dtype=np.int64)  # sorted
        self.prices: Floats = np.empty((0, 2))  # (keys, seconds and bytes of weights)

    def at(self, wanted: Ints, priced: Callable[[Ints], Floats]) -> Floats:
        """Return the prices of these channels; those met for the first time are `priced`."""
        places = np.searchsorted(self.keys, wanted)
        if (
            self.keys.size == 0
            or (unknown := self.keys[np.minimum(places, len(self.keys) - 1)] != wanted).any()
        ):
            missing = np.unique(wanted if self.keys.size == 0 else wanted[unknown])
            joined = np.concatenate([self.keys, missing])
            order = np.argsort(joined)
            self.prices = np.concatenate([self.prices, priced(missing)])[order]
            self.keys = joined[order]
            places = np.searchsorted(self.keys, wanted)
        found: Floats = self.prices[places]
        return found


def source(channels: int) -> ChannelSource:
    """Return where a channel count comes from."""
    if isinstance(channels, Channels):
        return ChannelSource(channels.width, channels.factor, channels.filled)
    return ChannelSource(None, channels, False)


def held(pattern: Pattern, widths: int) -> Floats:
    """Return the bytes of tensors alive while each operator runs: a constant, and a factor per width."""
    rows = []
    for alive in memory.alive(pattern.operators, pattern.output):
        row = np.zeros(1 + widths)
        for value in alive:
            width, factor = pattern.channels.get(value.channels, (-1, value.channels))
            row[1 + width] += 4 * value.size**2 * factor
        rows.append(row)
    return np.array(rows).reshape(len(rows), 1 + widths)
