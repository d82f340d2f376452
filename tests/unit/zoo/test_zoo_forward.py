"""The networks are the functions that NeuralScale's authors trained, and so are the files exported from them.

Their modules were run on weights and inputs that a formula gives; ours must give their logits. The formula:
with L the index of a layer (convolutions, batch norms, linear layers, in the order of the forward pass; in a
residual block the branch before its shortcut), r the index of a tensor within its layer (weight, bias if it
has one, running mean, running variance) and j the flat index of an element, s = sin(0.7 j + 1.3 L + 2.1 r). A
weight is 2 s / sqrt(fan-in), a batch norm's 1 + s / 4, a bias s / 10, a running mean s / 10, a running
variance 1 + s / 4. The input is sin(0.1 k) over the flat index k.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from bench.export import network
from bench.export.reference import run_reference
from bench.zoo import Dataset, architecture, dataset

ROWS = json.loads((Path(__file__).parent / "published_logits.json").read_text())["rows"]
FP32 = 0.002  # seen: 3e-4 at most; a missing or an added ReLU is of the order of 1
IDS = [f"{row['architecture']}-{row['dataset']}-{row['widths'][0]}" for row in ROWS]
# Exporting is slow, and one network of an architecture and a data set is exported as the other one is.
EXPORTED = [
    pytest.param(row, id=name, marks=[pytest.mark.slow] * name.endswith("-5"))
    for row, name in zip(ROWS, IDS, strict=True)
]


def sines(like: torch.Tensor, layer: int, tensor: int) -> torch.Tensor:
    index = torch.arange(like.numel(), dtype=torch.float64)
    return torch.sin(0.7 * index + 1.3 * layer + 2.1 * tensor).view(like.shape)


def tensors_of(layer: nn.Module) -> list[torch.Tensor]:
    """Weight, then bias, running mean and running variance where there are any."""
    names = ("weight", "bias", "running_mean", "running_var")
    return [found.data for name in names if (found := getattr(layer, name, None)) is not None]


def set_by_formula(module: nn.Module) -> None:
    layers = [m for m in module.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d | nn.Linear)]
    for number, layer in enumerate(layers):
        norm = isinstance(layer, nn.BatchNorm2d)
        for r, tensor in enumerate(tensors_of(layer)):
            s = sines(tensor, number, r)
            if r == 0 and not norm:
                s = 2 * s / (tensor[0].numel() ** 0.5)
            elif norm and r in (0, 3):
                s = 1 + s / 4
            else:
                s = s / 10
            tensor.copy_(s)


def built(row: dict) -> tuple[nn.Module, Dataset]:
    shape = dataset(row["dataset"])
    module = architecture(row["architecture"]).build(row["widths"], shape).double().eval()
    set_by_formula(module)
    return module, shape


def images(shape: Dataset) -> torch.Tensor:
    count = 2 * 3 * shape.size**2
    return torch.sin(0.1 * torch.arange(count, dtype=torch.float64)).view(2, 3, shape.size, shape.size)


def difference(logits: np.ndarray, row: dict) -> float:
    """Largest difference, relative to the logits' own size where they are above one."""
    wanted = np.array(row["logits"])
    return float(np.abs(logits[:, : wanted.shape[1]] - wanted).max() / max(1.0, np.abs(wanted).max()))


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_logits_are_those_of_the_authors_modules(row: dict) -> None:
    module, shape = built(row)
    with torch.no_grad():
        assert difference(module(images(shape)).numpy(), row) < 1e-9


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_an_open_gate_changes_nothing(row: dict) -> None:
    shape = dataset(row["dataset"])
    gated = architecture(row["architecture"]).build(row["widths"], shape, gates=True).double().eval()
    set_by_formula(gated)
    with torch.no_grad():
        assert difference(gated(images(shape)).numpy(), row) < 1e-9


@pytest.mark.parametrize("row", EXPORTED)
def test_the_exported_graph_is_the_same_function(row: dict) -> None:
    """The very file that a device gets; fp32 rounding moves these logits."""
    module, shape = built(row)
    cost = architecture(row["architecture"]).cost(row["widths"], shape)
    file = network.export(module.float(), shape, 2, int(cost.params), int(cost.macs), {}).model
    (logits,) = run_reference(file, [images(shape).float().numpy()])[0]
    assert difference(logits, row) < FP32
