"""Closed channels can leave the network for real: it gets smaller, and says the same."""

import pytest
import torch
from torch import nn

from bench.search.remove_channels import cut
from bench.zoo import ARCHITECTURES, architecture, dataset
from bench.zoo.modules import weights


def gated(name: str, seed: int, width: int = 7) -> nn.Module:
    """A network in general position: random batch norm statistics, scales and shifts."""
    torch.manual_seed(seed)
    net = architecture(name)
    module = net.build([width + i % 3 for i in range(len(net.layers))], dataset("digits"), gates=True)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.5, 0.5)
            nn.init.uniform_(layer.running_mean, -0.2, 0.2)
            nn.init.uniform_(layer.running_var, 0.5, 1.5)
    return module.double().eval()


def close(name: str, module: nn.Module, share: float, seed: int) -> list[int]:
    """Close about `share` of every layer's gates, never all; how many stay."""
    generator = torch.Generator().manual_seed(seed)
    kept = []
    for gate in architecture(name).gate_points(module):
        mask = torch.rand(len(gate.weight), generator=generator) >= share
        mask[int(torch.randint(len(mask), (), generator=generator))] = True
        gate.weight.data.copy_(mask)
        kept.append(int(mask.sum()))
    return kept


def size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_cut_network_gives_the_same_outputs(name: str, share: float) -> None:
    images = torch.rand(2, 3, 32, 32, dtype=torch.float64)
    for seed in range(3):
        module = gated(name, seed)
        close(name, module, share, seed)
        smaller = cut(module)
        with torch.no_grad():
            torch.testing.assert_close(smaller(images), module(images), rtol=1e-10, atol=1e-10)
        before = sum(parameter.numel() for parameter in weights(module))
        assert size(smaller) < before if share else size(smaller) == before
        assert not any("gate" in key for key in smaller.state_dict())


def test_a_cut_vgg_is_the_architecture_with_the_surviving_widths() -> None:
    module = gated("vgg11", 1)
    kept = close("vgg11", module, 0.5, 1)
    smaller = cut(module)
    net, task = architecture("vgg11"), dataset("digits")
    assert size(smaller) == net.cost(kept, task).params
    net.build(kept, task).load_state_dict(smaller.state_dict())  # same names, same shapes


def test_cutting_leaves_the_gated_network_as_it_was() -> None:
    module = gated("preact_resnet18", 2)
    close("preact_resnet18", module, 0.5, 2)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    smaller = cut(module)
    for parameter in smaller.parameters():
        parameter.data.zero_()
    after = module.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)
