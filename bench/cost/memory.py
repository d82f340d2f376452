"""What a network holds: weights as the backend keeps them, and the activations that are alive at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bench.cost import design
from bench.cost.graph import Operator, Value
from bench.cost.lowering import Kernel
from bench.cost.profile import Measurement

NAMES = ("process", "model", "peak")
LEAST = 6  # measurements
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
    """bytes = base + weights * held + live * most; half: of the 95 % prediction interval."""

    base: float
    weights: float
    live: float
    half: float

    def value(self, held: int, most: int) -> float:
        """Return the predicted bytes for weights of `held` bytes and `most` bytes of activations."""
        return self.base + self.weights * held + self.live * most


def fit_memory(measurements: Sequence[Measurement], name: str, block: int) -> MemoryFit:
    """Fit memory.NAME over what was measured, by relative errors; NaN where nothing was."""
    from scipy import special
    from scipy.optimize import nnls

    rows, values = [], []
    for each in measurements:
        if each.memory is not None:
            operators, output, _ = design.operators(each.item)
            held = weights(design.kernels(each.item, block))
            rows.append([1e6, held, live(operators, output)])
            values.append(getattr(each.memory, name))
    if len(rows) < LEAST:
        return MemoryFit(math.nan, 0, 0, math.nan)
    table, measured = np.array(rows, float), np.array(values, float)
    weight = 1 / np.maximum(measured, 1e5)
    found, _ = nnls(table * weight[:, None], measured * weight)
    error = math.sqrt(float(np.mean((measured - table @ found) ** 2)))
    half = float(special.stdtrit(len(rows) - 3, (1 + COVERAGE) / 2)) * error
    return MemoryFit(float(found[0]) * 1e6, float(found[1]), float(found[2]), half)
