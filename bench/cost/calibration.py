"""A profile's measurements turned into a model: the channel block, kernel times, memory, intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from bench.cost import design, fitting, memory
from bench.cost.fitting import Linear, Process, Sample
from bench.cost.lowering import Kernel
from bench.cost.profile import Measurement, Profile

Array = np.ndarray[Any, Any]
BLOCKS = (1, 8, 16)  # none (Arm before onnxruntime 1.24, TensorRT), AVX2, AVX-512
NAMES = ("process", "model", "peak")
COVERAGE = 0.95


@dataclass(frozen=True)
class MemoryFit:
    """bytes = base + weights * held + live * most; half: of the 95 % prediction interval."""

    base: float
    weights: float
    live: float
    half: float

    def value(self, held: int, most: int) -> float:
        """Bytes."""
        return self.base + self.weights * held + self.live * most


class Quality(NamedTuple):
    """How well whole networks are predicted that were left out of the fit."""

    networks: int
    median_error: float  # relative
    worst_error: float
    within_10: float  # share of networks

    def text(self) -> str:
        """In one line."""
        if not self.networks:
            return "no whole network measured"
        return (
            f"{self.networks} networks left out in turn: median error {self.median_error:.1%}, "
            f"{self.within_10:.0%} within 10 %, worst {self.worst_error:.1%}"
        )


@dataclass(frozen=True)
class Calibration:
    """What CostModel asks."""

    block: int
    linear: Linear
    process: Process
    memory: dict[str, MemoryFit]
    stretch: float  # of the process's deviation, so that whole networks left out lie within
    quality: Quality

    def seconds(self, kernels: Sequence[Kernel], architecture: str) -> Array:
        """Time of each kernel within a network of that architecture."""
        plain = np.array([self.linear.seconds(kernel) for kernel in kernels])
        factor = 1 + self.process.error(kernels) + self.process.offsets.get(architecture, 0.0)
        return plain * np.maximum(factor, 0.1)

    def run_seconds(self, architecture: str) -> float:
        """What an inference costs beside its kernels."""
        return self.linear.run * (1 + self.process.offsets.get(architecture, 0.0))

    def spread(self, kernels: Sequence[Kernel], architecture: str) -> float:
        """The factor by which a network's latency may be off, either way, in 95 of 100 cases."""
        plain = np.array([self.linear.seconds(kernel) for kernel in kernels])
        shares = plain / (plain.sum() + self.linear.run)
        return math.exp(self.stretch * self.process.deviation(kernels, shares, architecture))


def calibrate(profile: Profile) -> Calibration:
    """The model of a profile, with the channel block that explains its measurements best."""
    found = [_fitted(profile, block) for block in BLOCKS]
    block, linear, process, _ = min(found, key=lambda each: each[3])
    samples = _samples(profile, block)
    sums = np.array([linear.run + sum(linear.seconds(k) for k in s.kernels) for s in samples])
    residual = np.array([s.seconds for s in samples]) / sums - 1
    errors, deviations = fitting.leave_one_out(process, residual)
    whole = np.array([s.whole is not None for s in samples])
    scores = (errors / deviations)[whole]
    quality = _quality(np.abs(errors / (1 + residual))[whole])
    return Calibration(block, linear, process, _memory(profile, block), _stretch(scores), quality)


def left_out(profile: Profile, made: Calibration) -> Array:
    """The relative error of each measurement when the process is not shown it."""
    samples = _samples(profile, made.block)
    sums = np.array([made.linear.run + sum(made.linear.seconds(k) for k in s.kernels) for s in samples])
    return fitting.leave_one_out(made.process, np.array([s.seconds for s in samples]) / sums - 1)[0]


def _quality(errors: Array) -> Quality:
    if not len(errors):
        return Quality(0, math.nan, math.nan, math.nan)
    within = float(np.mean(errors <= 0.1))
    return Quality(len(errors), float(np.median(errors)), float(errors.max()), within)


def _fitted(profile: Profile, block: int) -> tuple[int, Linear, Process, float]:
    samples = _samples(profile, block)
    linear = fitting.fit_linear(samples, block)
    sums = np.array([linear.run + sum(linear.seconds(k) for k in s.kernels) for s in samples])
    residual = np.array([s.seconds for s in samples]) / sums - 1
    return block, linear, fitting.fit_process(samples, linear), float(np.mean(residual**2))


def _samples(profile: Profile, block: int) -> list[Sample]:
    return [
        Sample(
            design.lowered(m.item, block).kernels,
            m.ratio * profile.reference_seconds,
            m.architecture if m.part is None else None,
        )
        for m in profile.measurements
    ]


def _stretch(scores: Array) -> float:
    """How many deviations hold 95 of 100 networks, from those left out: Student's t on their own spread."""
    from scipy import special

    if len(scores) < 2:
        return 3.0
    quantile = float(special.stdtrit(len(scores), (1 + COVERAGE) / 2))
    return quantile * math.sqrt(float(np.mean(scores**2)))


def _memory(profile: Profile, block: int) -> dict[str, MemoryFit]:
    measured = [m for m in profile.measurements if m.memory is not None]
    return {name: _memory_fit(measured, name, block) for name in NAMES}


def _memory_fit(measured: Sequence[Measurement], name: str, block: int) -> MemoryFit:
    from scipy import special
    from scipy.optimize import nnls

    rows, values = [], []
    for each in measured:
        operators, output, _ = design.operators(each.item)
        lowered = design.lowered(each.item, block)
        rows.append([1e6, memory.weights(lowered.kernels), memory.live(operators, output)])
        values.append(getattr(each.memory, name))
    if len(rows) < 5:
        return MemoryFit(math.nan, 0, 0, math.inf)
    table, bytes_ = np.array(rows, float), np.array(values, float)
    weight = 1 / np.maximum(bytes_, 1e5)
    found, _ = nnls(table * weight[:, None], bytes_ * weight)
    residual = bytes_ - table @ found
    quantile = float(special.stdtrit(len(rows) - 3, (1 + COVERAGE) / 2))
    return MemoryFit(found[0] * 1e6, found[1], found[2], quantile * float(np.sqrt(np.mean(residual**2))))
