"""Accuracies that somebody measured, with source, statistic and widths (`manifests/accuracy/*.yaml`).

An accuracy belongs to a network: to an architecture, a data set and widths, whatever the target was called
that led to them. Halving VGG-11's widths leaves a quarter of its parameters, so that the figure published for
0.5 of the widths is that of 0.25 of the parameters too. Nothing is interpolated.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bench.manifests import reader, search_path
from bench.record.stated import StatedAccuracy

Source = Literal["published", "trained"]
SOURCES: tuple[Source, ...] = ("published", "trained")  # preferred first

# How far a width may be from the one that was trained: solvers stop at different places (a unit or so; the
# published ResNet widths up to 4 of 800), and a fit of another search is far beyond this.
UNITS, FRACTION = 2, 0.05
# And how far its parameters may be, since in narrow layers two units make another network. The authors'
# solver and count leave MobileNetV2 3.6% below the size that they name.
SIZE = 0.04


class TrainingRun(reader.Section):
    """How a network of ours was trained: what it takes to do it again."""

    seeds: list[int]
    values: list[float] = Field(description="percent after the last epoch, in the order of the seeds")
    best_values: list[float] | None = Field(None, description="percent after each seed's best epoch")
    recipe: dict[str, bool | int | float | list[int]]
    data_sha256: dict[str, str] = Field(description="of images and labels, by split")
    revision: str | None = Field(None, description="commit of Orbitbench")
    orbitbench: str
    torch: str


class BestEpoch(reader.Section):
    """The best-epoch figure of a network whose `value` is of the last epoch."""

    value: float = Field(ge=0, le=100, description="percent")
    std: float | None = Field(None, ge=0)


class Entry(reader.Section):
    """One network's accuracy; method and ratio are what it was made for. `std` is over seeds, divisor n."""

    architecture: str
    dataset: str
    method: Literal["uniform", "neuralscale", "aligned", "device"]
    ratio: float = Field(gt=0)
    ratio_of: Literal["params", "width", "macs", "latency", "memory"]
    value: float = Field(ge=0, le=100, description="percent")
    std: float | None = Field(None, ge=0)
    best: BestEpoch | None = Field(
        None, description="the same at each seed's best epoch, of a last-epoch value"
    )
    seeds: int = Field(ge=1)
    params: int = Field(ge=1)
    widths: list[Annotated[int, Field(ge=1)]]
    training: TrainingRun | None = None

    def resembles(self, widths: Sequence[int]) -> bool:
        """Are these the widths that were trained, but for what solvers differ in?"""
        return len(widths) == len(self.widths) and all(
            abs(a - b) <= max(UNITS, FRACTION * b) for a, b in zip(widths, self.widths, strict=True)
        )


class Accuracies(reader.Manifest):
    """A file of accuracies that share source and statistic."""

    name: str
    source: Source
    statistic: str
    epoch: Literal["best", "last"] | None = Field(
        None, description="which epoch's accuracy the values are; of trained ones the last unless given"
    )
    reference: str
    commit: str | None = None
    licence: str | None = None
    note: str | None = None
    entries: list[Entry]

    @model_validator(mode="after")
    def _of_a_known_epoch(self) -> Accuracies:
        if self.epoch is None and self.source == "published":
            raise ValueError("published accuracies need epoch: best (the best on the test set) or last")
        if self.of_epoch == "best" and any(entry.best for entry in self.entries):
            raise ValueError("with epoch: best, the value of an entry is its best; leave best out")
        return self

    @property
    def of_epoch(self) -> str:
        """Which epoch's accuracy the values are."""
        return self.epoch or "last"


def lookup(
    architecture: str,
    dataset: str,
    widths: Sequence[int],
    params: int,
    sources: Sequence[str] = SOURCES,
    exact: bool = False,
) -> StatedAccuracy | None:
    """Return the `accuracy` object of a bundle's model (docs/formats.md), or None where nobody has measured
    one.

    `sources` are tried in order, and what the next one that knows it states is its `other`: a pair of which
    only one network was published compares trainings. Of several networks that resemble the one asked for,
    the nearest is taken.
    `width_difference` is the largest difference between a width asked for and the width that was trained;
    networks further apart than solvers differ are not matched. exact: only equal widths are; those of a
    network in multiples of 8 are not where a solver stopped.
    """
    known = []
    for source in sources:
        found = [
            (file, entry)
            for file in _files()
            if file.source == source
            for entry in file.entries
            if (entry.architecture, entry.dataset) == (architecture, dataset)
            and entry.resembles(widths)
            and abs(params / entry.params - 1) <= SIZE
            and (not exact or list(widths) == entry.widths)
        ]
        if found:
            nearest = min(found, key=lambda each: _distance(widths, each[1].widths))
            known.append(_described(*nearest, widths))
    return {**known[0], "other": known[1] if known[1:] else None} if known else None


def _distance(widths: Sequence[int], trained: Sequence[int]) -> float:
    return sum(abs(a - b) / b for a, b in zip(widths, trained, strict=True))


def _described(file: Accuracies, entry: Entry, widths: Sequence[int]) -> StatedAccuracy:
    return {
        "value": entry.value,
        "unit": "percent",
        "source": file.source,
        "statistic": file.statistic,
        "epoch": file.of_epoch,
        "best": {"value": entry.best.value, "std": entry.best.std} if entry.best else None,
        "reference": file.reference,
        "recipe": entry.training.recipe if entry.training else None,
        "seeds": entry.seeds,
        "std": entry.std,
        "of": {"method": entry.method, "ratio": entry.ratio, "ratio_of": entry.ratio_of},
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
