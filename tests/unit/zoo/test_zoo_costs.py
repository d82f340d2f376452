"""Counts come from widths alone; a user relies on them being what torch (and so the exported file) has."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from bench.zoo import ARCHITECTURES, DATASETS, WidthError, architecture, dataset
from bench.zoo.modules import weights
from tests.conftest import PATIENCE

PUBLISHED = json.loads((Path(__file__).parent / "published_counts.json").read_text())["rows"]
TASKS = [dataset(name) for name in ("cifar10", "cifar100", "tinyimagenet", "imagenet")]


def some_widths(name: str) -> st.SearchStrategy[list[int]]:
    """Small widths, often equal to their neighbours, so that identity and projected shortcuts both occur."""
    n = len(architecture(name).layers)
    return st.lists(st.sampled_from([1, 2, 3, 5, 8]), min_size=n, max_size=n)


def macs_seen(module: nn.Module, size: int) -> int:
    """Multiplications of convolutions and linear layers, counted from the tensors that pass."""
    seen = []

    def count(layer: nn.Module, _: object, out: torch.Tensor) -> None:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            seen.append(layer.weight[0].numel() * out.numel())

    for layer in module.modules():
        layer.register_forward_hook(count)
    with torch.no_grad():
        module.eval()(torch.zeros(1, 3, size, size))
    return sum(seen)


@pytest.mark.parametrize("name", ARCHITECTURES)
@settings(max_examples=8, deadline=None)
@given(data=st.data())
def test_parameters_and_macs_equal_torchs_for_any_widths(name: str, data: st.DataObject) -> None:
    task = data.draw(st.sampled_from(TASKS))
    widths = data.draw(some_widths(name))
    module = architecture(name).build(widths, task)
    cost = architecture(name).cost(widths, task)
    assert cost.params == sum(p.numel() for p in module.parameters())
    assert cost.macs == macs_seen(module, task.size)


@pytest.mark.parametrize("row", PUBLISHED, ids=lambda row: f"{row['architecture']}-{row['dataset']}")
def test_parameters_equal_the_published_networks(row: dict) -> None:
    assert (
        architecture(row["architecture"]).cost(row["widths"], dataset(row["dataset"])).params == row["params"]
    )


# Golden: default networks as (parameters, MACs); change them only with the architecture.
GOLDEN = {
    ("vgg11", "cifar10"): (9231114, 152769536),
    ("mobilenetv2", "cifar100"): (2448700, 26694144),
    ("mobilenetv2", "tinyimagenet"): (2576800, 70426112),
    ("preact_resnet18", "cifar100"): (11218340, 555468800),
    ("preact_resnet18", "tinyimagenet"): (11273736, 565022720),
    ("vgg11", "imagenet"): (9738984, 7485968384),
    ("mobilenetv2", "imagenet"): (3601600, 326715264),
    ("preact_resnet18", "imagenet"): (11687720, 1814073344),
    ("resnet50", "imagenet"): (25557032, 4089184256),
    ("resnet50", "cifar100"): (23705252, 1298014208),
    ("resnet50", "tinyimagenet"): (23910152, 1316110336),
}


@pytest.mark.parametrize(("name", "task"), GOLDEN)
def test_default_networks_cost_what_they_always_did(name: str, task: str) -> None:
    cost = architecture(name).cost(architecture(name).default_widths, dataset(task))
    assert (cost.params, cost.macs) == GOLDEN[name, task]
    assert isinstance(cost.params, int)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("task", DATASETS)
def test_a_network_of_single_channels_still_classifies(name: str, task: str) -> None:
    shape, net = dataset(task), architecture(name)
    module = net.build([1] * len(net.layers), shape).eval()
    assert module(torch.rand(2, 3, shape.size, shape.size)).shape == (2, shape.classes)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_gates_follow_the_layers_and_are_no_weights(name: str) -> None:
    net, task = architecture(name), dataset("cifar10")
    widths = [1 + i % 5 for i in range(len(net.layers))]
    gated = net.build(widths, task, gates=True)
    assert [gate.weight.numel() for gate in net.gate_points(gated)] == widths
    assert sum(p.numel() for p in weights(gated)) == net.cost(widths, task).params
    assert set(net.build(widths, task).state_dict()) == {
        key for key in gated.state_dict() if "gate" not in key
    }


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_layers_gated_with_zero_are_silent(name: str) -> None:
    """Closing all of one layer's gates must change the output of a network in general position."""
    torch.manual_seed(0)
    net, task = architecture(name), dataset("cifar10")
    module = net.build([3] * len(net.layers), task, gates=True).eval()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.bias, 0.5, 1.0)
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        before = module(images)
        for gate in net.gate_points(module):
            gate.weight.zero_()
            assert not torch.equal(module(images), before)
            gate.weight.fill_(1)


@pytest.mark.parametrize(
    ("widths", "message"),
    [
        ([64] * 7, "vgg11 has 8 searchable layers, not 7"),
        ([64, 0, 64, 64, 64, 64, -3, 64], "vgg11: widths must be at least 1, but conv1 = 0, conv6 = -3"),
    ],
)
def test_bad_widths_are_named(widths: list[int], message: str) -> None:
    with pytest.raises(WidthError, match=message):
        architecture("vgg11").cost(widths, dataset("cifar10"))


def test_a_network_needs_integers() -> None:
    with pytest.raises(WidthError, match="integer widths"):
        architecture("vgg11").build([1.5] * 8, dataset("cifar10"))  # type: ignore[list-item]


def test_unknown_names_list_the_known_ones() -> None:
    with pytest.raises(ValueError, match="unknown architecture 'vgg'; known: vgg11, mobilenetv2"):
        architecture("vgg")
    with pytest.raises(ValueError, match="unknown dataset 'mnist'; known: cifar10, cifar100"):
        dataset("mnist")


def test_costs_need_no_torch() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from bench.zoo import *\n"
        "for n in ARCHITECTURES: a = architecture(n); a.cost(a.default_widths, dataset('cifar10'))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=PATIENCE)
