"""The torch modules that torch itself lacks. Import only where a network is built."""

import torch
from torch import nn


class Residual(nn.Module):
    """`branch(x) + shortcut(x)`; without a shortcut, `branch(x) + x`."""

    def __init__(self, branch: nn.Module, shortcut: nn.Module | None = None) -> None:
        super().__init__()
        self.branch = branch
        self.shortcut = nn.Identity() if shortcut is None else shortcut

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """N x C x H x W in, N x C' x H' x W' out."""
        out: torch.Tensor = self.branch(x) + self.shortcut(x)
        return out


class Gate(nn.Module):
    """Multiplies channel c by `weight[c]`, which starts at one and which the search sets to zero.

    It is a parameter so that autograd gives its gradient, but no optimiser may hold it (see `gates`).
    """

    def __init__(self, w: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(w))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """N x C x H x W or N x C, unchanged in shape."""
        return x * self.weight.view(1, -1, *([1] * (x.dim() - 2)))


def gates(module: nn.Module) -> list[Gate]:
    """Return the gates of a network built with gates, in the order of its architecture's layers."""
    return [child for child in module.modules() if isinstance(child, Gate)]


def weights(module: nn.Module) -> list[nn.Parameter]:
    """Return every parameter but the gates: what an optimiser may hold, and what counts as a parameter."""
    closed = {id(gate.weight) for gate in gates(module)}
    return [parameter for parameter in module.parameters() if id(parameter) not in closed]


def initialise(module: nn.Module, scheme: str) -> None:
    """Set the weights as the published training does.

    `default`: torch's own (NeuralScale's MobileNetV2); `kaiming`: convolutions He-normal by fan-out, the rest
    torch's own (its ResNet); `kaiming-small`: the classifier N(0, 0.01) besides; `kaiming-half`: batch norm's
    scale 0.5 besides that (its VGG).
    """
    if scheme == "default":
        return
    small = scheme in ("kaiming-small", "kaiming-half")
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            nn.init.kaiming_normal_(child.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(child, nn.BatchNorm2d) and scheme == "kaiming-half":
            nn.init.constant_(child.weight, 0.5)
        elif isinstance(child, nn.Linear) and small:
            nn.init.normal_(child.weight, 0.0, 0.01)
            nn.init.zeros_(child.bias)
