"""The training loop. Everything random is drawn from (seed, epoch, minibatch), nothing from a running stream:
so a training goes on at any minibatch from its counters, weights and momenta, bit for bit.
"""

import math
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from bench.data import augment
from bench.errors import DivergedError
from bench.train.task import TrainingTask
from bench.work.structure import Many, Some
from bench.zoo import architecture, dataset

LOOK = 50  # minibatches between two looks at the loss: each is a wait for the device
FAR = 3.0  # times the loss of guessing, from which an epoch counts as diverged


class Trainer:
    """A network, its optimiser and how far it has come.

    `images` (N x 3 x S x S, uint8, or float from 0 to 1) and `labels` (N) lie on the device that trains;
    batches are cut, augmented and normalised there.
    """

    def __init__(self, task: TrainingTask, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.task, self.recipe = task, task.recipe
        self.images, self.labels, self.device = images, labels, images.device
        self.classes = dataset(task.dataset).classes
        self.mean, self.deviation = statistics(images)
        self.scale = 1 / (self.deviation * (1 if images.is_floating_point() else 255))
        self.shift = -self.mean / self.deviation
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(task.seed)
            module = architecture(task.architecture).build(list(task.widths), dataset(task.dataset))
        layout = torch.channels_last if self.recipe.channels_last else torch.contiguous_format
        self.module = module.to(self.device, memory_format=layout).train()  # type: ignore[call-overload]
        self.forward = torch.compile(self.module) if self.recipe.compile else self.module
        self.average = self._average() if self.recipe.ema else None
        self.optimizer = torch.optim.SGD(
            self.module.parameters(),
            lr=self.recipe.learning_rate,
            momentum=self.recipe.momentum,
            weight_decay=self.recipe.weight_decay,
        )
        self.half = _half_type(self.device)
        scales = self.recipe.amp and self.half is torch.float16
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=scales)
        self.epoch, self.minibatch = 1, 0
        self.history: list[
            dict[str, float]
        ] = []  # of each finished epoch: mean loss, accuracy (percent), top1
        self.loss = torch.zeros((), dtype=torch.float64, device=self.device)
        self.correct = torch.zeros((), dtype=torch.int64, device=self.device)
        self.per_epoch = _batches(len(labels), self.recipe.batch)
        self._order: tuple[int, torch.Tensor] = (0, torch.empty(0))

    @property
    def finished(self) -> bool:
        """Are all epochs done?"""
        return self.epoch > self.recipe.epochs

    @property
    def steps(self) -> tuple[int, int]:
        """Minibatches done, and of how many."""
        return (self.epoch - 1) * self.per_epoch + self.minibatch, self.recipe.epochs * self.per_epoch

    def step(self) -> None:
        """Train on one minibatch. Raises DivergedError."""
        images, labels = self.batch()
        for group in self.optimizer.param_groups:
            group["lr"] = self.recipe.rate(self.epoch)
        with torch.autocast(self.device.type, self.half, enabled=self.recipe.amp):
            logits = self.forward(images)
        loss = cross_entropy(logits.float(), labels, label_smoothing=self.recipe.label_smoothing)
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update_parameters(self.module)
        self.loss += loss.detach()
        self.correct += (logits.detach().argmax(1) == labels).sum()
        self._advance()

    def batch(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the minibatch at hand, augmented and normalised, with its labels."""
        if self._order[0] != self.epoch:
            generator = torch.Generator().manual_seed(self._seed(self.epoch))
            order = torch.randperm(len(self.labels), generator=generator).to(self.device)
            self._order = (self.epoch, order)
        start = self.minibatch * self.recipe.batch
        chosen = self._order[1][start : start + self.recipe.batch]
        generator = torch.Generator().manual_seed(self._seed(self.epoch, self.minibatch + 1))
        images = augment.crop(self.images[chosen], self.recipe.crop, generator)
        if self.recipe.flip:
            images = augment.flip(images, generator)
        if self.recipe.rotate:
            images = augment.rotate(images.float(), self.recipe.rotate, generator)
        return self._normalised(images), self.labels[chosen]

    def note_top1(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        """Put the accuracy on the test split into the history of the epoch that has just ended."""
        self.history[-1]["top1"] = self.evaluate(images, labels)

    @torch.inference_mode()
    def evaluate(self, images: torch.Tensor, labels: torch.Tensor, batch: int = 500) -> float:
        """Accuracy in percent on other images, with the averaged weights where there are any."""
        module = self.result().eval()
        correct = 0
        for part, wanted in zip(torch.split(images, batch), torch.split(labels, batch), strict=True):
            answers = module(self._normalised(part)).argmax(1)
            correct += int((answers == wanted).sum())
        self.module.train()
        return 100 * correct / len(labels)

    def result(self) -> nn.Module:
        """Return the network that the training is for: its averaged weights where there are any."""
        return self.module if self.average is None else self.average.module

    def normalisation(self) -> dict[str, list[float]]:
        """Return what is subtracted from each channel of images from 0 to 1, and what they are then divided
        by."""
        return {"mean": self.mean.flatten().tolist(), "deviation": self.deviation.flatten().tolist()}

    def state(self) -> dict[str, object]:
        """Return what a checkpoint needs to go on at this minibatch."""
        return {
            "task": self.task.describe(),
            "epoch": self.epoch,
            "minibatch": self.minibatch,
            "history": self.history,
            "loss": self.loss,
            "correct": self.correct,
            "module": self.module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
        }

    def structure(self) -> dict[str, object]:
        """Return what `state` is like between two minibatches, for `bench.work.structure`.

        Also of another task.
        """
        momenta = {n: {"momentum_buffer": weight} for n, weight in enumerate(self.module.parameters())}
        return {
            "task": dict,
            "epoch": range(1, self.recipe.epochs + 2),
            "minibatch": range(self.per_epoch),
            "history": Many({"loss": float, "accuracy": float, "top1": float}),
            "loss": self.loss,
            "correct": self.correct,
            "module": self.module.state_dict(),
            "optimizer": {"state": Some(momenta), "param_groups": object},
            "scaler": {name: (type(value), float) for name, value in self.scaler.state_dict().items()},
            "average": None if self.average is None else self.average.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state`, which must be of the same task."""
        for name in ("epoch", "minibatch", "history"):
            setattr(self, name, state[name])
        self.loss, self.correct = state["loss"].to(self.device), state["correct"].to(self.device)
        self.module.load_state_dict(state["module"])
        groups = self.optimizer.state_dict()["param_groups"]  # settings are the recipe's
        self.optimizer.load_state_dict({"state": state["optimizer"]["state"], "param_groups": groups})
        self.scaler.load_state_dict(state["scaler"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])

    def _average(self) -> AveragedModel:
        decay = get_ema_multi_avg_fn(self.recipe.ema)  # type: ignore[no-untyped-call]
        return AveragedModel(self.module, multi_avg_fn=decay, use_buffers=True)

    def _normalised(self, images: torch.Tensor) -> torch.Tensor:
        images = (images * self.scale).add_(self.shift)
        return images.contiguous(memory_format=torch.channels_last) if self.recipe.channels_last else images

    def _advance(self) -> None:
        self.minibatch += 1
        if self.minibatch % LOOK == 0:
            self._refuse_divergence(float(self.loss) / self.minibatch, far=math.inf)
        if self.minibatch < self.per_epoch:
            return
        mean, seen = (
            float(self.loss) / self.per_epoch,
            min(len(self.labels), self.per_epoch * self.recipe.batch),
        )
        self._refuse_divergence(mean, far=FAR * math.log(self.classes))
        self.history.append({"loss": mean, "accuracy": 100 * int(self.correct) / seen})
        self.loss.zero_()
        self.correct.zero_()
        self.epoch, self.minibatch = self.epoch + 1, 0

    def _refuse_divergence(self, loss: float, far: float) -> None:
        if math.isfinite(loss) and loss <= far:
            return
        advice = (
            f"lower the learning rate ({self.recipe.rate(self.epoch):g})"
            + ", or turn AMP off" * self.recipe.amp
        )
        raise DivergedError(f"{self.task.model}: the loss became {loss:.3g} in epoch {self.epoch}: {advice}")

    def _seed(self, epoch: int, minibatch: int = 0) -> int:
        """One number per (seed, epoch, minibatch)."""
        return (self.task.seed * 100_003 + epoch) * 1_000_003 + minibatch


def statistics(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the mean and standard deviation of each channel, from images of 0 to 1 or 0 to 255.

    Both 1 x 3 x 1 x 1.
    """
    sums = torch.zeros(2, 3, dtype=torch.float64, device=images.device)
    for part in torch.split(images, 5000):
        values = _as_float(part).double()
        sums += torch.stack((values.sum((0, 2, 3)), values.square().sum((0, 2, 3))))
    mean, square = sums / (images.numel() / 3)
    deviation = (square - mean.square()).clamp(min=1e-8).sqrt()
    return mean.float().view(1, 3, 1, 1), deviation.float().view(1, 3, 1, 1)


def _as_float(images: torch.Tensor) -> torch.Tensor:
    return images if images.is_floating_point() else images.float() / 255


def _half_type(device: torch.device) -> torch.dtype:
    if device.type == "cuda" and not torch.cuda.is_bf16_supported():
        return torch.float16
    return torch.bfloat16


def _batches(examples: int, batch: int) -> int:
    """Minibatches an epoch; a last one of a single image is left out, for batch norm needs two."""
    return examples // batch + (1 if examples % batch > 1 else 0)
