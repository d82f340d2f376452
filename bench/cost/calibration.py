"""A profile's measurements turned into a model: the channel block, kernel times, memory, intervals."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench.cost import design, fitting, observed
from bench.cost.fitting import Array, Sample
from bench.cost.lowering import Kernel
from bench.cost.memory import NAMES, MemoryFit, fit_memory, weights
from bench.cost.places import Times, fit_times
from bench.cost.process import GaussianProcess, fit_process
from bench.cost.profile import Fitted, Measurement, Profile

BLOCKS: tuple[Literal[1, 8, 16], ...] = (
    1,
    8,
    16,
)  # none (Arm before onnxruntime 1.24, TensorRT), AVX2, AVX-512
FOLDS = 6
COVERAGE = 0.95
WIDEST = 99.0  # deviations: an interval without information
NEAR = 0.1  # relative: what counts as predicted
KNOWN = 0.5  # share of measurements whose kernels a profiler must have seen: a few fit by accident


@dataclass(frozen=True)
class KernelModel:
    """The time of any kernel."""

    times: Times
    process: GaussianProcess

    def seconds(self, kernels: Sequence[Kernel], whole: str | None) -> Array:
        """Return the time of each kernel, within a network of the architecture `whole` or by itself."""
        factor = (
            1 + self.process.error(kernels, whole is not None) + self.process.offsets.get(whole or "", 0.0)
        )
        found: Array = self.times.seconds(kernels, whole is not None) * np.maximum(factor, 0.1)
        return found

    def run(self, whole: str | None) -> float:
        """Return what an inference costs beside its kernels (s)."""
        return self.times.linear.run * (1 + self.process.offsets.get(whole or "", 0.0))

    def total(self, sample: Sample) -> float:
        """Return the time of a whole sample (s)."""
        kernels = float(self.seconds(sample.kernels, sample.whole).sum())
        return self.run(sample.whole) + self.far(weights(sample.kernels), sample.whole) + kernels

    def far(self, held: float, whole: str | None) -> float:
        """Return what weights of `held` bytes cost a whole network beyond its kernels (s)."""
        return (
            self.times.linear.far(held) * (1 + self.process.offsets[whole])
            if whole in self.process.offsets
            else 0.0
        )

    def deviation(self, kernels: Sequence[Kernel], whole: str | None) -> float:
        """Return the standard deviation of the relative error of the sum."""
        plain = self.times.seconds(kernels, whole is not None)
        total = (
            plain.sum() + self.times.linear.run + (self.times.linear.far(weights(kernels)) if whole else 0.0)
        )
        return self.process.deviation(kernels, plain / total, whole)


@dataclass(frozen=True)
class Calibration:
    """The fitted parts that CostModel predicts with."""

    block: int
    model: KernelModel
    memory: dict[str, MemoryFit]
    fitted: Fitted

    def spread(self, kernels: Sequence[Kernel], architecture: str) -> float:
        """Return the factor by which a network's latency may be off, either way, in 95 of 100 cases."""
        return math.exp(self.fitted.stretch * self.model.deviation(kernels, architecture))


def calibrate(profile: Profile) -> Calibration:
    """Return the model of a profile; what the profile stores of its fit is not fitted again."""
    fitted = profile.fitted or judge(profile)
    samples = samples_of(profile, fitted.block)
    memory = {name: fit_memory(profile.measurements, name, fitted.block) for name in NAMES}
    return Calibration(fitted.block, _fit(samples, fitted.block), memory, fitted)


def _fit(samples: Sequence[Sample], block: int) -> KernelModel:
    """Return all parts of the model."""
    seen = fitting.Observed.of(samples)
    times = fit_times(samples, seen, fitting.fit_linear(samples, seen, block))
    return KernelModel(times, fit_process(samples, times))


def judge(profile: Profile) -> Fitted:
    """Return the channel block that explains the measurements best, and how well networks left out are
    predicted.

    Every network is predicted once by a model that has not seen it; those errors, in the deviations that the
    model states, stretch its intervals until they hold 95 of 100 (Student's t).
    """
    from scipy import special

    block = channel_block(profile)
    samples = samples_of(profile, block)
    found = left_out(samples, block, [i for i, s in enumerate(samples) if s.whole])
    errors, scores = np.abs([e for _, e, _ in found]), np.array([e / d for _, e, d in found])
    quantile = float(special.stdtrit(len(found) - 1, (1 + COVERAGE) / 2)) if len(found) > 1 else 4.0
    stretch = quantile * max(math.sqrt(float(np.mean(scores**2))), 0.5) if len(found) else 4.0
    return Fitted(
        block=block,
        stretch=round(min(stretch, WIDEST), 4),
        networks=len(found),
        median_error=round(float(np.median(errors)), 5) if len(found) else None,
        within_10=round(float(np.mean(errors <= math.log1p(NEAR))), 4) if len(found) else None,
    )


def channel_block(profile: Profile) -> Literal[1, 8, 16]:
    """Return the channel block whose kernels a profiler saw, else the one that explains the times best."""
    matched = {each: sum(times is not None for times in _kernel_times(profile, each)) for each in BLOCKS}
    if any(matched.values()):
        return max(BLOCKS, key=lambda each: matched[each])
    return min(BLOCKS, key=lambda block: _linear_error(samples_of(profile, block), block))


def _in_place(measurement: Measurement, block: int) -> list[float] | None:
    """Return the time of each kernel (s) where a profiler gave it; None where those it saw are others."""
    kernels = design.kernels(measurement.item, block)
    if measurement.layers:
        return observed.match(kernels, [observed.ObservedLayer(*layer) for layer in measurement.layers])
    times = measurement.kernels or []
    return times if len(times) == len(kernels) and sum(times) > 0 else None


def _kernel_times(profile: Profile, block: int) -> list[list[float] | None]:
    """Return `_in_place` of every measurement; all None where a profiler saw the kernels of too few."""
    found = [_in_place(m, block) for m in profile.measurements]
    enough = sum(times is not None for times in found) >= KNOWN * len(found)
    return found if enough else [None] * len(found)


def observe(profile: Profile) -> Profile:
    """Return the profile with the times of kernels in place of the layers that a tuning recorded."""
    if not any(m.layers for m in profile.measurements):
        return profile
    block = channel_block(profile)
    found = [
        m.model_copy(update={"kernels": _in_place(m, block), "layers": None}) if m.layers else m
        for m in profile.measurements
    ]
    return profile.model_copy(update={"measurements": found})


def profiled(profile: Profile, block: int) -> int:
    """Return how many measurements have the time of each kernel; of the others the sum alone is known."""
    return sum(times is not None for times in _kernel_times(profile, block))


def quality(fitted: Fitted, seen: int) -> list[str]:
    """Return how well a profile predicts, in sentences. seen: what `profiled` counts."""
    found = [fitted.text()]
    if not seen:
        found.append("no profiler timed the single kernels: the model knows total times only, and errs more")
    return found


def left_out(samples: Sequence[Sample], block: int, which: Sequence[int]) -> list[tuple[int, float, float]]:
    """Return index, logarithmic error of a model not shown it, and its deviation, for samples in `which`."""
    found = []
    for fold in range(min(FOLDS, len(which))):
        hidden = set(which[fold::FOLDS])
        model = _fit([s for i, s in enumerate(samples) if i not in hidden], block)
        for index in hidden:
            sample = samples[index]
            if not model.times.linear.missing(sample.kernels):
                error = math.log(model.total(sample) / sample.seconds)
                found.append((index, error, model.deviation(sample.kernels, sample.whole)))
    return found


def samples_of(profile: Profile, block: int) -> list[Sample]:
    """Return the measurements as sums over kernels."""
    return [
        Sample(
            design.kernels(m.item, block),
            profile.seconds(m.architecture, m.ratio),
            m.architecture if m.part is None else None,
            times,
        )
        for m, times in zip(profile.measurements, _kernel_times(profile, block), strict=True)
    ]


def _linear_error(samples: Sequence[Sample], block: int) -> float:
    linear = fitting.fit_linear(samples, fitting.Observed.of(samples), block)
    sums = [linear.run + float(linear.seconds(s.kernels).sum()) for s in samples]
    return float(np.mean([(total / s.seconds - 1) ** 2 for total, s in zip(sums, samples, strict=True)]))
