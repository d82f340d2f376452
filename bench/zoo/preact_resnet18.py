"""Pre-activation ResNet-18: stem, eight blocks of two 3x3 convolutions, a final batch norm.

Searchable, two a block and one at the end: the stream that enters the block (the stem's or the previous
block's output) and the width between its convolutions; last, the stream that leaves the network. Gates come
after the two batch norms of a block and after the global pooling. A gate on the stream closes a channel for
the branch only: the identity path runs before it (NeuralScale's placement).

A block whose stride is 2 or whose stream changes width adds its activated input through a 1x1 convolution
without batch norm; the others add the stream itself. There is no ReLU between the final batch norm and the
pooling: NeuralScale's network has none.

The stem is a 3x3 convolution; at 224 pixels it is ResNet's: 7x7 with stride 2, then a 3x3 pooling with
stride 2.
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

DEFAULT_WIDTHS = (64, 64, 64, 64, 64, 128, 128, 128, 128, 256, 256, 256, 256, 512, 512, 512, 512)
BLOCKS = tuple(f"stage{stage}_{block}" for stage in range(1, 5) for block in range(2))
LAYERS = (*(f"{block}.{part}" for block in BLOCKS for part in ("stream", "middle")), "out")
INITIALISATION = "kaiming"


def network(widths: Sequence[float], dataset: Dataset) -> Chain:
    """Return the tree of layers for 17 widths."""
    layers = _stem(widths[0], dataset)
    for i, (block, stride) in enumerate(zip(BLOCKS, strides(dataset), strict=True)):
        layers[block] = _block(widths[2 * i], widths[2 * i + 1], widths[2 * i + 2], stride)
    w_out = widths[-1]
    return Chain(
        **layers,
        norm=Norm(w_out),
        pool=GlobalPool(),
        gate=Gate(w_out),
        classifier=Classifier(w_out, dataset.classes),
    )


def strides(dataset: Dataset) -> tuple[int, ...]:
    """Return strides: stages 2, 3, 4 halve the image, stage 1 too when it is 64 pixels wide."""
    return (2 if dataset.variant == "tinyimagenet" else 1, 1, 2, 1, 2, 1, 2, 1)


def _stem(w_out: float, dataset: Dataset) -> dict[str, Layer]:
    if dataset.variant == "imagenet":
        return {"stem": Conv(3, w_out, kernel=7, stride=2), "stem_pool": HalvingPool(3)}
    return {"stem": Conv(3, w_out)}


@lru_cache(KEPT, typed=True)  # integer widths have integer costs
def _block(w_in: float, w_mid: float, w_out: float, stride: int) -> Chain:
    enter: dict[str, Layer] = {"norm1": Norm(w_in), "gate1": Gate(w_in), "relu1": Relu()}
    convs: dict[str, Layer] = {
        "conv1": Conv(w_in, w_mid, stride=stride),
        "norm2": Norm(w_mid),
        "gate2": Gate(w_mid),
        "relu2": Relu(),
        "conv2": Conv(w_mid, w_out),
    }
    if stride != 1 or w_in != w_out:
        return Chain(**enter, sum=Residual(Chain(**convs), Conv(w_in, w_out, 1, stride)))
    return Chain(sum=Residual(Chain(**enter, **convs)))
