"""What the search's pruner costs: against the same rule in plain Python, and against no pruner."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from bench import data
from bench.search.pruner import Pruner
from bench.search.round import Examples, SearchRound
from bench.search.settings import SearchSettings
from bench.zoo import architecture, dataset
from tests.plain_pruner import PlainPruner

ROUNDS = 7


def medians(actions: dict[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, float]:
    """Median seconds of each action; they take turns, so that drift favours none."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def pruning() -> list[dict[str, Any]]:
    """One minibatch's scores and one pruning of ResNet-50's 22,720 units."""
    torch.set_num_threads(1)
    widths = architecture("resnet50").default_widths
    generator = torch.Generator().manual_seed(0)
    gates, gradients = torch.ones(sum(widths)), torch.randn(sum(widths), generator=generator)

    def once(kind: type[Pruner] | type[PlainPruner]) -> None:
        pruner = kind(widths, minibatches=1)
        for _ in range(2):  # the first pruning comes after the second minibatch
            pruner.observe(gates, gradients)
        assert sum(int(mask.sum()) for mask in pruner.masks()) == len(gates) - 10

    seconds = medians({"ours": lambda: once(Pruner), "plain": lambda: once(PlainPruner)})
    ratio = seconds["plain"] / seconds["ours"]
    return [
        {
            "name": "search: pruning, plain Python / ours",
            "value": ratio,
            "unit": "x",
            "peer": f"plain per-unit Python, {seconds['plain'] * 1e3:.1f} ms",
            "target": ">= 5",
            "better": "higher",
            "ok": ratio >= 5,
        }
    ]


def step() -> list[dict[str, Any]]:
    """A minibatch of a search (VGG-11 at a quarter of the widths) with either pruner, and without."""
    torch.set_num_threads(1)
    rounds = {name: _round() for name in ("ours", "plain", "without")}
    pruner = PlainPruner(rounds["plain"].widths, minibatches=1)
    rounds["plain"].pruner = pruner  # type: ignore[assignment]
    for now in rounds.values():
        now.step()

    def train_only() -> None:
        now = rounds["without"]
        images, labels = now._batch()
        loss = cross_entropy(now.module(images), labels)
        now.module.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        now.optimizer.step()
        float(loss.detach())

    seconds = medians(
        {"ours": rounds["ours"].step, "plain": rounds["plain"].step, "without": train_only}, rounds=9
    )
    row = {"unit": "x", "peer": f"{seconds['without'] * 1e3:.1f} ms a training step", "better": "lower"}
    ours, plain = seconds["ours"] / seconds["without"], seconds["plain"] / seconds["without"]
    return [
        {
            **row,
            "name": "search: step / training step",
            "value": ours,
            "target": "<= 1.15",
            "ok": ours <= 1.15,
        },
        {
            **row,
            "name": "search: step with plain pruner / training step",
            "value": plain,
            "target": "above ours",
            "ok": None,
        },
    ]


def _round() -> SearchRound:
    task = dataset("digits")
    images, labels = data.load("digits", "train")
    settings = SearchSettings(batch=32, warmup_epochs=0, minibatches=1, units=1, crop=1, flip=False)
    widths = [w // 4 for w in architecture("vgg11").default_widths]
    return SearchRound(architecture("vgg11"), task, widths, settings, 1, Examples(images, labels))


BENCHMARKS = [pruning, step]
