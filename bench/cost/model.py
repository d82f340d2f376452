"""The cost model of a profile: latency and memory of any widths, with an interval, and why.

Kernels' times are a sum over segments (`cost`), which an exact optimiser can walk; `predict` is that sum,
what an inference costs beside it, and what all its weights cost beyond the caches, with the interval of 95 %.
Outside the tuned range it refuses, unless asked to extrapolate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from bench.cost import design, memory
from bench.cost.calibration import Calibration, calibrate
from bench.cost.errors import ExtrapolationError
from bench.cost.graph import Value, trace
from bench.cost.lowering import PLAIN, Kernel, lower
from bench.cost.profile import Profile
from bench.cost.segments import CostSegment, segments
from bench.zoo import Architecture, Dataset

UNKNOWN = "unknown: too few measurements of the profile hold it"
ALIGNED = 8  # channels: what an odd width is compared with where the backend knows no blocks


class PredictedFigure(NamedTuple):
    """A value with its 95 % prediction interval; NaN where that, or all, is unknown."""

    value: float
    low: float
    high: float

    def data(self) -> dict[str, float | None]:
        """As JSON has it: null for what is unknown."""
        return {name: number_or_none(x) for name, x in self._asdict().items()}


def number_or_none(value: float) -> float | None:
    """Return a figure as JSON has it: None for NaN, and for the end of an interval that has none."""
    return float(value) if math.isfinite(value) else None


class Prediction(NamedTuple):
    """p50 of one inference (s) and memory (bytes). outside: why this is an extrapolation; empty where not."""

    latency: PredictedFigure
    process: PredictedFigure
    model: PredictedFigure
    peak: PredictedFigure
    outside: tuple[str, ...]


class SegmentCost(NamedTuple):
    """Seconds; bytes of weights kept; bytes of activations alive at most; layout of the leaving stream."""

    seconds: float
    weights: int
    live: int
    layout: str


class LayerCost(NamedTuple):
    """A layer's share of the latency, and what its odd width costs against the nearest aligned one (s)."""

    layer: str
    width: int
    seconds: float
    share: float
    aligned: int
    odd_seconds: float


class CostModel:
    """Predicts from a profile. Making one takes some seconds: keep it."""

    START = PLAIN

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        self.calibration: Calibration = calibrate(profile)
        self.block = self.calibration.block
        self._cost = lru_cache(maxsize=1 << 17)(self._segment_cost)

    def predict(
        self, architecture: Architecture, widths: Sequence[int], dataset: Dataset, extrapolate: bool = False
    ) -> Prediction:
        """Return latency and memory with intervals.

        ExtrapolationError outside the tuned range unless asked to.
        """
        outside = self.outside(architecture, widths, dataset)
        if outside and not extrapolate:
            more = " ..." if len(outside) > 3 else ""
            raise ExtrapolationError(
                f"{architecture.name} on {dataset.name} is outside the tuned range of profile "
                f"{self.profile.name}: {'; '.join(outside[:3])}{more}; --extrapolate to go on"
            )
        costs = self.walk(architecture, widths, dataset)
        held, most = sum(cost.weights for cost in costs), max(cost.live for cost in costs)
        seconds = self.total_seconds(architecture, dataset, costs)
        spread = self.calibration.spread(self.kernels(architecture, widths, dataset), architecture.name)
        latency = PredictedFigure(seconds, seconds / spread, seconds * spread)
        process, model, peak = (self._memory(name, held, most) for name in ("process", "model", "peak"))
        return Prediction(latency, process, model, peak, outside)

    def _memory(self, name: str, held: int, most: int) -> PredictedFigure:
        value, spread = self.memory(name, held, most), self.calibration.memory[name].spread
        return PredictedFigure(value, value / spread, value * spread)

    def memory(self, name: str, weights: int, live: int) -> float:
        """Return the bytes of memory.NAME (process, model, peak) for these weights and activations.

        Linear in both.
        """
        return self.calibration.memory[name].value(weights, live)

    def base_seconds(self, architecture: Architecture, dataset: Dataset) -> float:
        """Return what an inference costs beside its segments."""
        return self.calibration.model.run(architecture.name)

    def total_seconds(
        self, architecture: Architecture, dataset: Dataset, costs: Sequence[SegmentCost]
    ) -> float:
        """Return the latency of a network of these segments."""
        far = self.far_seconds(architecture, sum(cost.weights for cost in costs))
        return self.base_seconds(architecture, dataset) + far + sum(cost.seconds for cost in costs)

    def far_seconds(self, architecture: Architecture, weights: float) -> float:
        """Return what weights of so many bytes cost an inference beside its segments."""
        return self.calibration.model.far(weights, architecture.name)

    def segments(self, architecture: Architecture, dataset: Dataset) -> tuple[CostSegment, ...]:
        """Return the network's segments in order."""
        return segments(architecture, dataset)

    def cost(
        self, segment: CostSegment, entry_width: int, own_widths: Sequence[int], layout: str = START
    ) -> SegmentCost:
        """Return what a segment costs for these widths; entry_width 0 and layout START for the first one."""
        return self._cost(segment, entry_width, tuple(own_widths), layout)

    def _segment_cost(
        self, segment: CostSegment, entry: int, own: tuple[int, ...], layout: str
    ) -> SegmentCost:
        operators, output = segment.operators(entry, own)
        lowered = segment.lower(entry, own, self.block, layout)
        seconds = float(self.calibration.model.seconds(lowered.kernels, segment.architecture.name).sum())
        return SegmentCost(
            seconds, memory.weights(lowered.kernels), memory.live(operators, output), lowered.layout
        )

    def walk(self, architecture: Architecture, widths: Sequence[int], dataset: Dataset) -> list[SegmentCost]:
        """Return the cost of each segment of a network, in order."""
        architecture.check(widths)
        found: list[SegmentCost] = []
        for segment in segments(architecture, dataset):
            entry = 0 if segment.entry is None else widths[segment.entry]
            layout = found[-1].layout if found else self.START
            found.append(self.cost(segment, entry, [widths[i] for i in segment.own], layout))
        return found

    def kernels(self, architecture: Architecture, widths: Sequence[int], dataset: Dataset) -> list[Kernel]:
        """Return what the backend runs for the whole network."""
        image = Value(3, dataset.size)
        return lower(*trace(architecture.network(widths, dataset), image), self.block).kernels

    def range(self, architecture: Architecture, dataset: Dataset) -> list[tuple[int, int]]:
        """Return the lowest and the highest width that was tuned, layer by layer."""
        return design.limits(architecture)

    def outside(self, architecture: Architecture, widths: Sequence[int], dataset: Dataset) -> tuple[str, ...]:
        """Return why a network lies beyond the tuned range, one reason a layer; empty where it does not."""
        architecture.check(widths)
        found = []
        if dataset.size not in (32, 64):
            found.append(f"images of {dataset.size} pixels, tuned are 32 and 64")
        if not self.profile.covers(architecture):
            found.append(f"no network of {architecture.name} was measured")
        elif missing := self.calibration.model.times.linear.missing(
            self.kernels(architecture, widths, dataset)
        ):
            found.append(f"no kernel like {' and '.join(missing)} was measured")
        limits = self.range(architecture, dataset)
        for layer, width, (low, high) in zip(architecture.layers, widths, limits, strict=True):
            if not low <= width <= high:
                found.append(f"{layer} = {width}, tuned are {low} to {high}")
        return tuple(found)

    def explain(self, architecture: Architecture, widths: Sequence[int], dataset: Dataset) -> list[LayerCost]:
        """Return each layer's share of the latency, and what its odd width costs.

        A segment's time, and what its weights cost to be read again, is shared by its layers in proportion to
        their multiplications; what belongs to no layer (the classifier, the call) goes to the last. Shares
        add up to one.
        """
        costs = self.walk(architecture, widths, dataset)
        base, held = self.base_seconds(architecture, dataset), sum(cost.weights for cost in costs)
        total = self.total_seconds(architecture, dataset, costs)
        far = self.far_seconds(architecture, held) / held
        own = np.zeros(len(widths))
        for segment, cost in zip(segments(architecture, dataset), costs, strict=True):
            layers = list(segment.own) or [len(widths) - 1]
            entry = 0 if segment.entry is None else widths[segment.entry]
            work = np.array(segment.work(entry, [widths[i] for i in segment.own]) or [1], float)
            own[layers] += (cost.seconds + far * cost.weights) * work / work.sum()
        own[-1] += base
        found = []
        for index, layer in enumerate(architecture.layers):
            aligned = self._aligned(widths[index])
            moved = [*widths[:index], aligned, *widths[index + 1 :]]
            other = self.total_seconds(architecture, dataset, self.walk(architecture, moved, dataset))
            found.append(
                LayerCost(layer, widths[index], own[index], own[index] / total, aligned, total - other)
            )
        return found

    def _aligned(self, width: int) -> int:
        unit = self.block if self.block > 1 else ALIGNED
        return max(1, round(width / unit)) * unit
