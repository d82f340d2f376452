"""Cut a pruned network for real: closed channels leave the weights, and the outputs stay what they were.

Two passes over the tree of modules. Backwards, `_needed` asks which channels of its input a module needs to
give the channels that are needed of its output; closed gates need none. Forwards, `_cut` builds the smaller
module from the channels that are there and those that are needed. Where a residual sum adds a stream of other
channels than its branch gives, a `Route` picks and zero-fills them: it holds no weights.

Outputs are equal in evaluation mode (batch norm uses its running statistics).
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from bench.zoo.modules import Gate, Residual

Channels = Tensor  # sorted int64 indices of the uncut network's channels


class Route(nn.Module):
    """Channels `wanted` out of a tensor that holds the channels `there`; missing ones are zero."""

    index: Tensor
    present: Tensor

    def __init__(self, there: Channels, wanted: Channels) -> None:
        super().__init__()
        at = torch.searchsorted(there, wanted).clamp_max(max(len(there) - 1, 0))
        present = there[at] == wanted
        self.whole = bool(present.all())
        self.register_buffer("index", at)
        self.register_buffer("present", present.float().view(1, -1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """N x len(there) x H x W in, N x len(wanted) x H x W out."""
        out: Tensor = x[:, self.index]
        return out if self.whole else out * self.present.to(out.dtype)


def cut(module: nn.Module) -> nn.Module:
    """Return a copy of a gated network (of `Architecture.build`) without gates and closed channels."""
    classes = torch.arange(_last_linear(module).out_features)
    smaller, _ = _cut(module, torch.arange(3), classes)
    return smaller.to(next(module.parameters()).device).train(module.training)


def _needed(module: nn.Module, out: Channels) -> Channels:
    """Channels of the input that the channels `out` of the output depend on."""
    if isinstance(module, nn.Sequential):
        for child in reversed(module):
            out = _needed(child, out)
        return out
    if isinstance(module, Residual):
        both: Tensor = torch.unique(torch.cat([_needed(module.branch, out), _needed(module.shortcut, out)]))
        return both
    if isinstance(module, Gate):
        return out[module.weight.detach().cpu()[out] != 0]
    if isinstance(module, nn.Conv2d) and module.groups == 1:
        return torch.arange(module.in_channels)
    if isinstance(module, nn.Linear):
        return torch.arange(module.in_features)
    return out  # channel by channel: batch norm, activations, pooling, depthwise convolutions


def _cut(module: nn.Module, there: Channels, wanted: Channels) -> tuple[nn.Module, Channels]:
    """The module from the channels `there` to the channels `wanted`, and which it really gives.

    It gives fewer than `wanted` where a gate is closed: those are zero.
    """
    if isinstance(module, nn.Sequential):
        return _cut_chain(module, there, wanted)
    if isinstance(module, Residual):
        branch, shortcut = (_exactly(child, there, wanted) for child in (module.branch, module.shortcut))
        return Residual(branch, shortcut), wanted
    if isinstance(module, nn.Conv2d) and module.groups == 1:
        return _cut_conv(module, there, wanted), wanted
    if isinstance(module, nn.Linear):
        return _cut_linear(module, there, wanted), wanted
    if isinstance(module, Gate):
        kept = _needed(module, wanted)
        return _pick(there, kept), kept
    if isinstance(module, nn.BatchNorm2d):
        return _chain(_pick(there, wanted), _cut_norm(module, wanted)), wanted
    if isinstance(module, nn.Conv2d):
        return _chain(_pick(there, wanted), _cut_depthwise(module, wanted)), wanted
    return module, there


def _cut_chain(module: nn.Sequential, there: Channels, wanted: Channels) -> tuple[nn.Module, Channels]:
    wants = [wanted]  # of each child's output, from the last to the first
    for child in reversed(list(module)[1:]):
        wants.append(_needed(child, wants[-1]))
    children: OrderedDict[str, nn.Module] = OrderedDict()
    for (name, child), want in zip(module.named_children(), reversed(wants), strict=True):
        smaller, there = _cut(child, there, want)
        if not isinstance(smaller, nn.Identity):
            children[name] = smaller
    return nn.Sequential(children), there


def _exactly(module: nn.Module, there: Channels, wanted: Channels) -> nn.Module:
    """Like `_cut`, with the missing channels filled in."""
    smaller, given = _cut(module, there, wanted)
    return _chain(smaller, _pick(given, wanted))


def _chain(*modules: nn.Module) -> nn.Module:
    """The modules that do something, one after another."""
    active = [module for module in modules if not isinstance(module, nn.Identity)]
    return active[0] if len(active) == 1 else nn.Sequential(*active) if active else nn.Identity()


def _pick(there: Channels, wanted: Channels) -> nn.Module:
    return nn.Identity() if torch.equal(there, wanted) else Route(there, wanted)


def _cut_conv(conv: nn.Conv2d, there: Channels, wanted: Channels) -> nn.Conv2d:
    return _conv(conv, conv.weight[wanted][:, there], wanted, groups=1)


def _cut_depthwise(conv: nn.Conv2d, wanted: Channels) -> nn.Conv2d:
    return _conv(conv, conv.weight[wanted], wanted, groups=len(wanted))


def _conv(conv: nn.Conv2d, weight: Tensor, wanted: Channels, groups: int) -> nn.Conv2d:
    kernel, stride, padding = conv.kernel_size[0], conv.stride[0], conv.padding[0]
    w_in = weight.shape[1] * groups
    smaller = nn.Conv2d(
        w_in, len(wanted), kernel, stride, int(padding), groups=groups, bias=conv.bias is not None
    )
    smaller.weight.data = weight.detach().clone()
    if conv.bias is not None and smaller.bias is not None:
        smaller.bias.data = conv.bias.detach()[wanted].clone()
    return smaller


def _cut_norm(norm: nn.BatchNorm2d, wanted: Channels) -> nn.BatchNorm2d:
    smaller = nn.BatchNorm2d(len(wanted), eps=norm.eps, momentum=norm.momentum).to(norm.weight)
    state = {k: v if v.dim() == 0 else v[wanted] for k, v in norm.state_dict().items()}
    smaller.load_state_dict(state)
    return smaller


def _cut_linear(linear: nn.Linear, there: Channels, wanted: Channels) -> nn.Linear:
    smaller = nn.Linear(len(there), len(wanted))
    smaller.weight.data = linear.weight.detach()[wanted][:, there].clone()
    smaller.bias.data = linear.bias.detach()[wanted].clone()
    return smaller


def _last_linear(module: nn.Module) -> nn.Linear:
    return [child for child in module.modules() if isinstance(child, nn.Linear)][-1]
