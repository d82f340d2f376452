"""At 224 pixels the networks are the well-known ones, and every difference is accounted for.

The well-known counts are torchvision's: parameters, and multiply-accumulates of one image of 224 x 224 pixels
(https://pytorch.org/vision/stable/models.html: vgg11_bn, mobilenet_v2, resnet50, resnet18).
"""

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from bench.zoo import Dataset, ZooError, architecture, dataset
from bench.zoo.layers import Classifier, Conv, Norm
from bench.zoo.modules import Residual

IMAGENET = dataset("imagenet")
KNOWN = {
    "vgg11": (132_868_840, 7_609_090_048),
    "mobilenetv2": (3_504_872, 300_774_272),
    "preact_resnet18": (11_689_512, 1_814_073_344),
    "resnet50": (25_557_032, 4_089_184_256),
}


def counts(name: str) -> tuple[int, int]:
    net = architecture(name)
    cost = net.cost(net.default_widths, IMAGENET)
    return int(cost.params), int(cost.macs)


def meta(name: str) -> nn.Module:
    net = architecture(name)
    with torch.device("meta"):
        return net.build(net.default_widths, IMAGENET)


def parameters(modules: Iterator[nn.Module]) -> int:
    return sum(p.numel() for module in modules for p in module.parameters(recurse=False))


def test_resnet50_is_the_known_one() -> None:
    assert counts("resnet50") == KNOWN["resnet50"]


def test_resnet18_lacks_the_batch_norms_of_three_shortcuts() -> None:
    """Pre-activation leaves them out; its other batch norms sit elsewhere, with as many channels in all."""
    norms = int(sum(Norm(w).cost(1)[0].params for w in (128, 256, 512)))
    params, macs = counts("preact_resnet18")
    assert (params + norms, macs) == KNOWN["preact_resnet18"]


def test_vgg11_has_one_linear_layer_for_three() -> None:
    theirs = [Classifier(512 * 7 * 7, 4096), Classifier(4096, 4096), Classifier(4096, 1000)]
    ours = Classifier(512, 1000).cost(1)[0]
    more = [layer.cost(1)[0] for layer in theirs]
    params, macs = counts("vgg11")
    assert params - ours.params + sum(cost.params for cost in more) == KNOWN["vgg11"][0]
    assert macs - ours.macs + sum(cost.macs for cost in more) == KNOWN["vgg11"][1]


def test_mobilenetv2_has_biases_shortcuts_and_an_expansion_more() -> None:
    """NeuralScale's variant: the original has no bias, no shortcut with weights, no expansion by one."""
    module = meta("mobilenetv2")
    shortcuts = [m.shortcut for m in module.modules() if isinstance(m, Residual)]
    in_shortcuts = {id(layer) for shortcut in shortcuts for layer in shortcut.modules()}
    biases = sum(
        layer.bias.numel()
        for layer in module.modules()
        if isinstance(layer, nn.Conv2d) and layer.bias is not None and id(layer) not in in_shortcuts
    )
    expansion = int(Conv(32, 32, 1).cost(1)[0].params + Norm(32).cost(1)[0].params)
    params, macs = counts("mobilenetv2")
    extra = parameters(layer for shortcut in shortcuts for layer in shortcut.modules())
    assert params - biases - extra - expansion == KNOWN["mobilenetv2"][0]
    # block, width in, width out, size of its output
    changes = [
        (32, 16, 112),
        (16, 24, 56),
        (24, 32, 28),
        (32, 64, 14),
        (64, 96, 14),
        (96, 160, 7),
        (160, 320, 7),
    ]
    added = sum(w_in * w_out * size**2 for w_in, w_out, size in changes) + 32 * 32 * 112**2
    assert macs - added == KNOWN["mobilenetv2"][1]


@pytest.mark.parametrize("size", [0, 65, 96, 127, 321, 1024])
def test_a_size_that_no_stem_fits_is_refused_in_one_line(size: int) -> None:
    with pytest.raises(ZooError) as caught:
        Dataset("mine", size, 10, 100)
    assert str(caught.value) == (
        f"dataset mine: no network has stem and strides for {size} pixels; "
        "allowed: 1 to 32, 33 to 64, 128 to 320"
    )
