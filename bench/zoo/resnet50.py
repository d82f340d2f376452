"""ResNet-50: stem, 16 bottlenecks (1x1, 3x3, 1x1) in stages of 3, 4, 6, 3, a linear layer.

Searchable: the stem and the three convolutions of every bottleneck, 49 in all. Gates come after the stem's
and the first two batch norms of a bottleneck, and after its sum, all before ReLU.

The stem is a 3x3 convolution without pooling, as usual for 32 pixels; at 224 pixels it is the original's 7x7
with stride 2, and a 3x3 pooling with stride 2. The stride of a bottleneck sits on the 3x3 convolution.
A bottleneck whose stride is 2 or whose stream changes width adds its input through a 1x1 convolution with
batch norm, the others add it as it is. Nobody has published NeuralScale widths for it.
"""

from collections.abc import Sequence
from functools import lru_cache

from bench.zoo.datasets import Dataset
from bench.zoo.layers import (
    KEPT,
    Chain,
    Classifier,
    Conv,
    Gate,
    GlobalPool,
    HalvingPool,
    Layer,
    Norm,
    Relu,
    Residual,
)

STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # width of the 3x3 convolution, bottlenecks
BLOCKS = tuple(f"stage{s}_{b}" for s, (_, blocks) in enumerate(STAGES, 1) for b in range(blocks))
LAYERS = ("stem", *(f"{block}.conv{i}" for block in BLOCKS for i in (1, 2, 3)))
DEFAULT_WIDTHS = (64, *(w * m for w, blocks in STAGES for _ in range(blocks) for m in (1, 1, 4)))
INITIALISATION = "kaiming-small"  # ours: nobody has published a training of it


def network(widths: Sequence[float], dataset: Dataset) -> Chain:
    """Return the tree of layers for 49 widths."""
    w_in = widths[0]
    layers: dict[str, Layer] = {"stem": _stem(w_in, dataset)}
    for i, (block, stride) in enumerate(zip(BLOCKS, strides(dataset), strict=True)):
        w1, w2, w3 = widths[3 * i + 1 : 3 * i + 4]
        layers[block] = _bottleneck(w_in, w1, w2, w3, stride)
        w_in = w3
    return Chain(**layers, pool=GlobalPool(), classifier=Classifier(w_in, dataset.classes))


def strides(dataset: Dataset) -> list[int]:
    """Return strides: stages 2, 3, 4 halve the image, stage 1 too when it is 64 pixels wide."""
    first = (2 if dataset.variant == "tinyimagenet" else 1, 2, 2, 2)
    return [
        stride if i == 0 else 1
        for stride, (_, blocks) in zip(first, STAGES, strict=True)
        for i in range(blocks)
    ]


def _stem(w_out: float, dataset: Dataset) -> Chain:
    large = dataset.variant == "imagenet"
    conv = Conv(3, w_out, kernel=7, stride=2) if large else Conv(3, w_out)
    pool: dict[str, Layer] = {"pool": HalvingPool(3)} if large else {}
    return Chain(conv=conv, norm=Norm(w_out), gate=Gate(w_out), relu=Relu(), **pool)


@lru_cache(KEPT, typed=True)  # integer widths have integer costs
def _bottleneck(w_in: float, w1: float, w2: float, w3: float, stride: int) -> Chain:
    branch = Chain(
        conv1=Conv(w_in, w1, 1),
        norm1=Norm(w1),
        gate1=Gate(w1),
        relu1=Relu(),
        conv2=Conv(w1, w2, stride=stride),
        norm2=Norm(w2),
        gate2=Gate(w2),
        relu2=Relu(),
        conv3=Conv(w2, w3, 1),
        norm3=Norm(w3),
    )
    shortcut = None
    if stride != 1 or w_in != w3:
        shortcut = Chain(conv=Conv(w_in, w3, 1, stride), norm=Norm(w3))
    return Chain(sum=Residual(branch, shortcut), gate=Gate(w3), relu=Relu())
