"""Raw samples, decoded at once: the same numbers as `bench.record.samples`, hundreds of times as fast.

A report of 10,000 records decodes tens of millions of samples, which a loop over bytes would make a matter of
minutes, and many short series, which are decoded together.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.record import samples
from bench.record.measured import Series

Seconds = NDArray[np.float64]
LIMIT = 2.0**62  # nanoseconds: beyond it is no duration


class Packed(NamedTuple):
    """The samples of a series, and how many they are: a byte or two each."""

    n: int
    data: bytes


NONE = Packed(0, b"")


def seconds(series: Series | None) -> Seconds:
    """Return the samples of one series in seconds; empty for None.

    ValueError for a text that does not decode.
    """
    return several([packed(series)])[0]


def packed(series: Series | None) -> Packed:
    """Return the samples of one series as they are packed, None as none; ValueError where it is damaged."""
    if series is None or series.get("n") == 0:
        return NONE
    data = samples.unpack(series)
    if data[-1] > 127:
        raise ValueError("series is damaged: it ends inside a value")
    return Packed(series["n"], data)


def several(series: Sequence[Packed]) -> list[Seconds]:
    """Return the samples of many series in seconds; ValueError where one of them is damaged."""
    differences = _zigzag(_varints(np.frombuffer(b"".join([each.data for each in series]), dtype=np.uint8)))
    counts = np.array([each.n for each in series], dtype=int)
    ends = np.cumsum(counts)
    if np.abs(differences.astype(np.float64)).sum() > LIMIT:
        _refuse_beyond(_apart(differences, ends))
    sums = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(differences)))  # all series as one: modulo
    values = (sums[1:] - np.repeat(sums[ends - counts], counts)) / 1e9  # 2^64 the difference is exact
    return _apart(values, ends)


def _apart(values: NDArray[Any], ends: NDArray[np.int64]) -> list[NDArray[Any]]:
    """What lies between the ends, as numpy.split, which takes five times as long."""
    edges = [0, *ends.tolist()]
    return [values[start:end] for start, end in pairwise(edges)]


def _refuse_beyond(parts: Sequence[NDArray[np.int64]]) -> None:
    """ValueError where the sums of differences leave what 64-bit integers hold."""
    if any(np.any(np.abs(np.cumsum(part, dtype=np.float64)) > 1.01 * LIMIT) for part in parts):
        raise ValueError("series holds what is not a duration")


def _varints(raw: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Unsigned numbers from groups of seven bits, least significant first; the last byte is < 128."""
    ends = np.flatnonzero(raw < 128)
    starts = np.concatenate(([0], ends[:-1] + 1))[: len(ends)]
    more = ends - starts  # groups after the first
    if np.any(more > 9):
        raise ValueError("series is damaged: a value longer than 64 bits")
    values = (raw[starts] & 127).astype(np.uint64)
    for place in range(1, 1 + int(more.max(initial=0))):
        longer = np.flatnonzero(more >= place)
        values[longer] |= (raw[starts[longer] + place] & 127).astype(np.uint64) << np.uint64(7 * place)
    return values


def _zigzag(values: NDArray[np.uint64]) -> NDArray[np.int64]:
    """0, 1, 2, 3, ... to 0, -1, 1, -2, ..."""
    half = (values >> np.uint64(1)).astype(np.int64)
    return np.where(values & np.uint64(1), ~half, half)
