"""A device's price list is its cost model, summed segment by segment for many widths at once."""

import random
from functools import cache

import numpy as np
import pytest

from bench.cost import CostModel
from bench.cost.profile import MeasuredMemory
from bench.scaling import budgets, device, direction
from bench.scaling.device_prices import DevicePrices
from bench.scaling.errors import ScalingError
from bench.scaling.grid import grid
from bench.scaling.within import by_ratio, within
from bench.zoo import ARCHITECTURES, architecture, dataset
from tests.unit.cost.synthetic_profile import profile


@cache
def model() -> CostModel:
    return CostModel(profile())


def prices_of(name: str, data: str = "cifar10") -> DevicePrices:
    return DevicePrices(model(), architecture(name), dataset(data), extrapolate=True)


@pytest.mark.parametrize("name", ARCHITECTURES)
@pytest.mark.parametrize("data", ["cifar10", "tinyimagenet"])
def test_its_sums_are_the_model_s_predictions(name: str, data: str) -> None:
    draw, prices = random.Random(name + data), prices_of(name, data)
    for _ in range(4):
        widths = [
            draw.choice([draw.randint(1, 40), 8 * draw.randint(1, 30), 64])
            for _ in prices.architecture.layers
        ]
        found, told = prices.figures(widths), prices.predict(widths)
        cost = prices.architecture.cost(widths, prices.dataset)
        assert found["latency"] == pytest.approx(told.latency.value, rel=1e-9)
        prices.settle(widths)
        assert prices.figures(widths)["latency"] == pytest.approx(found["latency"], rel=1e-9)
        assert found["memory"] == pytest.approx(told.process.value, rel=1e-9)
        assert (found["params"], found["macs"]) == (cost.params, cost.macs)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_networks_that_are_priced_together_have_the_figures_of_each_alone(name: str) -> None:
    draw, together = random.Random(name), prices_of(name)
    networks = [
        [draw.choice([draw.randint(1, 40), 64]) for _ in together.architecture.layers] for _ in range(9)
    ]
    together.look_ahead(networks)
    for widths in networks:
        assert together.figures(widths) == pytest.approx(prices_of(name).figures(widths), rel=1e-12)


def test_a_path_through_the_grid_costs_what_its_network_costs() -> None:
    prices, draw = prices_of("preact_resnet18"), np.random.default_rng(4)
    candidates = [sorted({int(w) for w in draw.integers(3, 90, 3)} | {64}) for _ in range(17)]
    prices.settle([max(each) for each in candidates])
    made = grid(prices, candidates)
    state, arcs, seconds = 0, [], 0.0
    for stage in made.stages:
        arcs.append(int(draw.choice(np.flatnonzero(stage.source == state))))
        seconds, state = seconds + stage.costs[arcs[-1], 2], int(stage.target[arcs[-1]])
    told = prices.figures(made.widths(arcs))["latency"]
    room = prices.room("latency", told, 0.0)
    assert room * (1 - 1e-9) <= seconds <= 1.1 * room  # what no cache holds is priced as in a larger network


def test_on_a_device_that_likes_multiples_the_method_keeps_more_than_the_others() -> None:
    prices = prices_of("vgg11")
    line = direction.of(prices.architecture, None)
    limit = 0.2 * prices.figures(prices.architecture.default_widths)["latency"]
    task = budgets.BudgetTask(prices.architecture, prices.dataset, {"latency": limit}, prices.figures)
    aligned = budgets.BudgetTask(prices.architecture, prices.dataset, {"latency": limit}, prices.figures, 8)
    found = device.best(task, prices, line)
    assert task.use(found.widths) <= 1
    others = [budgets.largest(each, line, together=True) for each in (task, aligned)]
    assert found.score > max(_score(prices, line, widths) for widths in others)


def _score(prices: DevicePrices, line: direction.Direction, widths: list[int]) -> float:
    """The best score that any point of the direction gives a network."""
    middle = line.nearest(widths)[0]
    return max(
        direction.worth(prices.architecture, prices.dataset, line.widths(x))
        - direction.FAITH * float(np.mean((np.log(widths) - line.logs(x)) ** 2))
        for x in np.linspace(middle - 0.3, middle + 0.3, 121)
    )


def test_a_profile_without_memory_refuses_a_budget_of_memory() -> None:
    full = profile()
    bare = [m.model_copy(update={"memory": None}) for m in full.measurements]
    made = DevicePrices(
        CostModel(full.model_copy(update={"measurements": bare})), architecture("vgg11"), dataset("cifar10")
    )
    for ask in (
        lambda: within(made.architecture, made.dataset, "uniform", {"memory": 60e6}, prices=made),
        lambda: by_ratio(made.architecture, made.dataset, "uniform", 0.5, "memory", prices=made),
    ):
        with pytest.raises(ScalingError, match="made-up holds no memory"):
            ask()
    with pytest.raises(ScalingError, match="no ratio of banana; known: params, macs"):
        by_ratio(made.architecture, made.dataset, "device", 0.5, "banana", prices=made)


def test_a_profile_by_which_nothing_takes_memory_has_no_ratio_of_it() -> None:
    full = profile()
    nothing = MeasuredMemory(process=0, model=0, peak=0)
    bare = [m.model_copy(update={"memory": nothing}) for m in full.measurements]
    made = DevicePrices(
        CostModel(full.model_copy(update={"measurements": bare})), architecture("vgg11"), dataset("cifar10")
    )
    with pytest.raises(ScalingError, match="vgg11 takes no memory: there is no ratio of it"):
        by_ratio(made.architecture, made.dataset, "uniform", 0.5, "memory", prices=made)
