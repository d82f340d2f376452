"""Gaussian processes over kernels: where a kernel lies, and how those near it err.

Kernels of one group lie near each other when their channels and size do (in logarithms), and when their last
blocks or rows are as full.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.cost import memory
from bench.cost.features import FILTERS, ROWS, by_group
from bench.cost.fitting import TICK, Array, Linear, Observed, Sample
from bench.cost.lowering import BLOCKED, Kernel

LENGTHS = (1.2, 1.2, 1.2, 0.5, 2.0)  # ln c_in, ln c_out, ln size, fill of the last blocks or rows, a sum
AMPLITUDE = 0.25  # deviation of a kernel's relative error
NOISE = 0.06  # relative, of an observed kernel
MOST = 1200  # kernels of a group: more are thinned
LEAST = 0.2  # of the linear part


def _place(kernel: Kernel, block: int) -> tuple[float, ...]:
    """Return where a kernel lies: its coordinates, to be divided by LENGTHS."""
    unit = FILTERS * block if kernel.layout == BLOCKED else ROWS
    fill = kernel.c_out / unit % 1
    return (math.log(kernel.c_in), math.log(kernel.c_out), math.log(kernel.size), fill, float(kernel.sums))


def places(kernels: Sequence[Kernel], block: int) -> Array:
    """Return the place of each kernel, in units of the process: kernels x coordinates."""
    return np.array([_place(kernel, block) for kernel in kernels]) / LENGTHS


def likeness(a: Array, b: Array) -> Array:
    """Return how alike places are: 1 for the same, towards 0 for far ones."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    found: Array = np.exp(-0.5 * np.maximum(squares, 0))
    return found


@dataclass(frozen=True)
class Times:
    """The time of any kernel: the linear part, corrected by what observed kernels near it left."""

    linear: Linear
    seen: dict[str, Array]  # group -> places of the kernels observed
    weights: dict[str, Array]  # group -> what each adds to the relative error

    @property
    def observed(self) -> bool:
        """Whether single kernels were observed."""
        return bool(self.seen)

    def seconds(self, kernels: Sequence[Kernel], inside: bool) -> Array:
        """Return the time of each kernel (s), inside a network or by itself."""
        found = self.linear.seconds(kernels, inside)
        for name, indices in by_group(kernels).items():
            if name in self.seen:
                own = places([kernels[i] for i in indices], self.linear.block)
                found[indices] *= np.maximum(1 + likeness(own, self.seen[name]) @ self.weights[name], LEAST)
        return found


def fit_times(samples: Sequence[Sample], observed: Observed, linear: Linear) -> Times:
    """Fit corrections to the observed kernels; none where there are none."""
    seen, weights = {}, {}
    beyond = np.array([linear.far(memory.weights(s.kernels)) if s.whole else 0.0 for s in samples])
    for name, indices in by_group(observed.kernels).items():
        indices = indices[:: -(-len(indices) // MOST)]
        kernels = [observed.kernels[i] for i in indices]
        inside = np.array([samples[i].whole is not None for i in observed.owner[indices]])
        plain = np.where(inside, linear.seconds(kernels, True), linear.seconds(kernels, False))
        plain = np.maximum(plain, TICK / 10)
        near_by = observed.seconds[indices] - observed.share[indices] * beyond[observed.owner[indices]]
        seen[name] = places(kernels, linear.block)
        covariance = likeness(seen[name], seen[name]) + np.diag(NOISE**2 + (TICK / plain) ** 2) / AMPLITUDE**2
        weights[name] = np.linalg.solve(covariance, np.clip(near_by / plain - 1, -0.9, 2.0))
    return Times(linear, seen, weights)
