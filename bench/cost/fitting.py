"""From measurements to the time of any kernel: amounts of work first, then what they leave.

What is measured is the time of whole networks and of parts, and, where the library has a profiler,
of each kernel in its place (observed). The first part is linear: each group of kernels has a coefficient for
each amount of work, none negative (scipy's nnls on relative errors).
`places` corrects that kernel by kernel, `process` network by network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.cost.features import COLD, FAR, amounts, by_group, classes, cold, far, group
from bench.cost.lowering import Kernel
from bench.cost.memory import weights

Array = np.ndarray[Any, Any]
RUN = "run"  # the group of what every inference costs once
WHOLE = "whole"  # of what kernels cost more within a network than alone
MEMORY = "memory"  # of what a network's weights cost that no cache holds
RIDGE = 1e-3  # keeps coefficients that nothing decides near zero
NOISE_LINEAR, FREEDOM = 0.05, 1.5  # relative: of a measurement, of a group's coefficient about the usual one
LEAST = 1e-3  # share of a measurement that an amount which costs nothing on average may still cost
OBSERVED, TICK = 0.1, 1e-6  # noise of an observed kernel: relative, and s
STEPS = 60  # of looking for what a profiler costs


@dataclass(frozen=True)
class Sample:
    """One measurement: its kernels, its time (s); of a whole network its architecture.

    observed: of each kernel in its place (s), slowed as the whole was under the profiler; None where unknown.
    """

    kernels: Sequence[Kernel]
    seconds: float
    whole: str | None
    observed: Sequence[float] | None = None


@dataclass
class Linear:
    """Coefficients by group, and what an inference costs once. usual: of each kind of amount anywhere."""

    block: int
    coefficients: dict[str, Array]
    usual: dict[str, float]

    def seconds(self, kernels: Sequence[Kernel], inside: bool = False) -> Array:
        """Return the time of each kernel (s), inside a network or by itself.

        A group never measured costs as others do.
        """
        found = np.zeros(len(kernels))
        for indices in by_group(kernels).values():
            work = np.array([amounts(kernels[i], self.block) for i in indices])
            found[indices] = work @ self._of(kernels[indices[0]])
        if inside and len(kernels):
            found += np.array([cold(kernel) for kernel in kernels]) @ self.coefficients[WHOLE]
        return found

    def far(self, held: float) -> float:
        """Return what weights of `held` bytes cost beyond a network's kernels (s): no cache holds all."""
        return float(np.dot(self.coefficients[MEMORY], far(held * 1e-6)))

    def _of(self, kernel: Kernel) -> Array:
        if group(kernel) in self.coefficients:
            return self.coefficients[group(kernel)]
        return np.array([self.usual.get(each, 0.0) for each in classes(kernel)])

    def missing(self, kernels: Sequence[Kernel]) -> list[str]:
        """Return the groups among `kernels` that were never measured."""
        return sorted({group(kernel) for kernel in kernels} - set(self.coefficients))

    @property
    def run(self) -> float:
        """Time of an inference beside its kernels (s)."""
        return float(self.coefficients[RUN][0])


@dataclass(frozen=True)
class Observed:
    """Every kernel that was observed: of which sample it is, and its time (s) on the undisturbed device.

    share: of its sample's weights. profiler: what a profiler adds to the time of each kernel (s).
    """

    kernels: list[Kernel]
    owner: Array
    seconds: Array
    share: Array
    profiler: float

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> Observed:
        """Return the kernels of all samples, in order, so that they add up to their sample's own time."""
        seen = [(i, s, np.array(s.observed)) for i, s in enumerate(samples) if s.observed is not None]
        cost = profiler_cost([(s.seconds, times) for _, s, times in seen])
        kernels = [kernel for _, sample, _ in seen for kernel in sample.kernels]
        owner = np.repeat([i for i, _, _ in seen], [len(times) for _, _, times in seen]).astype(int)
        alone = [times * (s.seconds + cost * len(times)) / times.sum() - cost for _, s, times in seen]
        seconds = np.maximum(np.concatenate([*alone, np.zeros(0)]), TICK / 10)
        held = np.array([weights([kernel]) for kernel in kernels], float)
        share = held / np.maximum(np.bincount(owner, held, len(samples)), 1)[owner] if len(held) else held
        return cls(kernels, owner, seconds, share, cost)


def profiler_cost(seen: Sequence[tuple[float, Array]]) -> float:
    """Return what a profiler adds to the time of a kernel (s): what makes all samples equally slowed by other
    work.

    seen: of each sample its own time, and its kernels' under the profiler.
    """
    if not seen:
        return 0.0
    own, sums = np.array([seconds for seconds, _ in seen]), np.array([times.sum() for _, times in seen])
    counts = np.array([len(times) for _, times in seen])
    most = float(np.quantile(np.concatenate([times for _, times in seen]), 0.05))
    tried = np.linspace(0, most, STEPS)
    slowed = np.log(sums / (own + tried[:, None] * counts))
    spread = np.abs(slowed - np.median(slowed, axis=1, keepdims=True)).mean(axis=1)
    return float(tried[spread.argmin()])


def fit_linear(samples: Sequence[Sample], observed: Observed, block: int) -> Linear:
    """Return coefficients that minimise the relative error, none negative.

    First one per kind of amount for all groups together, then each group's own, which the first ones hold:
    a group that was measured little, or amounts that always come together, stay near what is usual.
    """
    known = {group(k): classes(k) for s in samples for k in s.kernels}
    known |= {RUN: (RUN,), WHOLE: COLD, MEMORY: FAR}
    slots = [(name, kind) for name in sorted(known) for kind in known[name]]
    sums = _table([s.kernels for s in samples], [s.whole for s in samples], block, known, slots)
    sums[:, slots.index((RUN, RUN))] = 1
    memory = slice(slots.index((MEMORY, FAR[0])), slots.index((MEMORY, FAR[-1])) + 1)
    sums[:, memory] = [far(weights(s.kernels) * 1e-6 * (s.whole is not None)) for s in samples]
    inside = [samples[i].whole for i in observed.owner]
    single = _table([[k] for k in observed.kernels], inside, block, known, slots)
    single[:, memory] = sums[observed.owner, memory] * observed.share[:, None]
    weight = NOISE_LINEAR / np.hypot(OBSERVED, TICK / observed.seconds)
    sums /= np.array([s.seconds for s in samples])[:, None]
    table = np.vstack([sums, single * (weight / observed.seconds)[:, None]])
    return _fit(table, np.concatenate([np.ones(len(sums)), weight]), slots, block)


def _fit(table: Array, target: Array, slots: Sequence[tuple[str, str]], block: int) -> Linear:
    """table: a row a measurement, which the coefficients are to bring to its target."""
    kinds = sorted({kind for _, kind in slots})
    shared = table @ np.array([[kind == each for each in kinds] for _, kind in slots], float)
    usual = dict(zip(kinds, _solve(shared, target, np.zeros(len(kinds)), RIDGE), strict=True))
    means = np.abs(shared).mean(axis=0)
    least = {kind: LEAST / mean if mean else 0.0 for kind, mean in zip(kinds, means, strict=True)}
    prior = np.array([max(usual[kind], least[kind]) for _, kind in slots])
    found = _solve(table * prior, target, np.ones(len(slots)), NOISE_LINEAR / FREEDOM) * prior
    names = [name for name, _ in slots]
    return Linear(block, {name: found[[n == name for n in names]] for name in dict.fromkeys(names)}, usual)


def _table(
    rows: Sequence[Sequence[Kernel]], wholes: Sequence[str | None], block: int,
    known: dict[str, tuple[str, ...]], slots: Sequence[tuple[str, str]],
) -> Array:  # fmt: skip
    """Amounts of work: a row a sum of kernels, within a network where `wholes` is true."""
    names = [name for name, _ in slots]
    starts = {name: names.index(name) for name in known}
    found = np.zeros((len(rows), len(slots)))
    for row, kernels, whole in zip(found, rows, wholes, strict=True):
        for kernel in kernels:
            start = starts[group(kernel)]
            row[start : start + len(known[group(kernel)])] += amounts(kernel, block)
            if whole:
                row[starts[WHOLE] : starts[WHOLE] + len(COLD)] += cold(kernel)
    return found


def _solve(table: Array, target: Array, prior: Array, weight: float) -> Array:
    """Coefficients >= 0 with table @ x near `target`, held at `prior` with `weight` against one row's 1."""
    from scipy.optimize import nnls

    size = np.ones(len(prior)) if prior.any() else np.sqrt((table**2).mean(axis=0)) + 1e-12
    padded = np.vstack([table / size, weight * np.eye(len(prior))])
    both = np.column_stack([padded, np.concatenate([target, weight * prior])])
    squares = both.T @ both
    squares[np.diag_indices_from(squares)] *= 1 + 1e-12
    small = np.linalg.cholesky(squares).T  # the same sum of squares in few rows
    found, _ = nnls(small[:, :-1], small[:, -1], maxiter=50 * len(prior))
    result: Array = found / size
    return result
