"""VGG-11 with batch norm: eight 3x3 convolutions, five poolings, one linear layer.

Searchable: the output of every convolution. Gates come after batch norm, before ReLU. Strides are the same
at every size: 32x32 images leave one pixel, 64x64 images 2x2 and 224x224 images 7x7, which are averaged. (The
original has three linear layers at 224 pixels, with 123.6 million parameters.)
"""

from collections.abc import Sequence

from bench.zoo.datasets import Dataset
from bench.zoo.layers import Chain, Classifier, Conv, Gate, GlobalPool, HalvingPool, Layer, Norm, Relu

DEFAULT_WIDTHS = (64, 128, 256, 256, 512, 512, 512, 512)
LAYERS = tuple(f"conv{i}" for i in range(8))
INITIALISATION = "kaiming-half"
POOLED = (0, 1, 3, 5, 7)  # convolutions that a pooling follows


def network(widths: Sequence[float], dataset: Dataset) -> Chain:
    """Return the tree of layers for eight widths."""
    blocks: dict[str, Layer] = {}
    w_in: float = 3
    for i, w_out in enumerate(widths):
        blocks[LAYERS[i]] = _block(w_in, w_out, pooled=i in POOLED)
        w_in = w_out
    return Chain(**blocks, pool=GlobalPool(), classifier=Classifier(w_in, dataset.classes))


def _block(w_in: float, w_out: float, pooled: bool) -> Chain:
    layers: dict[str, Layer] = {
        "conv": Conv(w_in, w_out, bias=True),
        "norm": Norm(w_out),
        "gate": Gate(w_out),
        "relu": Relu(),
    }
    return Chain(**layers, pool=HalvingPool()) if pooled else Chain(**layers)
