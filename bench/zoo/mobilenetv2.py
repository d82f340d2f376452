"""MobileNetV2: stem, 17 inverted bottlenecks, a 1x1 head, a 1x1 classifier.

Searchable: stem, every bottleneck's output, the head. The expanded width inside a bottleneck is six times its
input (once for the first) and follows it. Gates come after the stem's batch norm, after each bottleneck's
sum and after the head's batch norm.

A bottleneck whose stride is 2 or whose width changes adds its input through a 1x1 convolution with batch
norm; the others add it as it is. That is NeuralScale's variant (the original has no shortcut there), and it
makes every width vector valid. All convolutions have a bias, also as there; the original has none.

At 224 pixels the strides are the original's, 32 in all: the stem has stride 2.
"""

from collections.abc import Sequence
from functools import lru_cache

from bench.zoo.datasets import Dataset
from bench.zoo.layers import (
    KEPT,
    Chain,
    Classifier,
    Conv,
    Depthwise,
    Gate,
    GlobalPool,
    Layer,
    Norm,
    Relu,
    Residual,
)

DEFAULT_WIDTHS = (32, 16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320, 1280)
LAYERS = ("stem", *(f"block{i}" for i in range(1, 18)), "head")
INITIALISATION = "default"
STAGES = (1, 2, 3, 4, 3, 3, 1)  # bottlenecks a stage


def network(widths: Sequence[float], dataset: Dataset) -> Chain:
    """Return the tree of layers for 19 widths."""
    stem, *outs, head = widths
    layers: dict[str, Layer] = {"stem": _conv(3, stem, 3, stride=2 if dataset.variant == "imagenet" else 1)}
    w_in = stem
    for name, w_out, stride in zip(LAYERS[1:-1], outs, strides(dataset), strict=True):
        layers[name] = _bottleneck(w_in, w_out, stride, expand=1 if name == "block1" else 6)
        w_in = w_out
    layers["head"] = _conv(w_in, head, 1)
    return Chain(**layers, pool=GlobalPool(), classifier=Classifier(head, dataset.classes))


def strides(dataset: Dataset) -> list[int]:
    """Return strides: stages 2, 3, 4, 6 halve the image, stage 5 too when it is 64 pixels wide."""
    first = (1, 2, 2, 2, 2 if dataset.variant == "tinyimagenet" else 1, 2, 1)
    return [stride if i == 0 else 1 for stride, n in zip(first, STAGES, strict=True) for i in range(n)]


def _conv(w_in: float, w_out: float, kernel: int, stride: int = 1) -> Chain:
    conv = Conv(w_in, w_out, kernel, stride, bias=True)
    return Chain(conv=conv, norm=Norm(w_out), gate=Gate(w_out), relu=Relu(six=True))


@lru_cache(KEPT, typed=True)  # integer widths have integer costs
def _bottleneck(w_in: float, w_out: float, stride: int, expand: int) -> Chain:
    wide = w_in * expand
    branch = Chain(
        expand=Conv(w_in, wide, 1, bias=True),
        norm1=Norm(wide),
        relu1=Relu(six=True),
        depthwise=Depthwise(wide, stride=stride, bias=True),
        norm2=Norm(wide),
        relu2=Relu(six=True),
        project=Conv(wide, w_out, 1, bias=True),
        norm3=Norm(w_out),
    )
    shortcut = None
    if stride != 1 or w_in != w_out:
        shortcut = Chain(conv=Conv(w_in, w_out, 1, stride, bias=True), norm=Norm(w_out))
    return Chain(sum=Residual(branch, shortcut), gate=Gate(w_out))
