"""A network of the zoo as the operators that its ONNX file has: batch norms folded, gates gone.

    operators, value = trace(chain, Value(channels=3, size=32))

Nothing is imported but the zoo's descriptions: no torch, no onnx.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.zoo.layers import (
    Chain,
    Classifier,
    Conv,
    Depthwise,
    Gate,
    GlobalPool,
    HalvingPool,
    Layer,
    Norm,
    Relu,
    Residual,
)


class Value(NamedTuple):
    """A tensor of one image: `channels` planes of `size` x `size`; `id` names it within its graph."""

    channels: int
    size: int
    id: int = 0


class Operator(NamedTuple):
    """A node of the ONNX graph. kind: conv, norm, relu, clip, pool, mean, linear or add."""

    kind: str
    inputs: tuple[Value, ...]
    output: Value
    kernel: int = 1
    stride: int = 1
    groups: int = 1

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a convolution or a linear layer."""
        weights = self.kernel**2 * self.inputs[0].channels * self.output.channels // self.groups
        return weights * self.output.size**2


@dataclass
class Trace:
    """The operators met so far."""

    operators: list[Operator] = field(default_factory=list)
    values: int = 0

    def add(
        self, kind: str, inputs: tuple[Value, ...], channels: int, size: int,
        kernel: int = 1, stride: int = 1, groups: int = 1,
    ) -> Value:  # fmt: skip
        """Append an operator; return its output."""
        self.values += 1
        output = Value(channels, size, self.values)
        self.operators.append(Operator(kind, inputs, output, kernel, stride, groups))
        return output

    def chain(self, chain: Chain, value: Value) -> Value:
        """Append layers one after another; gates are of the search alone."""
        for layer in chain.layers.values():
            if not isinstance(layer, Gate):
                value = self.layer(layer, value)
        return value

    def layer(self, layer: Layer, value: Value) -> Value:
        """Append one layer of any kind; return its output."""
        if isinstance(layer, Chain):
            return self.chain(layer, value)
        if isinstance(layer, Residual):
            return self.residual(layer, value)
        if isinstance(layer, (Conv, Depthwise)):
            return self.conv(layer, value)
        if isinstance(layer, Classifier):
            return self.add("linear", (value,), layer.classes, 1)
        if isinstance(layer, GlobalPool):
            return self.add("mean", (value,), value.channels, 1)
        if isinstance(layer, HalvingPool):
            return self.add("pool", (value,), value.channels, layer.cost(value.size)[1], layer.kernel, 2)
        kinds = {Norm: "norm", Relu: "clip" if getattr(layer, "six", False) else "relu"}
        return self.add(kinds[type(layer)], (value,), value.channels, value.size)

    def residual(self, layer: Residual, value: Value) -> Value:
        """Append both paths, then their sum."""
        branch = self.layer(layer.branch, value)
        other = value if layer.shortcut is None else self.layer(layer.shortcut, value)
        return self.add("add", (branch, other), branch.channels, branch.size)

    def conv(self, layer: Conv | Depthwise, value: Value) -> Value:
        """Append a convolution, dense or depthwise."""
        depthwise = isinstance(layer, Depthwise)
        channels = int(layer.w if isinstance(layer, Depthwise) else layer.w_out)
        size = layer.cost(value.size)[1]
        groups = channels if depthwise else 1
        return self.add("conv", (value,), channels, size, layer.kernel, layer.stride, groups)


def trace(layer: Layer, value: Value) -> tuple[list[Operator], Value]:
    """Return the operators of `layer` on the input `value` (whose id is 0), and the output."""
    found = Trace()
    output = found.layer(layer, value)
    return folded(found.operators, output), output


def folded(operators: list[Operator], output: Value) -> list[Operator]:
    """Leave out the norms of convolutions whose output nothing else reads: they change weights only."""
    reads = Counter(value.id for operator in operators for value in operator.inputs)
    reads[output.id] += 1
    makers: dict[int, Operator] = {}
    kept: list[Operator] = []
    for operator in operators:
        maker = makers.get(operator.inputs[0].id)
        if operator.kind == "norm" and maker and maker.kind == "conv" and reads[maker.output.id] == 1:
            kept[kept.index(maker)] = operator = maker._replace(output=operator.output)
        else:
            kept.append(operator)
        makers[operator.output.id] = operator
    return kept
