"""Accuracies that somebody measured, with source, statistic and widths (`manifests/accuracy/*.yaml`).

Nothing here is interpolated or carried from one ratio to another: an accuracy at 0.25 of the *widths* is
never given for 0.25 of the *parameters*. Only at ratio 1 do the two mean the same network.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from bench.manifests import reader, search_path

SOURCES = ("trained", "published")

# How far a width may be from the one that was trained: solvers stop at different places (a unit or so; the
# published ResNet widths up to 4 of 800), and a fit of another search is far beyond this.
UNITS, FRACTION = 2, 0.05


class Training(reader.Section):
    """How a network of ours was trained: what it takes to do it again."""

    seeds: list[int]
    values: list[float] = Field(description="percent, in the order of the seeds")
    recipe: dict[str, bool | int | float | list[int]]
    data_sha256: dict[str, str] = Field(description="of images and labels, by split")
    revision: str | None = Field(None, description="commit of Orbitbench")
    orbitbench: str
    torch: str


class Entry(reader.Section):
    """One network's accuracy; `std` is over seeds, with divisor n."""

    architecture: str
    dataset: str
    method: Literal["uniform", "neuralscale", "aligned"]
    ratio: float = Field(gt=0)
    ratio_of: Literal["params", "width", "macs"]
    value: float = Field(ge=0, le=100, description="percent")
    std: float | None = Field(None, ge=0)
    seeds: int = Field(ge=1)
    params: int = Field(ge=1)
    widths: list[Annotated[int, Field(ge=1)]]
    training: Training | None = None

    def is_of(self, ratio: float, ratio_of: str) -> bool:
        """Is this the ratio asked for? Ratio 1 is the default network's size, whatever it is a ratio of."""
        return self.ratio == ratio and (self.ratio_of == ratio_of or ratio == 1)

    def resembles(self, widths: Sequence[int]) -> bool:
        """Are these the widths that were trained, but for what solvers differ in?"""
        return len(widths) == len(self.widths) and all(
            abs(a - b) <= max(UNITS, FRACTION * b) for a, b in zip(widths, self.widths, strict=True)
        )


class Accuracies(reader.Manifest):
    """A file of accuracies that share source and statistic."""

    name: str
    source: Literal["trained", "published"]
    statistic: str
    reference: str
    commit: str | None = None
    licence: str | None = None
    note: str | None = None
    entries: list[Entry]


def lookup(
    architecture: str,
    dataset: str,
    method: str,
    ratio: float,
    ratio_of: str,
    widths: Sequence[int],
    sources: Sequence[str] = SOURCES,
) -> dict[str, Any] | None:
    """The `accuracy` object of a bundle's model (docs/formats.md), or None where nobody has measured one.

    `sources` are tried in order. `width_difference` is the largest difference between a width asked for and
    the width that was trained; networks further apart than solvers differ are not matched.
    """
    for source in sources:
        for file in _files():
            if file.source != source:
                continue
            for entry in file.entries:
                same = (entry.architecture, entry.dataset, entry.method) == (architecture, dataset, method)
                if same and entry.is_of(ratio, ratio_of) and entry.resembles(widths):
                    return _described(file, entry, widths)
    return None


def _described(file: Accuracies, entry: Entry, widths: Sequence[int]) -> dict[str, Any]:
    return {
        "value": entry.value,
        "unit": "percent",
        "source": file.source,
        "statistic": file.statistic,
        "reference": file.reference,
        "seeds": entry.seeds,
        "std": entry.std,
        "widths": list(entry.widths),
        "width_difference": max(abs(a - b) for a, b in zip(widths, entry.widths, strict=True)),
    }


def _files() -> list[Accuracies]:
    """Every file, the user's first: what a user trained hides an entry of the shipped ones, never a file."""
    return [_load(path, path.stat().st_mtime_ns) for path in search_path.every_file("accuracy")]


def load(path: Path | str) -> Accuracies:
    """Read one file; raises ManifestError with every mistake."""
    return reader.load(path, Accuracies)


@lru_cache(maxsize=64)
def _load(path: Path, changed: int) -> Accuracies:
    """One file; `changed` makes an edited file a new one. An experiment asks for every model."""
    return load(path)
