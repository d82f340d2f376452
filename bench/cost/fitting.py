"""From measurements to the time of any kernel: amounts of work first, then what they leave, kernel by kernel.

A measurement is a sum over kernels. The first part is linear: each group of kernels has a coefficient for
each amount of work, none negative (scipy's nnls on relative errors). The second is a Gaussian process over
kernels: the relative error g of the first part, smooth in the logarithms of channels and size. Only sums of
kernels are observed, so that two measurements covary as their kernels do, weighted by each kernel's share.
Whole networks have one more term for their architecture: what a network costs beyond its parts. The result
stays a sum over kernels, time_k (1 + g(k) + f), which is what an exact optimiser needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.cost.features import amounts, group
from bench.cost.lowering import Kernel

Array = np.ndarray[Any, Any]
RUN = "run"  # the group of what every inference costs once
RIDGE = 1e-3  # keeps coefficients that nothing decides near zero
LENGTHS = (0.7, 0.7, 0.7, 0.5)  # of the process: ln c_in, ln c_out, ln size, fill of the last channel blocks
AMPLITUDE, OFFSET, OWN = 0.25, 0.1, 0.1  # deviations: of g, of all whole networks, of an architecture
NOISE = 0.015  # relative, of a measurement


@dataclass(frozen=True)
class Sample:
    """One measurement: its kernels, its time (s); of a whole network its architecture."""

    kernels: Sequence[Kernel]
    seconds: float
    whole: str | None


@dataclass
class Linear:
    """Coefficients by group, and what an inference costs once."""

    block: int
    coefficients: dict[str, Array]

    def seconds(self, kernel: Kernel) -> float:
        """Time of one kernel; a group that was never measured is refused by KeyError."""
        return float(np.dot(self.coefficients[group(kernel)], amounts(kernel, self.block)))

    def knows(self, kernels: Sequence[Kernel]) -> bool:
        """Whether every group among `kernels` was measured."""
        return all(group(kernel) in self.coefficients for kernel in kernels)

    @property
    def run(self) -> float:
        """Time of an inference beside its kernels."""
        return float(self.coefficients[RUN][0])


def fit_linear(samples: Sequence[Sample], block: int) -> Linear:
    """Coefficients that minimise the relative error, none negative."""
    from scipy.optimize import nnls

    widths = {group(k): len(amounts(k, block)) for s in samples for k in s.kernels} | {RUN: 1}
    starts, total = {}, 0
    for name in sorted(widths):
        starts[name], total = total, total + widths[name]
    rows = np.zeros((len(samples), total))
    for row, sample in zip(rows, samples, strict=True):
        row[starts[RUN]] = 1
        for kernel in sample.kernels:
            start = starts[group(kernel)]
            row[start : start + widths[group(kernel)]] += amounts(kernel, block)
    seconds = np.array([s.seconds for s in samples])
    scaled = rows / seconds[:, None]
    size = np.sqrt((scaled**2).mean(axis=0)) + 1e-12
    padded = np.vstack([scaled / size, RIDGE * math.sqrt(len(samples)) * np.eye(total)])
    found, _ = nnls(padded, np.concatenate([np.ones(len(samples)), np.zeros(total)]), maxiter=20 * total)
    found = found / size
    return Linear(block, {name: found[at : at + widths[name]] for name, at in starts.items()})


def place(kernel: Kernel, block: int) -> tuple[float, ...]:
    """Where a kernel lies for the process: its coordinates over LENGTHS."""
    fill = (kernel.c_out / (4 * block)) % 1 if block > 1 else 0.0
    return (math.log(kernel.c_in), math.log(kernel.c_out), math.log(kernel.size), fill)


@dataclass
class Process:
    """The posterior of g and of the networks' offsets."""

    block: int
    places: dict[str, Array]  # group -> places of the kernels seen
    weights: dict[str, Array]  # group -> what each adds to the mean
    offsets: dict[str, float]  # architecture -> f
    shares: dict[str, Array] = field(repr=False)  # group -> measurements x kernels
    inverse: Array = field(repr=False)  # of the measurements' covariance
    wholes: list[str | None] = field(repr=False)

    def error(self, kernels: Sequence[Kernel]) -> Array:
        """The mean of g of each kernel."""
        found = np.zeros(len(kernels))
        for name, indices in _by_group(kernels).items():
            if name in self.places:
                near = _covariance(_places([kernels[i] for i in indices], self.block), self.places[name])
                found[indices] = near @ self.weights[name]
        return found

    def deviation(self, kernels: Sequence[Kernel], shares: Array, whole: str | None) -> float:
        """Standard deviation of the relative error of a sum of kernels, noise of a measurement included."""
        prior: float = 0.0
        cross: Array = np.zeros(len(self.wholes))
        for name, indices in _by_group(kernels).items():
            own, weight = _places([kernels[i] for i in indices], self.block), shares[indices]
            prior += float(weight @ _covariance(own, own) @ weight)
            if name in self.places:
                cross = cross + self.shares[name] @ (_covariance(self.places[name], own) @ weight)
        if whole is not None:
            prior += OFFSET**2 + OWN**2
            cross = cross + [_offset(whole, other) for other in self.wholes]
        left: float = prior - float(cross @ self.inverse @ cross)
        return math.sqrt(max(left, 0.0) + NOISE**2)


def fit_process(samples: Sequence[Sample], linear: Linear) -> Process:
    """The posterior given what the linear part leaves of each measurement."""
    times = [np.array([linear.seconds(k) for k in s.kernels]) for s in samples]
    sums = np.array([linear.run + t.sum() for t in times])
    kernels = [k for s in samples for k in s.kernels]
    owner = np.concatenate([np.full(len(t), i) for i, t in enumerate(times)])
    share = np.concatenate([t / sums[i] for i, t in enumerate(times)])
    places, shares = {}, {}
    wholes = [s.whole for s in samples]
    covariance = np.diag(np.full(len(samples), NOISE**2))
    covariance += np.array([[_offset(a, b) for b in wholes] for a in wholes])
    for name, indices in _by_group(kernels).items():
        found, which = np.unique(
            _places([kernels[i] for i in indices], linear.block), axis=0, return_inverse=True
        )
        table = np.zeros((len(samples), len(found)))
        np.add.at(table, (owner[indices], which.ravel()), share[indices])
        places[name], shares[name] = found, table
        covariance += table @ _covariance(found, found) @ table.T
    inverse = np.linalg.inv(covariance)
    left = inverse @ (np.array([s.seconds for s in samples]) / sums - 1)
    names = sorted({w for w in wholes if w})
    offsets = {a: float(sum(_offset(a, w) * x for w, x in zip(wholes, left, strict=True))) for a in names}
    weights = {name: shares[name].T @ left for name in shares}
    return Process(linear.block, places, weights, offsets, shares, inverse, wholes)


def leave_one_out(process: Process, residual: Array) -> tuple[Array, Array]:
    """Errors and deviations of each measurement predicted from all others (Sundararajan and Keerthi 2001)."""
    diagonal = np.diag(process.inverse)
    return process.inverse @ residual / diagonal, 1 / np.sqrt(diagonal)


def _offset(a: str | None, b: str | None) -> float:
    return 0.0 if a is None or b is None else OFFSET**2 + OWN**2 * (a == b)


def _by_group(kernels: Sequence[Kernel]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for index, kernel in enumerate(kernels):
        found.setdefault(group(kernel), []).append(index)
    return found


def _places(kernels: Sequence[Kernel], block: int) -> Array:
    return np.array([place(kernel, block) for kernel in kernels]) / LENGTHS


def _covariance(a: Array, b: Array) -> Array:
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    found: Array = AMPLITUDE**2 * np.exp(-0.5 * np.maximum(squares, 0))
    return found
