"""The registry: a name leads to a module with LAYERS, DEFAULT_WIDTHS, INITIALISATION and `network`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

from bench.zoo.datasets import Dataset
from bench.zoo.errors import UnknownNameError, WidthError
from bench.zoo.layers import Chain, Cost

if TYPE_CHECKING:
    from torch import nn

    from bench.zoo.modules import Gate

ARCHITECTURES = {
    "vgg11": "bench.zoo.vgg11",
    "mobilenetv2": "bench.zoo.mobilenetv2",
    "preact_resnet18": "bench.zoo.preact_resnet18",
    "resnet50": "bench.zoo.resnet50",
}


@dataclass(frozen=True)
class Architecture:
    """A function from a width vector (one integer >= 1 per searchable layer) to a network."""

    name: str
    layers: tuple[str, ...]
    default_widths: tuple[int, ...]
    initialisation: str
    network: Callable[[Sequence[float], Dataset], Chain] = field(repr=False)

    def check(self, widths: Sequence[float]) -> None:
        """WidthError unless there is one width per layer and none is below one."""
        if len(widths) != len(self.layers):
            raise WidthError(f"{self.name} has {len(self.layers)} searchable layers, not {len(widths)}")
        low = [f"{layer} = {w}" for layer, w in zip(self.layers, widths, strict=True) if w < 1]
        if low:
            raise WidthError(f"{self.name}: widths must be at least 1, but {', '.join(low)}")

    def cost(self, widths: Sequence[float], dataset: Dataset) -> Cost:
        """Return parameters and MACs in closed form; real widths give real costs."""
        self.check(widths)
        return self.network(widths, dataset).cost(dataset.size)[0]

    def build(
        self, widths: Sequence[int], dataset: Dataset, gates: bool = False, initialised: bool = True
    ) -> nn.Module:
        """Return the torch network, N x 3 x size x size images to N x classes logits.

        With gates for a search; not initialised where other weights will take their place.
        """
        from bench.zoo.modules import initialise

        self.check(widths)
        if any(w != int(w) for w in widths):
            raise WidthError(f"{self.name}: a network needs integer widths, not {list(widths)}")
        module = self.network(widths, dataset).module(gates)
        if initialised:
            initialise(module, self.initialisation)
        return module

    def gate_points(self, module: nn.Module) -> list[Gate]:
        """Return the gates of a network built with gates, one per layer, in the order of `layers`."""
        from bench.zoo.modules import gates

        found = gates(module)
        if len(found) != len(self.layers):
            raise WidthError(
                f"{self.name}: {len(found)} gates for {len(self.layers)} layers; was it built with gates?"
            )
        return found


@cache
def architecture(name: str) -> Architecture:
    """Return the architecture called `name`; UnknownNameError lists the known ones."""
    if name not in ARCHITECTURES:
        raise UnknownNameError("architecture", name, ARCHITECTURES)
    module = import_module(ARCHITECTURES[name])
    return Architecture(name, module.LAYERS, module.DEFAULT_WIDTHS, module.INITIALISATION, module.network)
