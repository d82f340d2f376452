"""What one layer's channels cost: the predicted time over its width, every other width as it is.

The layer is the one that takes the largest share of a network's time. Its width is read where it is written
and where it enters: both segments count, so that a step of either is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bench.cost.model import ALIGNED, CostModel
from bench.zoo import Architecture, Dataset

MARGIN = 0.25  # of the widths: how far the curve goes beyond the networks that are marked on it
MOST = 600  # points: of a wider curve only the multiples of the block are kept, and the channel after each


class WidthCurve(NamedTuple):
    """Seconds of the parts that have `layer`'s channels, over `channels` (rising). block: channels of a step.

    share: of the layer in the first network's latency.
    """

    layer: str
    share: float
    block: int
    channels: list[int]
    seconds: list[float]


def landscape(
    model: CostModel, architecture: Architecture, networks: Sequence[Sequence[int]], dataset: Dataset
) -> tuple[WidthCurve, list[int]]:
    """Find the costliest layer of the first network; return its curve and the networks' widths in it.

    networks: width vectors, all inside the tuned range.
    """
    base = networks[0]
    layer, share = _costliest(model, architecture, base, dataset)
    marks = [widths[layer] for widths in networks]
    unit = model.block if model.block > 1 else ALIGNED
    channels = _channels(marks, unit, model.range(architecture, dataset)[layer])
    seconds = [
        _seconds(model, architecture, [*base[:layer], each, *base[layer + 1 :]], dataset, layer)
        for each in channels
    ]
    return WidthCurve(architecture.layers[layer], share, unit, channels, seconds), marks


def _costliest(
    model: CostModel, architecture: Architecture, widths: Sequence[int], dataset: Dataset
) -> tuple[int, float]:
    """Index and share of the layer that takes most, without the call itself (`explain`: the last)."""
    layers = model.explain(architecture, widths, dataset)
    seconds = [each.seconds for each in layers]
    total = sum(seconds)
    seconds[-1] -= model.base_seconds(architecture, dataset)
    largest = max(range(len(seconds)), key=seconds.__getitem__)
    return largest, float(seconds[largest] / total)


def _channels(marks: Sequence[int], unit: int, tuned: tuple[int, int]) -> list[int]:
    """Widths around `marks`, at least two units to each side, within the tuned range."""
    low = max(tuned[0], min(int(min(marks) * (1 - MARGIN)), min(marks) - 2 * unit))
    high = min(tuned[1], max(int(max(marks) * (1 + MARGIN)), max(marks) + 2 * unit))
    every = list(range(low, high + 1))
    if len(every) > MOST:
        step = unit * -(-2 * len(every) // (MOST * unit))
        every = [each for each in every if each % step in (0, 1)]
    return sorted({*every, *marks})


def _seconds(
    model: CostModel, architecture: Architecture, widths: Sequence[int], dataset: Dataset, layer: int
) -> float:
    """What the segments cost that write or read the layer's channels, and all weights beyond the caches."""
    costs = model.walk(architecture, widths, dataset)
    parts = zip(model.segments(architecture, dataset), costs, strict=True)
    found = sum(cost.seconds for part, cost in parts if layer in part.own or part.entry == layer)
    return float(found + model.far_seconds(architecture, sum(cost.weights for cost in costs)))
