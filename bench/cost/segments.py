"""A network cut where only one tensor crosses: what a segment costs depends on few widths.

The cost of a network is the sum over its segments. What one needs to know of those before it is the width of
the stream that enters and the layout that it comes in, which makes an exact optimiser possible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bench.cost.graph import Operator, Value, trace
from bench.cost.lowering import PLAIN, Lowered, lower
from bench.zoo import Architecture, Dataset
from bench.zoo.layers import Chain, Conv, Gate, GlobalPool, Layer, Residual

PROBE = (48, 80)  # two widths: a segment belongs to the layers whose width changes it


@dataclass(frozen=True)
class CostSegment:
    """Consecutive children of the zoo's chain. name: of the first one.

    entry: index into the width vector of the stream that enters (None: the image); own: indices of the widths
    that are decided here, the last one the stream that leaves (empty: the stream leaves as it came, or as the
    classes). size: pixels a side of its input.
    """

    architecture: Architecture
    dataset: Dataset
    name: str
    children: tuple[str, ...]
    entry: int | None
    own: tuple[int, ...]
    size: int

    def operators(self, entry_width: int, own: Sequence[int]) -> tuple[list[Operator], Value]:
        """Return the ONNX operators for these widths, and the output."""
        widths = [8] * len(self.architecture.layers)
        for index, width in zip(self.own, own, strict=True):
            widths[index] = width
        if self.entry is not None:
            widths[self.entry] = entry_width
        chain = self.architecture.network(widths, self.dataset)
        part = Chain(**{name: chain.layers[name] for name in self.children})
        return trace(part, Value(3 if self.entry is None else entry_width, self.size))

    def work(self, entry_width: int, own: Sequence[int]) -> list[int]:
        """Return multiply-accumulates of the convolutions that each own width is the output of."""
        operators, _ = self.operators(entry_width, own)
        found = [0] * len(own)
        for at in range(len(own)):
            wider, _ = self.operators(entry_width, [width + (at == i) for i, width in enumerate(own)])
            for before, after in zip(operators, wider, strict=False):
                if before.kind == "conv" and before.output.channels != after.output.channels:
                    found[at] += before.macs
        return found

    def lower(self, entry_width: int, own: Sequence[int], block: int, layout: str = PLAIN) -> Lowered:
        """Return the kernels for these widths, and the layout that the stream leaves in."""
        operators, output = self.operators(entry_width, own)
        return lower(operators, output, block, layout)


@lru_cache(maxsize=64)
def segments(architecture: Architecture, dataset: Dataset) -> tuple[CostSegment, ...]:
    """Return the network's segments in order."""
    count = len(architecture.layers)
    base = architecture.network([PROBE[0]] * count, dataset)
    wider = [architecture.network([PROBE[i == at] for i in range(count)], dataset) for at in range(count)]
    found: list[CostSegment] = []
    size, decided = dataset.size, -1
    for children in _groups(base):
        plain = _described(base, children)
        own = tuple(i for i in range(decided + 1, count) if _described(wider[i], children) != plain)
        entry = decided if decided >= 0 else None
        found.append(CostSegment(architecture, dataset, children[0], children, entry, own, size))
        decided = max([decided, *own])
        for name in children:
            size = base.layers[name].cost(size)[1]
    return tuple(found)


def _described(chain: Chain, children: Sequence[str]) -> list[Layer]:
    """The layers of the children: what a width changes is decided there."""
    return [leaf for name in children for leaf in _leaves(chain.layers[name])]


def _leaves(layer: Layer) -> Iterator[Layer]:
    if isinstance(layer, Chain):
        for inner in layer.layers.values():
            yield from _leaves(inner)
    elif isinstance(layer, Residual):
        yield from _leaves(layer.branch)
        if layer.shortcut is not None:
            yield from _leaves(layer.shortcut)
    else:
        yield layer


def _groups(chain: Chain) -> list[tuple[str, ...]]:
    """Children one by one; together where a bare convolution may take what follows it, and the mean over all
    pixels with the classifier."""
    groups: list[tuple[str, ...]] = []
    open_ended = False
    for name, layer in chain.layers.items():
        if isinstance(layer, Gate):
            continue
        groups = [*groups[:-1], (*groups[-1], name)] if open_ended else [*groups, (name,)]
        open_ended = isinstance(layer, (Conv, GlobalPool))
    return groups
