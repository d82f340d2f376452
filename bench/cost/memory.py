"""What a network holds: weights as the backend keeps them, and the activations that are alive at once."""

from __future__ import annotations

from collections.abc import Sequence

from bench.cost.graph import Operator, Value
from bench.cost.lowering import Kernel


def weights(kernels: Sequence[Kernel]) -> int:
    """Bytes of the weights, filled up to whole blocks where the backend blocks them."""
    return sum(
        4
        * (kernel.kernel**2 * (1 if kernel.kind in ("depthwise", "norm") else kernel.c_in) + 1)
        * kernel.c_out
        for kernel in kernels
        if kernel.kind in ("conv", "pointwise", "direct", "depthwise", "norm", "linear")
    )


def live(operators: Sequence[Operator], output: Value) -> int:
    """Bytes of activations alive at most: each from its making to its last reader."""
    last = {v.id: at for at, operator in enumerate(operators) for v in operator.inputs}
    last[output.id] = len(operators)
    alive = {0: operators[0].inputs[0]} if operators else {}
    most = 0
    for at, operator in enumerate(operators):
        alive[operator.output.id] = operator.output
        most = max(most, sum(4 * v.channels * v.size**2 for v in alive.values()))
        alive = {key: v for key, v in alive.items() if last.get(key, -1) > at}
    return most
