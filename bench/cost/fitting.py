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

from bench.cost.features import COLD, amounts, classes, cold, group
from bench.cost.lowering import Kernel

Array = np.ndarray[Any, Any]
RUN = "run"  # the group of what every inference costs once
WHOLE = "whole"  # of what kernels cost more within a network than alone
RIDGE = 1e-3  # keeps coefficients that nothing decides near zero
NOISE_LINEAR, FREEDOM = 0.05, 1.5  # relative: of a measurement, of a group's coefficient about the usual one
LEAST = 1e-3  # share of a measurement that an amount which costs nothing on average may still cost
LENGTHS = (1.2, 1.2, 1.2, 0.5)  # of the process: ln c_in, ln c_out, ln size, fill of the last channel blocks
AMPLITUDE, OFFSET, OWN = 0.25, 0.1, 0.1  # deviations: of g, of all whole networks, of an architecture
WITHIN = 1.0  # variance that g has within networks only, over that which it has everywhere
NOISE = 0.03  # relative, of a measurement


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

    def seconds(self, kernel: Kernel, whole: bool = False) -> float:
        """Time of one kernel, by itself or within a network; KeyError for a group that was never measured."""
        found = float(np.dot(self.coefficients[group(kernel)], amounts(kernel, self.block)))
        return found + float(np.dot(self.coefficients[WHOLE], cold(kernel))) if whole else found

    def knows(self, kernels: Sequence[Kernel]) -> bool:
        """Whether every group among `kernels` was measured."""
        return all(group(kernel) in self.coefficients for kernel in kernels)

    @property
    def run(self) -> float:
        """Time of an inference beside its kernels."""
        return float(self.coefficients[RUN][0])


def fit_linear(samples: Sequence[Sample], block: int) -> Linear:
    """Coefficients that minimise the relative error, none negative.

    First one per kind of amount for all groups together, then each group's own, which the first ones hold:
    a group that was measured little, or amounts that always come together, stay near what is usual.
    """
    known = {group(k): classes(k) for s in samples for k in s.kernels} | {RUN: (RUN,), WHOLE: COLD}
    slots = [(name, kind) for name in sorted(known) for kind in known[name]]
    table = _table(samples, block, known, slots)
    kinds = sorted({kind for _, kind in slots})
    shared = table @ np.array([[kind == each for each in kinds] for _, kind in slots], float)
    usual = dict(zip(kinds, _solve(shared, np.zeros(len(kinds)), RIDGE), strict=True))
    least = {kind: LEAST / max(float(np.abs(shared[:, at]).mean()), 1e-12) for at, kind in enumerate(kinds)}
    prior = np.array([max(usual[kind], least[kind]) for _, kind in slots])
    found = _solve(table * prior, np.ones(len(slots)), NOISE_LINEAR / FREEDOM) * prior
    return Linear(block, {name: found[[n == name for n, _ in slots]] for name in known})


def _table(
    samples: Sequence[Sample], block: int, known: dict[str, tuple[str, ...]], slots: Sequence[tuple[str, str]]
) -> Array:
    """Amounts of each sample over its time: a row times the coefficients is the relative prediction."""
    names = [name for name, _ in slots]
    starts = {name: names.index(name) for name in known}
    rows = np.zeros((len(samples), len(slots)))
    for row, sample in zip(rows, samples, strict=True):
        row[starts[RUN]] = 1
        for kernel in sample.kernels:
            start = starts[group(kernel)]
            row[start : start + len(known[group(kernel)])] += amounts(kernel, block)
            if sample.whole:
                row[starts[WHOLE] : starts[WHOLE] + len(COLD)] += cold(kernel)
    found: Array = rows / np.array([s.seconds for s in samples])[:, None]
    return found


def _solve(table: Array, prior: Array, weight: float) -> Array:
    """Coefficients >= 0 with table @ x near 1, held at `prior` with `weight` against one measurement's 1."""
    from scipy.optimize import nnls

    size = np.ones(len(prior)) if prior.any() else np.sqrt((table**2).mean(axis=0)) + 1e-12
    padded = np.vstack([table / size, weight * np.eye(len(prior))])
    found, _ = nnls(padded, np.concatenate([np.ones(len(table)), weight * prior]), maxiter=50 * len(prior))
    result: Array = found / size
    return result


def place(kernel: Kernel, block: int) -> tuple[float, ...]:
    """Where a kernel lies for the process: its coordinates over LENGTHS."""
    fill = (kernel.c_out / (4 * block)) % 1 if block > 1 else 0.0
    return (math.log(kernel.c_in), math.log(kernel.c_out), math.log(kernel.size), fill)


@dataclass
class Process:
    """The posterior of g and of the networks' offsets."""

    block: int
    places: dict[str, Array]  # group -> places of the kernels seen
    weights: dict[bool, dict[str, Array]]  # within a network or not -> group -> what each adds to the mean
    offsets: dict[str, float]  # architecture -> f
    shares: dict[str, Array] = field(repr=False)  # group -> measurements x kernels
    inverse: Array = field(repr=False)  # of the measurements' covariance
    wholes: list[str | None] = field(repr=False)

    def error(self, kernels: Sequence[Kernel], whole: bool) -> Array:
        """The mean of g of each kernel, within a network or by itself."""
        found = np.zeros(len(kernels))
        for name, indices in _by_group(kernels).items():
            if name in self.places:
                near = _covariance(_places([kernels[i] for i in indices], self.block), self.places[name])
                found[indices] = near @ self.weights[whole][name]
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
            prior *= 1 + WITHIN
            cross = cross * (1 + WITHIN * np.array([other is not None for other in self.wholes]))
            prior += OFFSET**2 + OWN**2
            cross = cross + [_offset(whole, other) for other in self.wholes]
        left: float = prior - float(cross @ self.inverse @ cross)
        return math.sqrt(max(left, 0.0) + NOISE**2)


def fit_process(samples: Sequence[Sample], linear: Linear) -> Process:
    """The posterior given what the linear part leaves of each measurement."""
    times = [np.array([linear.seconds(k, s.whole is not None) for k in s.kernels]) for s in samples]
    sums = np.array([linear.run + t.sum() for t in times])
    kernels = [k for s in samples for k in s.kernels]
    owner = np.concatenate([np.full(len(t), i) for i, t in enumerate(times)])
    share = np.concatenate([t / sums[i] for i, t in enumerate(times)])
    places, shares = {}, {}
    wholes = [s.whole for s in samples]
    inside = np.array([w is not None for w in wholes], float)
    within = 1 + WITHIN * np.outer(inside, inside)
    covariance = np.diag(np.full(len(samples), NOISE**2))
    covariance += np.array([[_offset(a, b) for b in wholes] for a in wholes])
    for name, indices in _by_group(kernels).items():
        found, which = np.unique(
            _places([kernels[i] for i in indices], linear.block), axis=0, return_inverse=True
        )
        table = np.zeros((len(samples), len(found)))
        np.add.at(table, (owner[indices], which.ravel()), share[indices])
        places[name], shares[name] = found, table
        covariance += within * (table @ _covariance(found, found) @ table.T)
    inverse = np.linalg.inv(covariance)
    left = inverse @ (np.array([s.seconds for s in samples]) / sums - 1)
    names = sorted({w for w in wholes if w})
    offsets = {a: float(sum(_offset(a, w) * x for w, x in zip(wholes, left, strict=True))) for a in names}
    weights = {
        whole: {name: shares[name].T @ (left * (1 + WITHIN * inside * whole)) for name in shares}
        for whole in (False, True)
    }
    return Process(linear.block, places, weights, offsets, shares, inverse, wholes)


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
