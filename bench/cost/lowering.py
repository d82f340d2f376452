"""Operators to the kernels that a backend really runs: fusions, and the layout of every tensor.

The rules are those of onnxruntime's CPU provider (core/optimizer/nchwc_transformer.cc,
conv_activation_fusion, conv_add_act_fusion), read from its source and compared with what it makes of random
networks (tests/unit/cost):

- A convolution takes the ReLU or clip that follows, and the sum that its output alone goes into.
- On x86 a tensor may be *blocked*: channels in blocks of 8 (AVX2) or 16 (AVX-512). A dense convolution runs
  blocked when its input has fewer channels than a block, or a multiple of 4; one per channel when its
  channels are a multiple of 4; a pooling when they are whole blocks. Others stay with their input. Where
  layouts meet, a reorder is run.
- The output of a blocked convolution is filled up to whole blocks, so that 33 channels cost 40.

`block` 1 means that the backend knows no blocks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.cost.graph import Operator, Value

PLAIN, BLOCKED = "plain", "blocked"
QUANTUM = 4  # channels that a reorder into blocks moves at once


class Kernel(NamedTuple):
    """One call of the backend. Channels are as the kernel works on them: whole blocks where it is blocked.

    kind: direct (blocked, from an image of few channels), conv, pointwise, depthwise, norm, activation, add,
    pool, mean, linear, to_blocks, to_plain.
    """

    kind: str
    layout: str
    c_in: int
    c_out: int
    size_in: int
    size: int
    kernel: int = 1
    stride: int = 1
    sums: bool = False  # adds another tensor to its output


@dataclass
class _Tensor:
    """In which layout a value was made, whether a reorder made the other too, and the kernel that made it."""

    layout: str
    both: bool = False
    kernel: int | None = None  # index of the convolution that made it and can still take what follows
    users: int = 0


@dataclass
class _Lowering:
    block: int
    kernels: list[Kernel] = field(default_factory=list)
    tensors: dict[int, _Tensor] = field(default_factory=dict)

    def padded(self, channels: int, layout: str) -> int:
        return -(-channels // self.block) * self.block if layout == BLOCKED else channels

    def need(self, value: Value, layout: str) -> None:
        """Have `value` in `layout`, by a reorder where it is not."""
        tensor = self.tensors[value.id]
        if layout == tensor.layout or tensor.both:
            return
        tensor.both = True
        self.kernels.append(_reorder("to_blocks" if layout == BLOCKED else "to_plain", value, self.block))

    def emit(self, operator: Operator, kind: str, layout: str, takes: bool, plain_in: bool = False) -> None:
        source, out = operator.inputs[0], operator.output
        for value in operator.inputs:
            self.need(value, PLAIN if plain_in else layout)
        c_in = source.channels if plain_in else self.padded(source.channels, layout)
        shape = (c_in, self.padded(out.channels, layout), source.size, out.size)
        self.kernels.append(Kernel(kind, layout, *shape, operator.kernel, operator.stride))
        made = self.tensors[out.id]
        made.layout, made.kernel = layout, len(self.kernels) - 1 if takes else None

    def conv(self, operator: Operator) -> None:
        w_in = operator.inputs[0].channels
        if operator.groups > 1:
            layout = BLOCKED if self.block > 1 and w_in % QUANTUM == 0 else PLAIN
            self.emit(operator, "depthwise", layout, takes=True)
        elif self.block > 1 and w_in < self.block:
            self.emit(operator, "direct", BLOCKED, takes=True, plain_in=True)
        else:
            layout = BLOCKED if self.block > 1 and w_in % QUANTUM == 0 else PLAIN
            self.emit(operator, "pointwise" if operator.kernel == 1 else "conv", layout, takes=True)

    def activation(self, operator: Operator) -> None:
        """Fuse it with the convolution before it, where nothing else reads that one's output."""
        source = self.tensors[operator.inputs[0].id]
        if source.kernel is not None and source.users == 1:
            self.tensors[operator.output.id].layout = source.layout
            return
        self.emit(operator, "activation", source.layout, takes=False)

    def add(self, operator: Operator) -> None:
        tensors = [self.tensors[value.id] for value in operator.inputs]
        together = all(tensor.layout == BLOCKED for tensor in tensors)
        wanted = BLOCKED if together else PLAIN
        for tensor in tensors:
            index = tensor.kernel
            if index is not None and tensor.users == 1 and tensor.layout == wanted:
                for value in operator.inputs:
                    self.need(value, wanted)
                self.kernels[index] = self.kernels[index]._replace(sums=True)
                made = self.tensors[operator.output.id]
                made.layout, made.kernel = wanted, index
                return
        self.emit(operator, "add", wanted, takes=False)

    def pool(self, operator: Operator) -> None:
        """Run it blocked where the channels are whole blocks, whatever the layout of its input."""
        whole = self.block > 1 and operator.inputs[0].channels % self.block == 0
        self.emit(operator, "pool", BLOCKED if whole else PLAIN, takes=False)

    def mean(self, operator: Operator) -> None:
        """Run it blocked where its input is, in whole blocks."""
        source = operator.inputs[0]
        whole = source.channels % self.block == 0
        self.emit(operator, "mean", self.tensors[source.id].layout if whole else PLAIN, takes=False)

    def norm(self, operator: Operator) -> None:
        """Run it in its input's layout; a blocked one is a depthwise convolution, and takes what follows."""
        layout = self.tensors[operator.inputs[0].id].layout
        self.emit(operator, "norm", layout, takes=layout == BLOCKED)

    def linear(self, operator: Operator) -> None:
        """Run it in the plain layout, always."""
        self.emit(operator, "linear", PLAIN, takes=False)


class Lowered(NamedTuple):
    """Kernels in order, and the layout of the last output."""

    kernels: list[Kernel]
    layout: str


def lower(operators: Sequence[Operator], output: Value, block: int, layout: str = PLAIN) -> Lowered:
    """Return the kernels of a part of a network whose input (id 0) has the layout `layout`.

    output: what the rest of the network reads; it counts as read twice where it is the input itself.
    """
    state = _Lowering(block)
    state.tensors[0] = _Tensor(layout)
    for operator in operators:
        state.tensors[operator.output.id] = _Tensor(PLAIN)
    for operator in operators:
        for value in operator.inputs:
            state.tensors[value.id].users += 1
    state.tensors[output.id].users += 1
    steps = {
        "conv": state.conv, "add": state.add, "relu": state.activation, "clip": state.activation,
        "norm": state.norm, "pool": state.pool, "mean": state.mean, "linear": state.linear,
    }  # fmt: skip
    for operator in operators:
        steps[operator.kind](operator)
    return Lowered(state.kernels, state.tensors[output.id].layout)


def graph(operators: Sequence[Operator], output: Value, block: int) -> list[Kernel]:
    """Return the kernels of a graph of its own, which begins and ends in the plain layout.

    The mean over a graph's own input runs blocked where that is whole blocks, unlike within a network.
    """
    first = operators[0]
    blocked = first.kind == "mean" and block > 1 and first.inputs[0].channels % block == 0
    lowered = lower(operators, output, block, BLOCKED if blocked else PLAIN)
    ends = [
        _reorder(kind, value, block) for kind, value in (("to_blocks", first.inputs[0]), ("to_plain", output))
    ]
    return [*ends[: int(blocked)], *lowered.kernels, *ends[1 : 1 + int(lowered.layout == BLOCKED)]]


def _reorder(kind: str, value: Value, block: int) -> Kernel:
    channels = -(-value.channels // block) * block
    return Kernel(kind, BLOCKED, channels, channels, value.size, value.size)
