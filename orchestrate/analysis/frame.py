"""A table by column, in which the figures of thousands of rows are computed at once."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]
Row = dict[str, Any]
Key = tuple[Any, ...]
NUMBERS = {int, float, np.float64}


class Frame:
    """Columns of one length by name: numbers as numbers, NaN where unknown; anything else as objects.

    Nothing changes a frame: each method returns a new one. Some rows of a frame are copied column by column
    as somebody asks for a column.
    """

    def __init__(self, columns: Mapping[str, Sequence[object] | Column]) -> None:
        self._columns = {name: column(values) for name, values in columns.items()}
        lengths = {len(values) for values in self._columns.values()}
        if len(lengths) > 1:
            raise ValueError(f"columns of one frame have several lengths: {sorted(lengths)}")
        self._length = lengths.pop() if lengths else 0
        self._whole: tuple[Frame, Column] | None = None  # of which this is the rows at these positions

    @classmethod
    def of_rows(cls, rows: Sequence[Mapping[str, object]], names: Iterable[str] | None = None) -> Self:
        """Return the frame of `rows`, with the columns `names`: by default those of the first row."""
        wanted = (rows[0] if rows else ()) if names is None else names
        return cls({name: [row.get(name) for row in rows] for name in wanted})

    @classmethod
    def stacked(cls, frames: Sequence["Frame"]) -> Self:
        """Return the rows of all `frames`, which have the same columns, one frame after the other."""
        names = frames[0].names if frames else ()
        return cls({name: np.concatenate([frame[name] for frame in frames]) for name in names})

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, name: str) -> Column:
        if self._whole and name not in self._columns:
            whole, places = self._whole
            self._columns[name] = whole[name][places]
        return self._columns[name]

    def __contains__(self, name: str) -> bool:
        return name in self.names

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in their order."""
        return self._whole[0].names if self._whole else tuple(self._columns)

    def rows(self) -> list[Row]:
        """Return each row by the names of the columns, in Python's own types."""
        names, columns = self.names, [self[name].tolist() for name in self.names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def keys(self, names: Iterable[str]) -> list[Key]:
        """Return the values of some columns, a tuple per row; NaN, which equals nothing, as None."""
        return list(zip(*(_comparable(self[name]) for name in names), strict=True))

    def take(self, at: Sequence[int] | Column) -> "Frame":
        """Return the rows at these positions, or those where a mask is true."""
        found = Frame({})
        mask = isinstance(at, np.ndarray) and at.dtype == bool
        places = np.flatnonzero(at) if mask else np.array(at, dtype=int)
        found._length = len(places)
        found._whole = (self._whole[0], self._whole[1][places]) if self._whole else (self, places)
        return found

    def head(self, count: int) -> "Frame":
        """Return the first rows."""
        return self.take(range(min(count, len(self))))

    def sorted_by(self, names: Sequence[str]) -> "Frame":
        """Return the rows in order of some columns, ascending, NaN and None last; the first counts most."""
        return self.take(np.lexsort([_ranks(self[name]) for name in reversed(names)]))

    def places(self, names: Iterable[str]) -> dict[Key, list[int]]:
        """Return the positions of each value of some columns, in the order in which the values occur."""
        return _places(self.keys(names))

    def groups(self, names: Iterable[str]) -> dict[Key, "Frame"]:
        """Return the rows of each value of some columns, in the order in which the values occur."""
        return {key: self.take(at) for key, at in self.places(names).items()}

    def having(self, columns: Mapping[str, Sequence[object] | Column]) -> "Frame":
        """Return the frame with other or further columns."""
        return Frame({**{name: self[name] for name in self.names}, **columns})

    def without(self, names: Iterable[str]) -> "Frame":
        """Return the frame without some columns."""
        left = set(names)
        return Frame({name: self[name] for name in self.names if name not in left})


def column(values: Sequence[object] | Column) -> Column:
    """Return whole numbers, truth values and numbers as arrays of such (None is NaN), the rest as objects."""
    if isinstance(values, np.ndarray):
        return values
    kinds = set(map(type, values))
    if kinds in ({int}, {bool}):
        return np.array(values)
    if kinds & NUMBERS and kinds <= NUMBERS | {type(None)}:
        return np.array(values, dtype=float)
    return np.fromiter(values, dtype=object, count=len(values))


def quotient(upper: Column, lower: Column) -> NDArray[np.float64]:
    """Return the ratios of two columns; NaN unless both figures are known and positive.

    A negative growth of memory has no ratio.
    """
    above, below = upper.astype(float), lower.astype(float)
    known = (above > 0) & (below > 0)
    found: NDArray[np.float64] = np.divide(above, below, out=np.full(len(above), np.nan), where=known)
    return found


def matches(left: Iterable[Key], right: Iterable[Key]) -> tuple[list[int], list[int]]:
    """Return the positions of every two equal keys, in the order of `left`."""
    places = _places(right)
    found = [(one, other) for one, key in enumerate(left) for other in places.get(key, ())]
    return [one for one, _ in found], [other for _, other in found]


def _places(keys: Iterable[Key]) -> dict[Key, list[int]]:
    found: dict[Key, list[int]] = defaultdict(list)
    for place, key in enumerate(keys):
        found[key].append(place)
    return dict(found)


def _comparable(values: Column) -> list[object]:
    if values.dtype.kind != "f" or not np.isnan(values).any():
        return list(values.tolist())
    return [None if value != value else value for value in values.tolist()]


def _ranks(values: Column) -> Column:
    if values.dtype != object:
        return values
    places = {value: place for place, value in enumerate(sorted(set(values.tolist()), key=_none_last))}
    return np.fromiter(map(places.__getitem__, values.tolist()), dtype=int, count=len(values))


def _none_last(value: Any) -> tuple[bool, Any]:
    return value is None, value
