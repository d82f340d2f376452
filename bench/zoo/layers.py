"""Layers described without torch: what each costs, and beside it how to make it.

A network is a tree of these. `cost(size)` gives the cost at a square input of `size` pixels and the size that
leaves; widths may be real numbers there, because the solver needs the cost between integers. `module(gates)`
imports torch and builds; gates exist only in a network that is being searched.

Parameters are the trainable ones (batch norm's scale and shift included). MACs are the multiplications of
convolutions and of the classifier; biases, batch norm, activations and pooling count nothing, for after
export batch norm is folded and the rest is not a multiplication.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from bench.zoo.errors import ZooError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True, slots=True)
class Cost:
    """Trainable parameters and multiply-accumulates of one inference; integers for integer widths."""

    params: float = 0
    macs: float = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.params + other.params, self.macs + other.macs)


FREE = Cost()
KEPT = 4096  # blocks of an architecture that are made and counted once: a solver's networks share most


class Layer(Protocol):
    """A node of the tree."""

    def cost(self, size: int) -> tuple[Cost, int]:
        """Cost at an input of `size` x `size`, and the size of the output."""

    def module(self, gates: bool) -> nn.Module:
        """Return the torch module, freshly initialised."""


@dataclass(frozen=True, slots=True)
class Conv:
    """A dense convolution, padded so that only the stride changes the size."""

    w_in: float
    w_out: float
    kernel: int = 3
    stride: int = 1
    bias: bool = False

    def cost(self, size: int) -> tuple[Cost, int]:
        """k^2 w_in w_out weights, each used once per output pixel."""
        weights = self.kernel**2 * self.w_in * self.w_out
        out = _strided(size, self.stride)
        return Cost(weights + self.bias * self.w_out, weights * out * out), out

    def module(self, gates: bool) -> nn.Module:
        """torch.nn.Conv2d."""
        from torch import nn

        return nn.Conv2d(
            int(self.w_in), int(self.w_out), self.kernel, self.stride, self.kernel // 2, bias=self.bias
        )


@dataclass(frozen=True, slots=True)
class Depthwise:
    """A convolution of each channel by itself."""

    w: float
    kernel: int = 3
    stride: int = 1
    bias: bool = False

    def cost(self, size: int) -> tuple[Cost, int]:
        """k^2 w weights, each used once per output pixel."""
        weights = self.kernel**2 * self.w
        out = _strided(size, self.stride)
        return Cost(weights + self.bias * self.w, weights * out * out), out

    def module(self, gates: bool) -> nn.Module:
        """torch.nn.Conv2d with as many groups as channels."""
        from torch import nn

        w = int(self.w)
        return nn.Conv2d(w, w, self.kernel, self.stride, self.kernel // 2, groups=w, bias=self.bias)


@dataclass(frozen=True, slots=True)
class Norm:
    """Batch norm: a scale and a shift per channel."""

    w: float

    def cost(self, size: int) -> tuple[Cost, int]:
        """2 w parameters, no MACs (folded on export)."""
        return Cost(2 * self.w), size

    def module(self, gates: bool) -> nn.Module:
        """torch.nn.BatchNorm2d."""
        from torch import nn

        return nn.BatchNorm2d(int(self.w))


@dataclass(frozen=True, slots=True)
class Relu:
    """ReLU, or ReLU6 with `six`."""

    six: bool = False

    def cost(self, size: int) -> tuple[Cost, int]:
        """Nothing."""
        return FREE, size

    def module(self, gates: bool) -> nn.Module:
        """torch.nn.ReLU or ReLU6."""
        from torch import nn

        return nn.ReLU6() if self.six else nn.ReLU()


@dataclass(frozen=True, slots=True)
class HalvingPool:
    """Max pooling with stride 2: 2x2, or 3x3 with a border of one pixel (`kernel` 3)."""

    kernel: int = 2

    def cost(self, size: int) -> tuple[Cost, int]:
        """Nothing; the size halves. ZooError for an image too small to halve."""
        if size < 2:
            raise ZooError("the image is too small for this network's poolings")
        return FREE, size // 2 if self.kernel == 2 else _strided(size, 2)

    def module(self, gates: bool) -> nn.Module:
        """torch.nn.MaxPool2d."""
        from torch import nn

        return nn.MaxPool2d(self.kernel, 2, (self.kernel - 1) // 2)


@dataclass(frozen=True, slots=True)
class GlobalPool:
    """The mean over all pixels: N x C x H x W in, N x C out."""

    def cost(self, size: int) -> tuple[Cost, int]:
        """Nothing; one pixel is left."""
        return FREE, 1

    def module(self, gates: bool) -> nn.Module:
        """Adaptive average pooling and a flattening."""
        from torch import nn

        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


@dataclass(frozen=True, slots=True)
class Classifier:
    """The last linear layer, with bias."""

    w_in: float
    classes: int

    def cost(self, size: int) -> tuple[Cost, int]:
        """Return one weight per feature and class, one bias per class."""
        return Cost((self.w_in + 1) * self.classes, self.w_in * self.classes), size

    def module(self, gates: bool) -> nn.Module:
        """torch.nn.Linear."""
        from torch import nn

        return nn.Linear(int(self.w_in), self.classes)


@dataclass(frozen=True, slots=True)
class Gate:
    """Where the search may close channels: ones and zeros that multiply them. Not counted a parameter."""

    w: float

    def cost(self, size: int) -> tuple[Cost, int]:
        """Nothing: a gate never leaves the search."""
        return FREE, size

    def module(self, gates: bool) -> nn.Module:
        """bench.zoo.modules.Gate."""
        from bench.zoo.modules import Gate as GateModule

        return GateModule(int(self.w))


class Chain:
    """Layers one after another, each with a name; not to be changed once made."""

    def __init__(self, **layers: Layer) -> None:
        self.layers = layers
        self._costs: dict[int, tuple[Cost, int]] = {}

    def cost(self, size: int) -> tuple[Cost, int]:
        """Return the sum over the layers."""
        if size not in self._costs:
            self._costs[size] = self._sum(size)
        return self._costs[size]

    def _sum(self, size: int) -> tuple[Cost, int]:
        params: float = 0
        macs: float = 0
        for layer in self.layers.values():
            cost, size = layer.cost(size)
            params += cost.params
            macs += cost.macs
        return Cost(params, macs), size

    def module(self, gates: bool) -> nn.Module:
        """torch.nn.Sequential with the layers' names; gates only if wanted."""
        from collections import OrderedDict

        from torch import nn

        kept = ((name, layer) for name, layer in self.layers.items() if gates or not isinstance(layer, Gate))
        return nn.Sequential(OrderedDict((name, layer.module(gates)) for name, layer in kept))

    def projections(self) -> tuple[bool, ...]:
        """Return for each residual sum in the chain: does its shortcut have a layer?"""
        found: tuple[bool, ...] = ()
        for layer in self.layers.values():
            if isinstance(layer, Residual):
                found += (layer.shortcut is not None,)
            elif isinstance(layer, Chain):
                found += layer.projections()
        return found


@dataclass(frozen=True, slots=True)
class Residual:
    """`branch(x) + shortcut(x)`; no shortcut layer means x itself."""

    branch: Layer
    shortcut: Layer | None = None

    def cost(self, size: int) -> tuple[Cost, int]:
        """Branch and shortcut; the sum is free."""
        cost, out = self.branch.cost(size)
        if self.shortcut is not None:
            cost += self.shortcut.cost(size)[0]
        return cost, out

    def module(self, gates: bool) -> nn.Module:
        """bench.zoo.modules.Residual."""
        from bench.zoo.modules import Residual as ResidualModule

        shortcut = self.shortcut.module(gates) if self.shortcut else None
        return ResidualModule(self.branch.module(gates), shortcut)


def _strided(size: int, stride: int) -> int:
    """Output size of a 'same'-padded convolution with an odd kernel."""
    return (size - 1) // stride + 1
