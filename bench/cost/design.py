"""What to measure: parts and whole networks, spread over what the architectures can ask for.

A part is a segment of a network (a convolution with its activation and pooling, a bottleneck, a residual
block, the classifier) at its place: its resolution, its entry width and its own widths. A Latin hypercube
(scipy's) spreads which segment, how wide against the default widths, and on which multiple the widths lie.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np

from bench.cost.graph import Operator, Value, trace
from bench.cost.lowering import Kernel, graph
from bench.cost.segments import CostSegment, segments
from bench.zoo import ARCHITECTURES, Architecture, architecture, dataset

DATASETS = ("cifar10", "tinyimagenet")  # 32 pixels and 10 classes, 64 pixels and 200 classes
NARROWEST, WIDEST = (
    0.04,
    4.5,
)  # times the default width: the tuned range (NeuralScale: 0.05 to 4.4)
LEAST = 2
MIDDLE, SPREAD = 0.5, 0.8  # median of the multipliers, and the deviation of their logarithm
UNITS = (
    1,
    1,
    1,
    2,
    2,
    4,
    8,
    8,
    16,
)  # multiples that widths are drawn from: parts differ in alignment
MOST_MACS = 80e6  # of a part: what is slower costs more time to measure than it is worth
NETWORK_MACS = 400e6
SHAPE = 0.7  # how far a network's widths lean towards its first or last layers (a deviation of the logarithm)


class Item(NamedTuple):
    """One measurement. part: a segment's name, or None for the whole network.

    widths: of the whole network; of a part its entry width (0 for the image) and its own widths.
    """

    architecture: str
    dataset: str
    part: str | None
    widths: tuple[int, ...]

    @property
    def id(self) -> str:
        """A name that is the measurement's alone."""
        words = "-".join(map(str, self.widths))
        text = f"{self.architecture}-{self.dataset}-{self.part or 'whole'}-{words}"
        return text if len(text) <= 120 else f"{text[:100]}-{crc32(text.encode()):08x}"


def limits(architecture: Architecture) -> list[tuple[int, int]]:
    """Return the tuned range of each width: lowest and highest."""
    return [
        (max(LEAST, math.floor(NARROWEST * w)), math.ceil(WIDEST * w)) for w in architecture.default_widths
    ]


def parts(count: int, seed: int, wanted: Sequence[tuple[str, str]] = ()) -> list[Item]:
    """Choose `count` parts. wanted: (architecture, kind of child) to draw from, all if empty."""
    from scipy.stats import qmc

    places = [
        (segment, name)
        for name in ARCHITECTURES
        for data in DATASETS
        for segment in segments(architecture(name), dataset(data))
        if not wanted or (name, segment.name) in wanted
    ]
    by_kind = _balanced(places)
    found: list[Item] = []
    for point in qmc.LatinHypercube(d=8, rng=np.random.default_rng(seed)).random(4 * count):
        item = _part(by_kind[int(point[0] * len(by_kind))], point[1:])
        if item is not None and item not in found:
            found.append(item)
        if len(found) == count:
            break
    return found


def _balanced(places: Sequence[tuple[CostSegment, str]]) -> list[CostSegment]:
    """Segments repeated so that each architecture has the same share."""
    share = max(sum(name == other for _, other in places) for name in ARCHITECTURES)
    found: list[CostSegment] = []
    for name in ARCHITECTURES:
        own = [segment for segment, other in places if other == name]
        found += [own[i % len(own)] for i in range(share)] if own else []
    return found


def _part(segment: CostSegment, point: np.ndarray[Any, Any]) -> Item | None:
    from scipy.special import ndtri

    indices = ([] if segment.entry is None else [segment.entry]) + list(segment.own)
    unit = UNITS[int(point[0] * len(UNITS))]
    together = point[1] < 0.7
    widths = [] if segment.entry is not None else [0]
    for place, index in enumerate(indices):
        own = unit if together or place == 0 else UNITS[int(point[6 - place] * 7919) % len(UNITS)]
        factor = MIDDLE * math.exp(SPREAD * ndtri(min(max(point[2 + place % 5], 1e-3), 1 - 1e-3)))
        low, high = limits(segment.architecture)[index]
        default = segment.architecture.default_widths[index]
        widths.append(_on(min(max(default * factor, low), high), own, low))
    if segment.entry is not None and segment.architecture.name in IDENTITIES and point[1] < 0.35:
        widths[-1] = widths[0]  # a block that keeps its width adds its input as it is
    item = Item(segment.architecture.name, segment.dataset.name, segment.name, tuple(widths))
    return item if macs(item) <= MOST_MACS else None


IDENTITIES = ("mobilenetv2", "preact_resnet18", "resnet50")


def _on(width: float, unit: int, low: int) -> int:
    """The nearest multiple of `unit` that is not below `low`; for unit 1 it is made odd."""
    if unit == 1:
        return max(low, round(width)) | 1
    return max(math.ceil(low / unit), round(width / unit)) * unit


def networks(count: int, seed: int) -> list[Item]:
    """Choose `count` networks, architectures and data sets in turn: leaning either way, aligned and odd."""
    generator = np.random.default_rng(seed)
    found: list[Item] = []
    names = [(name, data) for data in DATASETS for name in ARCHITECTURES]
    while len(found) < count:
        name, data = names[len(found) % len(names)]
        widths = _network(architecture(name), generator)
        item = Item(name, data, None, tuple(widths))
        if macs(item) <= NETWORK_MACS:
            found.append(item)
    return found


def _network(architecture: Architecture, generator: np.random.Generator) -> list[int]:
    """Widths as methods give them: a size, a lean, a little noise, multiples of one number or of none."""
    size, lean = generator.uniform(math.log(0.15), math.log(1.1)), generator.normal(0, SHAPE)
    unit = int(generator.choice((0, 1, 2, 4, 8, 8, 16)))
    noise = generator.choice((0.0, 0.15, 0.3))
    count = len(architecture.layers)
    found: list[int] = []
    for index, (default, (low, high)) in enumerate(
        zip(architecture.default_widths, limits(architecture), strict=True)
    ):
        place = 2 * index / (count - 1) - 1
        width = default * math.exp(size + lean * place + generator.normal(0, noise))
        width = min(max(width, low), high)
        found.append(max(low, round(width)) if unit == 0 else _on(width, unit, low))
    keeps = generator.random() < 0.5
    return _kept(architecture, found) if keeps else found


def _kept(architecture: Architecture, widths: list[int]) -> list[int]:
    """Layers of equal default width made equal again, so that residual blocks keep their identity."""
    first: dict[tuple[str, int], int] = {}
    layers = zip(architecture.layers, architecture.default_widths, widths, strict=True)
    return [first.setdefault((layer.rpartition(".")[2], default), width) for layer, default, width in layers]


def macs(item: Item) -> float:
    """Return the multiply-accumulates of an item."""
    net, data = architecture(item.architecture), dataset(item.dataset)
    if item.part is None:
        return net.cost(item.widths, data).macs
    return sum(operator.macs for operator in operators(item)[0] if operator.kind in ("conv", "linear"))


@lru_cache(maxsize=1 << 10)
def operators(item: Item) -> tuple[list[Operator], Value, Value]:
    """Return the item's operators, its output and its input."""
    net, data = architecture(item.architecture), dataset(item.dataset)
    if item.part is None:
        image = Value(3, data.size)
        return *trace(net.network(item.widths, data), image), image
    segment = segment_of(item)
    return *segment.operators(item.widths[0], item.widths[1:]), Value(item.widths[0] or 3, segment.size)


@lru_cache(maxsize=1 << 11)
def kernels(item: Item, block: int) -> list[Kernel]:
    """Return the kernels of an item."""
    made, output, _ = operators(item)
    return graph(made, output, block)


def segment_of(item: Item) -> CostSegment:
    """Return the segment that a part is of; StopIteration for a part that its architecture does not have."""
    all_ = segments(architecture(item.architecture), dataset(item.dataset))
    return next(segment for segment in all_ if segment.name == item.part)
