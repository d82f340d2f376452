"""The device cost model on networks that it was never shown, beside what others do with the same data.

The measurements are kept (costmodel/): a profile of 190 as `orchestrate tune` takes them, and 120 networks of
all architectures and methods, each measured in four fresh processes. `python -m
tests.performance.costmodel.measure` takes them again, in about 20 minutes; docs/cost-model.md says on what
machine these were taken.
"""

import json
import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import nnls

from bench.cost import CostModel, design
from bench.cost.profile import Profile, find_profile
from bench.zoo import architecture, dataset
from tests.performance.rows import Row, figure

HERE = Path(__file__).parent / "costmodel"
Predict = Callable[[design.Item], float]


@cache
def profile() -> Profile:
    return find_profile(str(HERE / "x86.yaml"))


@cache
def model() -> CostModel:
    return CostModel(profile())


@cache
def held_out() -> list[Row]:
    rows = json.loads((HERE / "held_out.json").read_text())
    known = {m.item for m in profile().measurements}
    found = [row for row in rows if item(row) not in known]
    assert len(found) >= 60
    return found


def item(row: Row) -> design.Item:
    return design.Item(row["architecture"], row["dataset"], None, tuple(row["widths"]))


def seconds(row: Row) -> list[float]:
    """Of each process."""
    return [profile().seconds(row["architecture"], ratio) for ratio in row["ratios"]]


def true_seconds(row: Row) -> float:
    """Of all processes."""
    return math.exp(float(np.mean(np.log(seconds(row)))))


def networks(name: str) -> list[tuple[design.Item, float]]:
    """The calibration networks of an architecture, and their times."""
    return [
        (m.item, profile().seconds(m.architecture, m.ratio))
        for m in profile().measurements
        if m.part is None and m.architecture == name
    ]


def ours(each: design.Item) -> float:
    net = architecture(each.architecture)
    return model().predict(net, each.widths, dataset(each.dataset)).latency.value


def work(each: design.Item) -> tuple[float, float, float]:
    """Parameters, MACs, and bytes of weights and activations."""
    net, task = architecture(each.architecture), dataset(each.dataset)
    cost = net.cost(each.widths, task)
    moved = sum(o.output.channels * o.output.size**2 for o in design.operators(each)[0])
    return cost.params, cost.macs, 4 * (cost.params + moved)


def proportional(index: int) -> Predict:
    """Time in proportion to parameters (0) or MACs (1), the factor being each architecture's own."""

    @cache
    def factor(name: str) -> float:
        return float(np.median([seconds / work(each)[index] for each, seconds in networks(name)]))

    return lambda each: factor(each.architecture) * work(each)[index]


def regression() -> Predict:
    """Linear in MACs and bytes with a constant, for each architecture, by relative errors."""

    @cache
    def coefficients(name: str) -> np.ndarray:
        known = networks(name)
        rows = np.array([[1.0, *work(each)[1:]] for each, _ in known])
        seconds = np.array([s for _, s in known])
        return np.linalg.lstsq(rows / seconds[:, None], np.ones(len(rows)), rcond=None)[0]

    return lambda each: float(coefficients(each.architecture) @ [1.0, *work(each)[1:]])


def layer_table() -> Predict:
    """Each layer by itself (a call, its MACs, its bytes), without alignment or fusion, added up."""
    kinds = sorted(
        {(o.kind, o.kernel, o.groups > 1) for m in profile().measurements for o in operators(m.item)}
    )

    def row(each: design.Item) -> np.ndarray:
        found = np.zeros((len(kinds), 3))
        for o in operators(each):
            weights = o.kernel**2 * o.inputs[0].channels * o.output.channels / o.groups
            dense = o.kind in ("conv", "linear")
            moved = sum(v.channels * v.size**2 for v in (*o.inputs, o.output)) + dense * weights
            found[kinds.index((o.kind, o.kernel, o.groups > 1))] += (
                1,
                dense * weights * o.output.size**2,
                moved,
            )
        return found.ravel()

    measured = profile().measurements
    seconds = np.array([profile().seconds(m.architecture, m.ratio) for m in measured])
    rows = np.array([row(m.item) for m in measured]) / seconds[:, None]
    scale = np.abs(rows).max(axis=0) + 1e-30
    found = nnls(rows / scale, np.ones(len(rows)), maxiter=10_000)[0] / scale
    return lambda each: float(found @ row(each))


@cache
def operators(each: design.Item) -> list[Any]:
    return design.operators(each)[0]


def errors(predict: Predict) -> np.ndarray:
    return np.array([predict(item(row)) / true_seconds(row) - 1 for row in held_out()])


def row(name: str, percent: float, target: str, ok: bool | None, peer: str, better: str = "lower") -> Row:
    return figure(f"costmodel: {name}", percent, "%", target, ok, peer, better)


def latency() -> list[Row]:
    """Errors of latency on networks held out, with the instrument's own beside them."""
    repeat = np.array([abs(math.log(r["ratios"][0] / r["ratios"][1])) for r in held_out()])
    found = np.abs(errors(ours))
    bands = [
        model().predict(architecture(i.architecture), i.widths, dataset(i.dataset)).latency
        for i in map(item, held_out())
    ]
    inside = [b.low <= true_seconds(r) <= b.high for b, r in zip(bands, held_out(), strict=True)]
    each = [b.low <= s <= b.high for b, r in zip(bands, held_out(), strict=True) for s in seconds(r)]
    peers = {
        "parameters": proportional(0),
        "MACs": proportional(1),
        "MACs and bytes": regression(),
        "layer table": layer_table(),
    }
    others = {name: np.abs(errors(predict)) for name, predict in peers.items()}
    medians = ", ".join(f"{name} {100 * np.median(e):.1f}" for name, e in others.items())
    withins = ", ".join(f"{name} {100 * np.mean(e <= 0.1):.0f}" for name, e in others.items())
    median, within, covered = float(np.median(found)), float(np.mean(found <= 0.1)), float(np.mean(each))
    half = f"half width {100 * np.median([b.high / b.value - 1 for b in bands]):.1f} % in the median"
    spread = f"90th percentile {100 * np.quantile(repeat, 0.9):.1f}"
    rows = [
        row("median error", 100 * median, "<= 3", median <= 0.03, medians),
        row("within 10 %", 100 * within, ">= 95", within >= 0.95, withins, "higher"),
        row(
            "coverage of the 95 % interval, one process's measurement",
            100 * covered,
            "92 to 98",
            0.92 <= covered <= 0.98,
            half,
            "higher",
        ),
        row("coverage of the mean of four processes", 100 * float(np.mean(inside)), "", None, "", "higher"),
        row("repeat error of the instrument", 100 * float(np.median(repeat)), "", None, spread),
    ]
    for name in sorted({r["architecture"] for r in held_out()}):
        own = np.array([e for e, r in zip(found, held_out(), strict=True) if r["architecture"] == name])
        share = f"{100 * np.mean(own <= 0.1):.0f} % of {len(own)} within 10 %"
        rows.append(row(f"median error, {name}", 100 * float(np.median(own)), "", None, share))
    return rows


def memory() -> list[Row]:
    """Errors of memory on the same networks."""
    rows = []
    for name, limit in (("process", 0.02), ("model", 0.05), ("peak", None)):
        found, held = [], 0
        for each in held_out():
            net, task = architecture(each["architecture"]), dataset(each["dataset"])
            guess, true = getattr(model().predict(net, each["widths"], task), name), each["memory"][name]
            found.append(abs(guess.value / true - 1))
            held += guess.low <= true <= guess.high
        error, ninety = float(np.median(found)), f"90th percentile {100 * np.quantile(found, 0.9):.1f}"
        ninety += f"; {held} of {len(found)} within the interval" if held else "; no interval"
        target, ok = (f"<= {100 * limit:g}", error <= limit) if limit else ("", None)
        rows.append(row(f"memory.{name}, median error", 100 * error, target, ok, ninety))
    return rows


BENCHMARKS = [latency, memory]
