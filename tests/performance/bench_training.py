"""Training: the input pipeline against a DataLoader that works image by image; what Ray adds to a task."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch.nn.functional import pad
from torch.utils.data import DataLoader, Dataset

from bench.train.recipe import Recipe
from bench.train.task import TrainingTask
from bench.train.trainer import Trainer
from bench.zoo import architecture, dataset

IMAGES, SECONDS = 4096, 3.0
RECIPE = Recipe(epochs=1, batch=128)


class OneByOne(Dataset[tuple[torch.Tensor, int]]):
    """The usual CPU transforms of one CIFAR image: pad and crop, mirror, to float, normalise."""

    def __init__(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        self.images, self.labels = images, labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        image = pad(self.images[index], (4, 4, 4, 4))
        row, column = torch.randint(9, (2,)).tolist()
        image = image[:, row : row + 32, column : column + 32]
        image = image.flip(2) if torch.rand(()) < 0.5 else image
        return (image.float() / 255 - 0.5) / 0.25, int(self.labels[index])


def pipeline() -> list[dict[str, Any]]:
    """Images a second that reach the network, of the recipe of CIFAR, on one CPU thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        images = torch.randint(256, (IMAGES, 3, 32, 32), dtype=torch.uint8)
        labels = torch.randint(10, (IMAGES,))
        ours = max(_rate(_ours(images, labels)) for _ in range(2))
        loaders = {
            n: DataLoader(OneByOne(images, labels), RECIPE.batch, shuffle=True, num_workers=n) for n in (0, 2)
        }
        peers = {n: max(_rate(lambda loader=loader: sum(len(y) for _, y in loader)) for _ in range(2))
                 for n, loader in loaders.items()}  # fmt: skip
    finally:
        torch.set_num_threads(threads)
    common = {"unit": "images/s", "better": "higher", "target": "> peer", "value": ours}
    return [
        {
            **common,
            "name": f"training.pipeline.vs_{n}_workers",
            "peer": peer,
            "target": "> peer",
            "ok": ours > peer,
        }
        for n, peer in peers.items()
    ]


def _ours(images: torch.Tensor, labels: torch.Tensor) -> Callable[[], int]:
    trainer = Trainer(_task(), images, labels)

    def run() -> int:
        trainer.epoch += 1
        seen = 0
        for minibatch in range(trainer.per_epoch):
            trainer.minibatch = minibatch
            seen += len(trainer.batch()[1])
        return seen

    return run


def _rate(run: Callable[[], int]) -> float:
    seen, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < SECONDS:
        seen += run()
    return seen / spent


def ray_overhead() -> list[dict[str, Any]]:
    """Seconds that a task costs on Ray beyond its work, with its worker there; the peer is a local call."""
    import ray

    ray.init("local", num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        task = ray.remote(_describe)
        ray.get(task.remote(_task()))  # starts the worker
        count, start = 200, time.perf_counter()
        ray.get([task.remote(replace(_task(), seed=seed)) for seed in range(count)])
        each = (time.perf_counter() - start) / count
    finally:
        ray.shutdown()
    start = time.perf_counter()
    for seed in range(200):
        _describe(replace(_task(), seed=seed))
    local = (time.perf_counter() - start) / 200
    row = {
        "name": "training.ray_overhead",
        "value": each - local,
        "unit": "s",
        "peer": local,
        "better": "lower",
    }
    return [{**row, "better": "lower", "target": "< 0.05 s a task", "ok": each - local < 0.05}]


def _describe(task: TrainingTask) -> dict[str, Any]:
    return task.describe()


def _task() -> TrainingTask:
    widths = (8,) * 8
    cost = architecture("vgg11").cost(widths, dataset("cifar10"))
    numbers = (widths, int(cost.params), int(cost.macs), 0)
    return TrainingTask(
        "vgg11-cifar10-uniform-w0.1", "vgg11", "cifar10", "uniform", 0.1, "width", *numbers, RECIPE
    )


BENCHMARKS = [pipeline, ray_overhead]
