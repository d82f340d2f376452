"""Weights start as in NeuralScale's released models: what their constructors set, and nothing else."""

import pytest
import torch
from torch import nn

from bench.zoo import architecture, dataset


def built(name: str) -> nn.Module:
    torch.manual_seed(0)
    net = architecture(name)
    return net.build([max(1, w // 4) for w in net.default_widths], dataset("cifar100"))


def only(module: nn.Module, kind: type) -> list:
    return [layer for layer in module.modules() if isinstance(layer, kind)]


@pytest.mark.parametrize(
    ("name", "spread"),
    [("vgg11", 0.01), ("preact_resnet18", None), ("mobilenetv2", None), ("resnet50", 0.01)],
)
def test_the_classifier(name: str, spread: float | None) -> None:
    """N(0, 0.01) where the authors set it, torch's uniform up to 1 / sqrt(fan-in) where they leave it."""
    (linear,) = only(built(name), nn.Linear)
    if spread is None:
        bound = linear.in_features**-0.5
        assert 0.9 * bound < linear.weight.abs().max() <= bound
        assert linear.bias.abs().max() > 0
    else:
        assert linear.weight.std().item() == pytest.approx(spread, rel=0.1)
        assert not linear.bias.any()


@pytest.mark.parametrize("name", ["vgg11", "preact_resnet18", "resnet50"])
def test_convolutions_are_normal_by_fan_out(name: str) -> None:
    widest = max(only(built(name), nn.Conv2d), key=lambda conv: conv.weight.numel())
    fan_out = widest.out_channels * widest.kernel_size[0] ** 2
    assert widest.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)


@pytest.mark.parametrize(("name", "scale"), [("vgg11", 0.5), ("preact_resnet18", 1.0), ("mobilenetv2", 1.0)])
def test_batch_norm_scales(name: str, scale: float) -> None:
    assert {float(value) for norm in only(built(name), nn.BatchNorm2d) for value in norm.weight.detach()} == {
        scale
    }
