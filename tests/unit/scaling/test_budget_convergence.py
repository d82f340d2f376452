"""Budgets on devices that are not as their model says: within 3 % under the budget, in at most three rounds.

The device's time is the model's, segment by segment, times a factor of the whole device (up to 25 % either
way), of each segment, and of each segment's widths: what a model cannot know.
"""

import math
import random
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import pytest

from bench.budget import rounds
from bench.budget.measuring import Measured
from bench.cost import CostModel, PredictedFigure
from bench.scaling.device_prices import DevicePrices
from bench.scaling.fits import load_named
from bench.scaling.within import Within, within
from bench.zoo import architecture, dataset
from tests.unit.cost.synthetic_profile import profile

FITS = {"vgg11": "vgg11-cifar10", "preact_resnet18": "preact_resnet18-cifar100"}
LAYER, WIDTH = 0.10, 0.02  # deviations of ln(time): of a segment, of its widths
HALF = 0.008  # of a measured interval


@cache
def prices(name: str) -> DevicePrices:
    return DevicePrices(CostModel(profile()), architecture(name), dataset("cifar10"), extrapolate=True)


def told(known: DevicePrices, widths: Sequence[int], off: float, seed: int) -> float:
    """What the device really takes."""
    model, total = known.model, known.model.base_seconds(known.architecture, known.dataset)
    parts, held = known.parts, 0
    for part, cost in zip(parts, model.walk(known.architecture, widths, known.dataset), strict=True):
        own = [widths[i] for i in part.own]
        layer = random.Random(f"{seed} {part.name}").gauss(0, LAYER)
        width = random.Random(f"{seed} {part.name} {own}").gauss(0, WIDTH)
        total += cost.seconds * math.exp(layer + width)
        held += cost.weights
    return off * (total + model.far_seconds(known.architecture, held))


def device(known: DevicePrices, off: float, seed: int) -> Callable[[Sequence[int]], Measured]:
    def measure(widths: Sequence[int]) -> Measured:
        seconds = told(known, widths, off, seed)
        held = known.figures(widths)["memory"]
        latency = PredictedFigure(seconds, seconds * (1 - HALF), seconds * (1 + HALF))
        return Measured(latency, PredictedFigure(held, held, held))

    return measure


METHODS = ("uniform", "neuralscale", "device")
FAR = [("vgg11", method, off) for method in METHODS for off in (0.75, 1.25)]
FAR += [("preact_resnet18", "neuralscale", 1.2)]
NEAR = [("vgg11", method, off) for method in METHODS for off in (0.9, 1.12)]
NEAR += [("preact_resnet18", "device", 0.8)]


@cache
def played(name: str, method: str, off: float) -> tuple[rounds.Played, dict[str, float]]:
    known = prices(name)
    fit = None if method == "uniform" else load_named(FITS[name])
    limits = {"latency": 0.35 * known.figures(known.architecture.default_widths)["latency"]}

    def guess(limits: Mapping[str, float], near: Sequence[int] | None) -> Within:
        return within(known.architecture, known.dataset, method, limits, fit, None, known, near)

    return rounds.play(limits, 3, guess, device(known, off, seed=round(100 * off))), limits


@pytest.mark.parametrize("case", [*FAR, *(pytest.param(case, marks=pytest.mark.slow) for case in NEAR)])
def test_a_network_is_within_the_budget_after_three_rounds_or_it_is_said_why_none_is_near(
    case: tuple[str, str, float],
) -> None:
    found, limits = played(*case)
    chosen = rounds.best(found.rounds, limits)
    assert chosen is not None, [each.used(limits) for each in found.rounds]
    assert len(found.rounds) <= 3
    assert chosen.value("latency")[1] <= limits["latency"]
    assert chosen.used(limits) >= 0.9
    assert chosen.enough(limits) or found.why


@pytest.mark.parametrize("cases", [FAR, pytest.param([*FAR, *NEAR], marks=pytest.mark.slow)])
def test_nearly_all_are_within_three_percent_under_the_budget(cases: list[tuple[str, str, float]]) -> None:
    near = []
    for case in cases:
        found, limits = played(*case)
        chosen = rounds.best(found.rounds, limits)
        near.append(chosen is not None and chosen.used(limits) >= 0.97)
    assert sum(near) >= 0.8 * len(cases), list(zip(cases, near, strict=True))
