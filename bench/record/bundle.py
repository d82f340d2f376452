"""The shape of `bundle.json`, for the type checker; `schema` checks it as data (docs/formats.md)."""

from typing import List, Optional

from bench.record.typed_dict import TypedDict
from bench.record.types import Measure, Model


class _NamedExperiment(TypedDict):
    name: str


class PlannedExperiment(_NamedExperiment, total=False):
    """What was asked for, and how it is measured."""

    sha256: Optional[str]
    measure: Measure


class _Missing(TypedDict):
    id: str
    reason: str


class SkippedModel(_Missing, total=False):
    """A model that the experiment names and nobody could make."""

    command: Optional[str]


class RefusedFile(TypedDict):
    """A file of one's own that no device can run."""

    file: str
    reason: str


class _Models(TypedDict):
    models: List[Model]
    experiment: Optional[PlannedExperiment]  # None: one's own models alone
    skipped: List[SkippedModel]


class Bundle(_Models, total=False):
    """What is to be measured."""

    refused: List[RefusedFile]
