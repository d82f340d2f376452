"""What a table of the report is made of: its columns, their units, and the data that they read."""

from dataclasses import dataclass
from typing import NamedTuple

MB, MS, MILLION = 1e-6, 1e3, 1e-6


class Column(NamedTuple):
    """`keys`: the data column, and those of its interval. `scale`: from base units to shown ones."""

    label: str
    keys: tuple[str, ...]
    unit: str = ""
    scale: float = 1.0
    numeric: bool = True
    whole: bool = False

    @property
    def heading(self) -> str:
        """Label with unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


def names(*pairs: tuple[str, str]) -> tuple[Column, ...]:
    """Return columns of text."""
    return tuple(Column(label, (key,), numeric=False) for label, key in pairs)


def plain(label: str, key: str, unit: str = "", scale: float = 1.0) -> Column:
    """Return a number without an interval."""
    return Column(label, (key,), unit, scale)


def count(label: str, key: str) -> Column:
    """Return a number of things."""
    return Column(label, (key,), whole=True)


def ranged(label: str, key: str, unit: str = "", scale: float = 1.0) -> Column:
    """Return a number with its 95% interval."""
    return Column(label, (key, f"{key}_low", f"{key}_high"), unit, scale)


@dataclass(frozen=True)
class Table:
    """One table: `dataset` names where its rows are in the page's data."""

    id: str
    title: str
    caption: str
    dataset: str
    columns: tuple[Column, ...]
    optional: bool = False  # not shown where it has no rows


PLACE = names(("Device", "device"), ("Backend", "backend"), ("Precision", "precision"))
RUNNING = (*PLACE, count("Threads", "threads"), count("Batch", "batch"))
SETUP = names(("Setup", "setup"))  # where records of several share the names in RUNNING
