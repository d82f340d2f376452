"""What a network holds: weights as the backend keeps them, and the activations that are alive at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.cost import design
from bench.cost.graph import Operator, Value
from bench.cost.lowering import Kernel
from bench.cost.profile import Measurement

Array = NDArray[np.float64]
NAMES = ("process", "model", "peak")
UNSURE = ("peak",)  # without an interval: 95 % by such errors held 77 % (docs/cost-model.md)
LEAST = 6  # measurements
FOLDS = 6
LEAST_BYTES = 1e5  # smaller figures count as so many where errors are relative
COVERAGE = 0.95


def weights(kernels: Sequence[Kernel]) -> int:
    """Return the bytes of the weights, filled up to whole blocks where the backend blocks them."""
    return sum(
        4
        * (kernel.kernel**2 * (1 if kernel.kind in ("depthwise", "norm") else kernel.c_in) + 1)
        * kernel.c_out
        for kernel in kernels
        if kernel.kind in ("conv", "pointwise", "direct", "depthwise", "norm", "linear")
    )


def live(operators: Sequence[Operator], output: Value) -> int:
    """Return the bytes of activations alive at most: each from its making to its last reader."""
    return max(
        (sum(4 * v.channels * v.size**2 for v in held) for held in alive(operators, output)), default=0
    )


def alive(operators: Sequence[Operator], output: Value) -> Iterator[list[Value]]:
    """Yield the tensors that are held while each operator runs."""
    last = {v.id: at for at, operator in enumerate(operators) for v in operator.inputs}
    last[output.id] = len(operators)
    held = {0: operators[0].inputs[0]} if operators else {}
    for at, operator in enumerate(operators):
        held[operator.output.id] = operator.output
        yield list(held.values())
        held = {key: v for key, v in held.items() if last.get(key, -1) > at}


@dataclass(frozen=True)
class MemoryFit:
    """bytes = base + weights * held + live * most.

    spread: the factor by which they may be off, either way, in 95 of 100 cases; NaN where that is unknown.
    """

    base: float
    weights: float
    live: float
    spread: float

    def value(self, held: int, most: int) -> float:
        """Return the predicted bytes for weights of `held` bytes and `most` bytes of activations."""
        return self.base + self.weights * held + self.live * most


def fit_memory(measurements: Sequence[Measurement], name: str, block: int) -> MemoryFit:
    """Fit memory.NAME over what was measured, by relative errors; NaN where nothing was."""
    rows, values, wholes = [], [], []
    for each in measurements:
        if each.memory is not None:
            operators, output, _ = design.operators(each.item)
            held = weights(design.kernels(each.item, block))
            rows.append([1e6, held, live(operators, output)])
            values.append(getattr(each.memory, name))
            wholes.append(each.part is None)
    if len(rows) < LEAST:
        return MemoryFit(math.nan, 0, 0, math.nan)
    table, measured = np.array(rows, float), np.array(values, float)
    base, held, most = _coefficients(table, measured)
    spread = math.nan if name in UNSURE else _spread(table, measured, wholes)
    return MemoryFit(float(base) * 1e6, float(held), float(most), spread)


def _coefficients(table: Array, measured: Array) -> Array:
    from scipy.optimize import nnls

    weight = 1 / np.maximum(measured, LEAST_BYTES)
    found: Array = nnls(table * weight[:, None], measured * weight)[0]
    return found


def _spread(table: Array, measured: Array, wholes: Sequence[bool]) -> float:
    """Return the factor that holds 95 of 100 whole networks, each left out of the fit (Student's t).

    Of whatever was measured, where that is parts of networks.
    """
    from scipy import special

    judged = np.flatnonzero(wholes) if sum(wholes) > 1 else np.arange(len(wholes))
    errors: list[float] = []
    for fold in range(FOLDS):
        hidden = judged[fold::FOLDS]
        found = _coefficients(np.delete(table, hidden, axis=0), np.delete(measured, hidden))
        guessed = np.maximum(table[hidden] @ found, LEAST_BYTES)
        errors += np.log(np.maximum(measured[hidden], LEAST_BYTES) / guessed).tolist()
    quantile = float(special.stdtrit(len(errors) - 1, (1 + COVERAGE) / 2))
    return math.exp(quantile * math.sqrt(float(np.mean(np.square(errors)))))
