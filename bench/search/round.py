"""One round of architecture descent: train a gated network, prune while training, until the pruner stops.

Everything random is drawn from (seed, round, epoch or minibatch), nothing from a running stream: so a round
is taken up at any minibatch from its counters, weights and momenta alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from bench.data import augment
from bench.errors import DivergedError
from bench.search.pruner import Pruner
from bench.search.settings import SearchSettings
from bench.work.structure import Many, Some
from bench.zoo import Architecture, Dataset
from bench.zoo.modules import weights

EPOCHS = "epochs"  # why a round stopped, besides the pruner's reasons


@dataclass(frozen=True)
class Examples:
    """Training images (N x 3 x S x S, from 0 to 1) and labels (N), on the device that trains.

    `mean` and `deviation` (1 x 3 x 1 x 1) normalise a batch after its augmentation, so that what comes in at
    the border is black, not mean grey.
    """

    images: torch.Tensor
    labels: torch.Tensor
    mean: torch.Tensor
    deviation: torch.Tensor


class SearchRound:
    """Network, optimiser and pruner of one round, and how far it has come."""

    def __init__(
        self,
        architecture: Architecture,
        dataset: Dataset,
        widths: Sequence[int],
        settings: SearchSettings,
        number: int,
        examples: Examples,
    ) -> None:
        self.settings, self.number, self.examples = settings, number, examples
        self.widths = list(widths)
        self.device = examples.images.device
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed(0))
            module = architecture.build(widths, dataset, gates=True)
        self.module = module.to(self.device).train()
        self.gates = architecture.gate_points(self.module)
        self.optimizer = torch.optim.SGD(
            weights(self.module),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
        self.pruner = Pruner(widths, settings.units, settings.minibatches, settings.fraction, self.device)
        self.epoch, self.minibatch = 1, 0
        self.epochs: list[dict[str, float]] = []  # loss and accuracy of each finished epoch
        self.loss = self.correct = self.last_loss = 0.0
        self.per_epoch = _batches(len(examples.labels), settings.batch)
        self._order: tuple[int, torch.Tensor] = (0, torch.empty(0))

    @property
    def stopped(self) -> str | None:
        """Why the round has ended, or None."""
        return self.pruner.stopped or (EPOCHS if self.epoch > self.settings.max_epochs else None)

    def step(self) -> None:
        """Train on one minibatch, show the gates' gradients to the pruner, close what it closes."""
        images, labels = self._batch()
        for group in self.optimizer.param_groups:
            group["lr"] = self.settings.rate(self.epoch)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.settings.amp):
            logits = self.module(images)
        loss = cross_entropy(logits.float(), labels)
        self.module.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        self._note(float(loss.detach()), int((logits.detach().argmax(1) == labels).sum()))
        if self.settings.prunes(self.epoch):
            self._prune()
        self._advance()

    def left(self) -> int:
        """Return the minibatches that the round still needs at most, if no layer runs out before."""
        warmup = max(0, self.settings.warmup_epochs * self.per_epoch - self._done())
        return warmup + (self.pruner.last_step - self.pruner.steps) * self.settings.minibatches

    def whole(self) -> int:
        """Return the minibatches that a round of this size needs at most, from its start."""
        return (
            self.settings.warmup_epochs * self.per_epoch + self.pruner.last_step * self.settings.minibatches
        )

    def state(self) -> dict[str, object]:
        """Return what a checkpoint needs to go on at this minibatch."""
        return {
            "number": self.number,
            "widths": self.widths,
            "epoch": self.epoch,
            "minibatch": self.minibatch,
            "epochs": self.epochs,
            "loss": self.loss,
            "correct": self.correct,
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "pruner": self.pruner.state(),
        }

    def structure(self) -> dict[str, object]:
        """Return what `state` is like, for `bench.work.structure`; the optimiser's settings are not read."""
        momenta = {n: {"momentum_buffer": weight} for n, weight in enumerate(weights(self.module))}
        return {
            "number": self.number,
            "widths": self.widths,
            "epoch": range(1, self.settings.max_epochs + 2),
            "minibatch": range(self.per_epoch),
            "epochs": Many({"loss": float, "accuracy": float}),
            "loss": (float, int),
            "correct": (float, int),
            "module": self.module.state_dict(),
            "optimizer": {"state": Some(momenta), "param_groups": object},
            "pruner": self.pruner.structure(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`, which must be like `structure`."""
        for name in ("epoch", "minibatch", "epochs", "loss", "correct"):
            setattr(self, name, state[name])
        self.module.load_state_dict(state["module"])
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state["optimizer"]["state"], "param_groups": groups})
        self.pruner.restore(state["pruner"])

    def _batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        if self._order[0] != self.epoch:
            generator = torch.Generator().manual_seed(self._seed(self.epoch))
            order = torch.randperm(len(self.examples.labels), generator=generator).to(self.device)
            self._order = (self.epoch, order)
        start = self.minibatch * self.settings.batch
        chosen = self._order[1][start : start + self.settings.batch]
        images = self.examples.images[chosen]
        generator = torch.Generator().manual_seed(self._seed(self.epoch, self.minibatch + 1))
        images = augment.crop(images, self.settings.crop, generator)
        images = augment.rotate(images, self.settings.rotate, generator)
        if self.settings.flip:
            images = augment.flip(images, generator)
        return (images - self.examples.mean) / self.examples.deviation, self.examples.labels[chosen]

    def _prune(self) -> None:
        values = torch.cat([gate.weight.detach() for gate in self.gates])
        gradients = torch.cat([_gradient(gate.weight) for gate in self.gates])
        if self.pruner.observe(values, gradients) is None:
            return
        with torch.no_grad():
            for gate, mask in zip(self.gates, self.pruner.masks(), strict=True):
                gate.weight.copy_(mask)

    def _note(self, loss: float, correct: int) -> None:
        if not math.isfinite(loss):
            raise DivergedError(
                f"the loss became {loss} in epoch {self.epoch} of round {self.number}: "
                f"lower the learning rate ({self.settings.rate(self.epoch):g}) or turn AMP off"
            )
        self.last_loss = loss
        self.loss += loss
        self.correct += correct

    def _advance(self) -> None:
        self.minibatch += 1
        if self.minibatch < self.per_epoch:
            return
        seen = min(self.per_epoch * self.settings.batch, len(self.examples.labels))
        self.epochs.append({"loss": self.loss / self.per_epoch, "accuracy": 100 * self.correct / seen})
        self.loss = self.correct = 0.0
        self.epoch, self.minibatch = self.epoch + 1, 0

    def _done(self) -> int:
        return (self.epoch - 1) * self.per_epoch + self.minibatch

    def _seed(self, epoch: int, minibatch: int = 0) -> int:
        """One number per (seed, round, epoch, minibatch)."""
        return ((self.settings.seed * 1009 + self.number) * 100_003 + epoch) * 1_000_003 + minibatch


def _gradient(weight: torch.Tensor) -> torch.Tensor:
    return torch.zeros_like(weight) if weight.grad is None else weight.grad


def _batches(examples: int, batch: int) -> int:
    """Minibatches an epoch; a last one of a single image is left out, for batch norm needs two."""
    return examples // batch + (1 if examples % batch > 1 else 0)
