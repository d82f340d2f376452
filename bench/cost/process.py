"""What whole measurements show beyond their kernels' times: a Gaussian process over sums of kernels.

The relative error g of a kernel's time is smooth over `places`. Only sums are observed, so that two
measurements covary as their kernels do, weighted by each kernel's share. Whole networks have one more term
for their architecture: what a network costs beyond its kernels. The result stays a sum over kernels,
time_k (1 + g(k) + f), which is what an exact optimiser needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.cost import memory
from bench.cost.features import by_group
from bench.cost.fitting import Array, Sample
from bench.cost.lowering import Kernel
from bench.cost.places import Times, likeness, places

AMPLITUDES = {False: 0.25, True: 0.1}  # deviation of g: where kernels were not observed, and where they were
OFFSET, OWN = 0.1, 0.1  # deviations: of all whole networks, of an architecture
WITHIN = 1.0  # variance that g has within networks only, over that which it has everywhere
NOISE = 0.03  # relative, of a measurement


@dataclass
class GaussianProcess:
    """The posterior of g and of the networks' offsets."""

    block: int
    variance: float  # of g
    seen: dict[str, Array]  # group -> places of the kernels measured
    weights: dict[bool, dict[str, Array]]  # within a network or not -> group -> what each adds to the mean
    offsets: dict[str, float]  # architecture -> f
    shares: dict[str, Array] = field(repr=False)  # group -> measurements x kernels
    inverse: Array = field(repr=False)  # of the measurements' covariance
    wholes: list[str | None] = field(repr=False)

    def error(self, kernels: Sequence[Kernel], inside: bool) -> Array:
        """Return the mean of g of each kernel, within a network or by itself."""
        found = np.zeros(len(kernels))
        for name, indices in by_group(kernels).items():
            if name in self.seen:
                own = places([kernels[i] for i in indices], self.block)
                found[indices] = likeness(own, self.seen[name]) @ self.weights[inside][name]
        return found

    def deviation(self, kernels: Sequence[Kernel], shares: Array, whole: str | None) -> float:
        """Return the standard deviation of a sum's relative error, noise of a measurement included."""
        prior: float = 0.0
        cross: Array = np.zeros(len(self.wholes))
        for name, indices in by_group(kernels).items():
            own, weight = places([kernels[i] for i in indices], self.block), shares[indices]
            prior += self.variance * float(weight @ likeness(own, own) @ weight)
            if name in self.seen:
                alike = likeness(self.seen[name], own) @ weight
                cross = cross + self.variance * (self.shares[name] @ alike)
        if whole is not None:
            prior *= 1 + WITHIN
            cross = cross * (1 + WITHIN * np.array([other is not None for other in self.wholes]))
            prior += OFFSET**2 + OWN**2
            cross = cross + [_offset(whole, other) for other in self.wholes]
        left: float = prior - float(cross @ self.inverse @ cross)
        return math.sqrt(max(left, 0.0) + NOISE**2)


def fit_process(samples: Sequence[Sample], times: Times) -> GaussianProcess:
    """Return the posterior given what the kernels' times leave of each measurement."""
    linear, variance = times.linear, AMPLITUDES[times.observed] ** 2
    fixed = np.array(
        [linear.run + (linear.far(memory.weights(s.kernels)) if s.whole else 0.0) for s in samples]
    )
    found = [times.seconds(s.kernels, s.whole is not None) for s in samples]
    sums = fixed + [each.sum() for each in found]
    kernels = [k for s in samples for k in s.kernels]
    owner = np.repeat(np.arange(len(samples)), [len(each) for each in found])
    share = np.concatenate([each / total for each, total in zip(found, sums, strict=True)])
    wholes = [s.whole for s in samples]
    inside = np.array([w is not None for w in wholes], float)
    within = variance * (1 + WITHIN * np.outer(inside, inside))
    covariance = np.diag(np.full(len(samples), NOISE**2))
    covariance += np.array([[_offset(a, b) for b in wholes] for a in wholes])
    seen, shares = {}, {}
    for name, indices in by_group(kernels).items():
        all_ = places([kernels[i] for i in indices], linear.block)
        seen[name], which = np.unique(all_, axis=0, return_inverse=True)
        shares[name] = np.zeros((len(samples), len(seen[name])))
        np.add.at(shares[name], (owner[indices], which.ravel()), share[indices])
        covariance += within * (shares[name] @ likeness(seen[name], seen[name]) @ shares[name].T)
    inverse = np.linalg.inv(covariance)
    left = inverse @ (np.array([s.seconds for s in samples]) / sums - 1)
    names = sorted({w for w in wholes if w})
    offsets = {a: float(sum(_offset(a, w) * x for w, x in zip(wholes, left, strict=True))) for a in names}
    weights = {
        whole: {name: variance * (shares[name].T @ (left * (1 + WITHIN * inside * whole))) for name in shares}
        for whole in (False, True)
    }
    return GaussianProcess(linear.block, variance, seen, weights, offsets, shares, inverse, wholes)


def _offset(a: str | None, b: str | None) -> float:
    return 0.0 if a is None or b is None else OFFSET**2 + OWN**2 * (a == b)
