"""The shapes of what is stated of a model, not measured; parts of a bundle and of a job list."""

from typing import Any, Dict, List, Optional

from bench.record.typed_dict import TypedDict


class Target(TypedDict):
    """What a network's widths were chosen for."""

    method: str
    ratio: float
    ratio_of: str


class StatedAccuracy(TypedDict, total=False):
    """An accuracy as a file of accuracies, or the user, states it, in percent; `best`: at the best epoch.

    recipe: settings of a training of ours, by name. widths: of the network that was trained. other: what
    a second source states.
    """

    value: Optional[float]
    source: str
    unit: str
    metric: str
    statistic: str
    reference: str
    recipe: Optional[Dict[str, Any]]
    widths: Optional[List[int]]
    seeds: Optional[int]
    std: Optional[float]
    n: Optional[int]
    epoch: Optional[str]
    best: Optional["StatedAccuracy"]
    other: Optional["StatedAccuracy"]
    of: "Target"  # that the network was trained for
    width_difference: int


class Interval(TypedDict):
    """A figure with its 95 % interval, in base units."""

    value: float
    low: float
    high: float


class _RequiredPrediction(TypedDict):
    profile: str
    device: str
    backend: str
    precision: str
    threads: int
    latency: Interval
    memory: Optional[Interval]


class StatedPrediction(_RequiredPrediction, total=False):
    """What the profile that a model's widths were chosen on predicts of one image; seconds and bytes."""

    version: str
    cpu: str
    setup: Dict[str, str]  # absent where the profile is older and does not know it
    emulated: Optional[str]


class StatedModel(TypedDict, total=False):
    """What a bundle states of a model beside its files; null where it is a user's own (docs/formats.md)."""

    bytes: int
    widths: Optional[List[int]]
    params: Optional[int]
    macs: Optional[int]
    target_params: Optional[int]
    target_macs: Optional[int]
    classes: Optional[int]
    align: Optional[int]
    ratio: Optional[float]
    ratio_of: Optional[str]
    architecture: Optional[str]
    dataset: Optional[str]
    method: Optional[str]
    fit: Optional[str]
    fit_quality: Optional[str]
    fit_dataset: Optional[str]
    fit_resolution: Optional[int]
    weights: Optional[str]
    weights_recipe: Optional[Dict[str, Any]]
    batch: Optional[int]
    precision: Optional[str]
    assumed: Dict[str, int]
    accuracy: Optional[StatedAccuracy]
    predicted: Optional[StatedPrediction]
