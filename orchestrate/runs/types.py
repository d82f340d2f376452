"""What a run keeps on disk, as the type checker sees it; `schema` and `plan` check it as data."""

from typing import Any, NotRequired, TypedDict

from bench.record.bundle import PlannedExperiment, SkippedModel
from bench.record.types import Job, Measure


class RefusedModel(TypedDict):
    """A model that the run leaves out, on one device or on all."""

    model: str
    reason: str
    device: NotRequired[str]


class Swept(TypedDict):
    """What the command line changes of a device for one run."""

    threads: list[int]
    precisions: list[str]


class PlannedDevice(TypedDict):
    """One device's part of a plan, its entry in devices.yaml included."""

    settings: dict[str, Any]
    jobs: list[Job]
    swept: NotRequired[Swept]


class Content(TypedDict):
    """What is to be done, without when: what a plan's hash is of."""

    experiment: PlannedExperiment
    orbitbench: str
    devices: dict[str, PlannedDevice]
    skipped: list[SkippedModel]
    refused: NotRequired[list[RefusedModel]]


class Plan(Content):
    """The content with its hash."""

    schema: int
    kind: str
    hash: str


class JobList(TypedDict):
    """`jobs.json`: what one device is to do."""

    schema: int
    kind: str
    run: str
    device: str
    bundle: str
    seed: int
    measure: Measure
    board: dict[str, Any]
    jobs: list[Job]
