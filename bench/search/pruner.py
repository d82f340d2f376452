"""Which units to close: first-order Taylor importance, all layers competing, a few units a step.

A unit's importance is the mean over minibatches of (gate x dloss/dgate)^2: to first order, the squared change
of the loss when the unit is removed (Molchanov et al., Importance Estimation for Neural Network Pruning, CVPR
2019). All layers lie in one flat vector on the gates' device; nothing here loops over units.

The rules, as NeuralScale's records show them:
- every `minibatches`-th minibatch closes `units` units (the first time one minibatch later), more where
scores
  tie: all units whose score is at most that of rank `closed so far + units`, closed ones counting as zero;
  never more than `fraction` of all units;
- layer by layer, units are visited by score, closed ones first. A visit that finds its layer with one unit
ends
  the round there: the step is not recorded, though what it closed before stays closed;
- the round also ends when as many steps are done as `fraction` of all units needs;
- a step's widths are a row of the record once every layer has lost a unit. A round without rows leaves one:
  its last widths.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from bench.work.structure import Many

CAP, LAST_UNIT = "cap", "last_unit"


@dataclass(frozen=True)
class Step:
    """What one pruning did."""

    completed: bool  # False: it ran into a layer's last unit
    widths: list[int]


@dataclass
class Pruner:
    """Importance, masks and record of one round; `widths` are those that it starts with."""

    widths: Sequence[int]
    units: int = 10
    minibatches: int = 50
    fraction: float = 0.95
    device: torch.device | str = "cpu"
    rows: list[list[int]] = field(default_factory=list)
    stopped: str | None = None
    seen: int = 0  # minibatches of this round
    steps: int = 0

    def __post_init__(self) -> None:
        widths = torch.tensor(list(self.widths))
        self.layer = torch.repeat_interleave(torch.arange(len(widths)), widths).to(self.device)
        self.first = (torch.cumsum(widths, 0) - widths).to(self.device)
        self.open = torch.ones(int(widths.sum()), dtype=torch.bool, device=self.device)
        self.score = torch.zeros(len(self.open), dtype=torch.float64, device=self.device)
        self.scored = 0  # minibatches in `score`
        self.most = int(self.fraction * len(self.open))
        self.last_step = math.ceil(self.most / self.units)

    def observe(self, gates: torch.Tensor, gradients: torch.Tensor) -> Step | None:
        """Take in one minibatch: gate values and gradients of all units, flat. Prunes when it is time.

        Sets `stopped` when the round has ended. Returns the step, if there was one.
        """
        if self.steps >= self.last_step:
            self.stopped = CAP
            return None
        self.score += (gates * gradients).double().square()
        self.scored += 1
        self.seen += 1
        if self.seen - 1 == 0 or (self.seen - 1) % self.minibatches:
            return None
        return self._prune()

    def masks(self) -> list[torch.Tensor]:
        """Return one boolean vector a layer: which units are open."""
        return list(torch.split(self.open, list(self.widths)))

    def kept(self) -> list[int]:
        """Open units, layer by layer."""
        return [int(n) for n in self._alive()]

    def record(self) -> list[list[int]]:
        """Return the rows of this round, or its last widths where there are none."""
        return self.rows or [self.kept()]

    def _alive(self) -> torch.Tensor:
        return torch.zeros_like(self.first).index_add_(0, self.layer, self.open.long())

    def _prune(self) -> Step:
        importance = self.score / self.scored
        self.score.zero_()
        self.scored = 0
        closed = len(self.open) - int(self.open.sum())
        rank = min(closed + self.units, self.most)
        completed = self._close(importance, rank)
        widths = self.kept()
        if not completed:
            self.stopped = LAST_UNIT
            return Step(False, widths)
        self.steps += 1
        if all(now < before for now, before in zip(widths, self.widths, strict=True)):
            self.rows.append(widths)
        return Step(True, widths)

    def _close(self, importance: torch.Tensor, rank: int) -> bool:
        """Close what is not above the score of `rank`; False if that came upon a layer's last unit."""
        visits = (importance <= importance.kthvalue(rank).values).nonzero()[:, 0]
        visits = visits[importance[visits].argsort(stable=True)]
        visits = visits[self.layer[visits].argsort(stable=True)]
        layers = self.layer[visits]
        closing = self.open[visits].long()
        earlier = closing.cumsum(0) - closing  # closings before each visit, in any layer so far
        left = self._alive()[layers] - (earlier - earlier[torch.searchsorted(layers, layers)])
        ends = (left <= 1).nonzero()
        self.open[visits if len(ends) == 0 else visits[: int(ends[0])]] = False
        return len(ends) == 0

    def state(self) -> dict[str, object]:
        """Return what a checkpoint needs besides the settings."""
        names = ("open", "score", "scored", "rows", "stopped", "seen", "steps")
        return {"widths": list(self.widths), **{name: getattr(self, name) for name in names}}

    def structure(self) -> dict[str, object]:
        """Return what `state` is like, for `bench.work.structure`."""
        return {
            "widths": list(self.widths),
            "open": self.open,
            "score": self.score,
            "rows": Many([range(width + 1) for width in self.widths]),
            "stopped": (None, CAP, LAST_UNIT),
            **dict.fromkeys(("scored", "seen", "steps"), range(2**53)),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`, which must be of a round with the same widths."""
        for name in ("scored", "rows", "stopped", "seen", "steps"):
            setattr(self, name, state[name])
        self.open = state["open"].to(self.device)
        self.score = state["score"].to(self.device)
