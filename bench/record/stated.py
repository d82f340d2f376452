"""The shapes of what is stated of a model, not measured; parts of a job list."""

from typing import Any, Dict, List, Optional

from bench.record.typed_dict import TypedDict


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
