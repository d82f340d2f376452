"""The cost of a layer over its channels, and where each method's network of one target falls on it.

The networks are those that a profile of their own device and runtime predicted. `questions` decides which of
them to ask `bench predictions` about, `Landscape` is its answer, `frames` joins the two.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bench.record.types import Json
from orchestrate.analysis.frame import Frame
from orchestrate.analysis.predicted import as_network, is_of, predicted_of, rows_predicted
from orchestrate.analysis.table import CONFIGURATION

MOST = 40  # questions, each of which takes a second or two
MOST_NETWORKS = 100  # on one curve
TARGETS = ("latency", "memory", "macs", "params")  # what a target is of, the most telling first
Name = Annotated[str, Field(min_length=1, max_length=200)]
Channels = Annotated[int, Field(ge=1, le=10**6)]
Seconds = Annotated[float, Field(ge=0, le=1e6, allow_inf_nan=False)]


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PlacedNetwork(_Answer):
    """A network, and the width that it gives the layer."""

    model: Name
    channels: Channels


class Landscape(_Answer):
    """Seconds of what reads or writes a layer's channels, over `channels` (rising).

    share: of the layer in the latency of the first network, whose other widths stay as they are. block:
    channels that the backend computes together. emulated: the emulator that the profile was measured on.
    """

    profile: Name
    device: Name
    backend: Name
    version: Name
    precision: Name
    threads: int = Field(ge=0, le=4096)
    cpu: Name
    setup: dict[str, str] | None = None
    emulated: Name | None
    architecture: Name
    dataset: Name
    layer: Name
    share: float = Field(ge=0, le=1)
    block: int = Field(ge=1, le=1024)
    channels: list[Channels] = Field(min_length=1, max_length=5000)
    seconds: list[Seconds] = Field(min_length=1, max_length=5000)
    networks: list[PlacedNetwork] = Field(min_length=1, max_length=MOST_NETWORKS)

    @model_validator(mode="after")
    def _of_one_curve(self) -> Self:
        if len(self.channels) != len(self.seconds) or any(a >= b for a, b in pairwise(self.channels)):
            raise ValueError("channels must rise, with seconds for each")
        if not {place.channels for place in self.networks} <= {*self.channels}:
            raise ValueError("a network lies beside the curve")
        return self


class Question(NamedTuple):
    """Rows of one configuration, profile, architecture, data set and target: one a method, base first."""

    profile: str
    rows: tuple[Json, ...]

    def networks(self) -> list[Json]:
        """As `bench predictions` reads them."""
        return [as_network(row) for row in self.rows]


def questions(table: Frame) -> list[Question]:
    """Return one per configuration, profile, architecture and data set with predictions; MOST at most.

    Of its targets the one with the most methods; the base is the device method's network, if there is one.
    """
    found: dict[tuple[Any, ...], dict[tuple[str, float], dict[tuple[str, int], Json]]] = {}
    for row in rows_predicted(table):
        if (predicted := predicted_of(row)) and row["architecture"] and row["dataset"] and row["widths"]:
            key = (*(row[name] for name in CONFIGURATION), predicted["profile"])
            targets = found.setdefault((*key, row["architecture"], row["dataset"]), {})
            methods = targets.setdefault((row["ratio_of"], row["ratio"]), {})
            methods.setdefault((row["method"], row["align"]), row)
    return [
        Question(key[len(CONFIGURATION)], _chosen(targets)) for key, targets in list(found.items())[:MOST]
    ]


def _chosen(targets: dict[tuple[str, float], dict[tuple[str, int], Json]]) -> tuple[Json, ...]:
    def rank(target: tuple[str, float]) -> tuple[int, int, float]:
        place = TARGETS.index(target[0]) if target[0] in TARGETS else len(TARGETS)
        return -len(targets[target]), place, -(target[1] or 0.0)

    rows = targets[min(targets, key=rank)].values()
    return tuple(sorted(rows, key=lambda row: row["method"] != "device")[:MOST_NETWORKS])


CURVE = [*CONFIGURATION, "panel", "architecture", "channels", "seconds"]
MARKS = [*CURVE, "method", "align", "model", "profile", "dataset", "layer", "share", "block", "base",
         "ratio", "ratio_of"]  # fmt: skip


def frames(answered: list[tuple[Question, Landscape]]) -> dict[str, Frame]:
    """Return `landscape`: a row per point of a curve; `landscape_networks`: a row per network on one.

    panel: the curve's number. Networks measured elsewhere than the profile is of now (another version, CPU or
    an emulator) are left out, and with the first of them the whole curve.
    """
    kept = [(own, found) for asked, found in answered if (own := _measured_there(asked, found))]
    curve = [row for panel, (asked, found) in enumerate(kept) for row in _curve(panel, asked, found)]
    marks = [row for panel, (asked, found) in enumerate(kept) for row in _marks(panel, asked, found)]
    return {
        "landscape": Frame.of_rows(curve, CURVE),
        "landscape_networks": Frame.of_rows(marks, MARKS),
    }


def _curve(panel: int, asked: Question, found: Landscape) -> list[Json]:
    where = _where(panel, asked) | {"architecture": found.architecture}
    points = zip(found.channels, found.seconds, strict=True)
    return [{**where, "channels": channels, "seconds": seconds} for channels, seconds in points]


def _marks(panel: int, asked: Question, found: Landscape) -> list[Json]:
    by_model, known = {row["model"]: row for row in asked.rows}, found.model_dump(include={*MARKS})
    seconds = dict(zip(found.channels, found.seconds, strict=True))
    facts = known | _where(panel, asked) | {"base": asked.rows[0]["model"]}
    return [
        {**by_model[place.model], **facts, "channels": place.channels, "seconds": seconds[place.channels]}
        for place in found.networks
        if place.model in by_model
    ]


def _where(panel: int, asked: Question) -> Json:
    return {name: asked.rows[0][name] for name in CONFIGURATION} | {"panel": panel}


def _measured_there(asked: Question, found: Landscape) -> Question | None:
    """Since it predicted these networks, the profile may have been made again."""
    rows = tuple(row for row in asked.rows if is_of(row, found.model_dump()))
    return asked._replace(rows=rows) if rows and rows[0] is asked.rows[0] else None
