"""The device method against every width vector of tiny networks: never worse, never over the budget."""

import math
from collections.abc import Hashable, Mapping, Sequence
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.scaling import UnreachableError, budgets, device, direction
from bench.scaling.grid import REACH, grid
from bench.scaling.segments import Counts, Ints, Prices, Segment
from bench.zoo import ARCHITECTURES, Architecture, architecture, dataset
from bench.zoo.datasets import Dataset
from bench.zoo.layers import Chain, Classifier, Conv, GlobalPool, Residual

CIFAR = dataset("cifar10")


def network(widths: Sequence[float], data: Dataset) -> Chain:
    """A stem, a residual block of two convolutions, a classifier: three widths."""
    first, middle, last = widths
    branch = Chain(conv1=Conv(first, middle), conv2=Conv(middle, last))
    block = Residual(branch, None if first == last else Conv(first, last, 1))
    return Chain(stem=Conv(3, first), block=block, pool=GlobalPool(), classifier=Classifier(last, 10))


TINY = Architecture("tiny", ("stem", "middle", "last"), (6, 8, 7), "default", network)


class TinyPrices:
    """A device that charges odd widths as the next multiple of four, and for every change of layout."""

    names = ("params", "macs", "latency", "memory")
    start: Hashable = "plain"
    segments = Counts(TINY, CIFAR).segments

    def prices(self, segment: int, entry: Ints, own: Ints, layout: Hashable) -> Prices:
        counts = Counts(TINY, CIFAR).prices(segment, entry, own, None)
        wide = -(-own // 4) * 4
        charged = Counts(TINY, CIFAR).prices(segment, -(-entry // 4) * 4, wide, None).costs[:, 1]
        leaving = ["blocked" if w[-1] % 4 == 0 else "plain" for w in own] if own.size else [layout] * len(own)
        change = np.array([each != layout for each in leaving]) * 50_000.0
        live = (entry + own.sum(axis=1)) * 1000.0
        costs = np.column_stack([counts.costs, (charged + change) * 1e-9, counts.costs[:, 0] * 4])
        return Prices(costs, leaving, live)

    def room(self, name: str, limit: float, peak: float) -> float:
        return limit - {"latency": 1e-5, "memory": 100.0 + peak}.get(name, 0.0)

    def settle(self, widths: Sequence[int]) -> None:
        pass

    def figures(self, widths: Sequence[int]) -> Mapping[str, float]:
        total, layout, peak = np.zeros(4), self.start, 0.0
        for n, segment in enumerate(self.segments):
            entry = np.array([0 if segment.entry is None else widths[segment.entry]])
            own = np.array([[widths[i] for i in segment.own]], dtype=np.int64)
            found = self.prices(n, entry, own, layout)
            total, layout, peak = total + found.costs[0], found.layouts[0], max(peak, float(found.peaks[0]))
        return dict(zip(self.names, total + np.array([0, 0, 1e-5, 100.0 + peak]), strict=True))


def score(widths: Sequence[int], x: float, line: direction.Direction) -> float:
    departure = np.mean((np.log(widths) - line.logs(x)) ** 2)
    return worth(x, line) - direction.FAITH * float(departure)


def worth(x: float, line: direction.Direction) -> float:
    return direction.worth(TINY, CIFAR, line.widths(x))


def points(task: budgets.BudgetTask, line: direction.Direction) -> list[float]:
    """Points of the curve, around where it meets the budget."""
    start = budgets.crossing(task, line)
    step = device.apart(task, line, start)
    return [start + n * step for n in range(-10, 30)]


def by_trying_all(task: budgets.BudgetTask, line: direction.Direction) -> float:
    """The best score of all widths within 40 % of a point of the curve, and within the budgets."""
    best, use = -math.inf, cache(task.use)
    for x in points(task, line):
        logs = line.logs(x).tolist()
        every = [range(math.ceil(math.exp(g - REACH)), int(math.exp(g + REACH)) + 1) for g in logs]
        if fitting := [w for w in product(*every) if use(w) <= 1]:
            departure = np.mean((np.log(fitting) - line.logs(x)) ** 2, axis=1).min()
            best = max(best, worth(x, line) - direction.FAITH * float(departure))
    return best


limits = st.fixed_dictionaries(
    {}, optional={"params": st.floats(0.5, 1), "latency": st.floats(0.4, 1), "memory": st.floats(0.5, 1)}
).filter(lambda asked: {"latency", "memory"} & set(asked))


@settings(max_examples=6, deadline=None)
@given(limits, st.tuples(*[st.floats(0.7, 1.4)] * 3))
@example({"latency": 1.0}, (1.0, 1.0, 1.0))  # the best widths, beside another point of the curve
def test_it_is_never_worse_than_all_widths_that_could_be_tried_nor_over_a_budget(
    asked: dict[str, float], slopes: tuple[float, ...]
) -> None:
    prices = TinyPrices()
    whole = prices.figures(TINY.default_widths)
    task = budgets.BudgetTask(
        TINY, CIFAR, {k: share * whole[k] for k, share in asked.items()}, prices.figures
    )
    line = direction.Direction(np.log([6.0, 8.0, 7.0]), np.array(slopes))
    found = device.best(task, prices, line)
    assert task.use(found.widths) <= 1 + 1e-9
    assert found.score == pytest.approx(score(found.widths, found.x, line))
    if "memory" not in asked:  # of its peaks only some bounds are tried
        its_best = max(score(found.widths, x, line) for x in [found.x, *points(task, line)])
        assert its_best >= by_trying_all(task, line) - device.TOLERANCE


def test_widths_lie_where_the_device_charges_least() -> None:
    prices = TinyPrices()
    line = direction.of(TINY, None)
    task = budgets.BudgetTask(TINY, CIFAR, {"latency": prices.figures((8, 8, 8))["latency"]}, prices.figures)
    found = device.raised(task, device.best(task, prices, line).widths)
    assert task.use(found) <= 1
    assert [width % 4 for width in found[1:]] == [0, 0]  # into the stem's would be a change of layout
    plain = budgets.largest(task, line, together=True)
    assert TINY.cost(found, CIFAR).params > TINY.cost(plain, CIFAR).params


def test_where_only_counts_are_limited_the_faster_of_two_networks_is_taken() -> None:
    prices, line = TinyPrices(), direction.of(TINY, None)
    params = float(TINY.cost((13, 18, 15), CIFAR).params)
    task = budgets.BudgetTask(TINY, CIFAR, {"params": params}, prices.figures)
    found, plain = (device.best(task, each, line).widths for each in (prices, Counts(TINY, CIFAR)))
    assert max(task.use(found), task.use(plain)) <= 1
    assert prices.figures(found)["latency"] < 0.9 * prices.figures(plain)["latency"]


def test_what_a_price_leaves_of_a_target_is_filled_where_it_costs_least() -> None:
    prices, line = TinyPrices(), direction.of(TINY, None)
    target = float(TINY.cost((27, 37, 31), CIFAR).params)
    task = budgets.BudgetTask(TINY, CIFAR, {"params": target}, prices.figures)
    found = device.best(task, prices, line).widths
    full = device.filled(task, found, lambda widths: prices.figures(widths)["latency"])
    assert 0.97 * target <= TINY.cost(full, CIFAR).params <= target
    assert prices.figures(full)["latency"] < prices.figures((27, 37, 31))["latency"]


def test_an_unreachable_budget_names_the_least_and_its_network() -> None:
    prices = TinyPrices()
    task = budgets.BudgetTask(TINY, CIFAR, {"latency": 1.1e-5, "params": 1e6}, prices.figures)
    with pytest.raises(UnreachableError) as refused:
        device.best(task, prices, direction.of(TINY, None))
    assert "\n" not in str(refused.value)
    for word in ("the least is", "ms", "asked: 0.011 ms", "with the widths 1 1 1"):
        assert word in str(refused.value)
    assert "parameters" not in str(refused.value)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(sorted(ARCHITECTURES)), st.sampled_from(["cifar10", "tinyimagenet"]), st.data())
def test_counts_summed_over_segments_are_the_counts_of_the_network(
    name: str, data: str, draw: st.DataObject
) -> None:
    net, shape = architecture(name), dataset(data)
    few = st.lists(st.integers(1, draw.draw(st.sampled_from([3, 600]))), min_size=2, max_size=2)
    candidates = [sorted(set(draw.draw(few))) for _ in net.layers]
    made = grid(Counts(net, shape), candidates)
    state, arcs, total = 0, [], np.zeros(2)
    for stage in made.stages:
        leaving = np.flatnonzero(stage.source == state).tolist()
        arcs.append(draw.draw(st.sampled_from(leaving)))
        total, state = total + stage.costs[arcs[-1]], int(stage.target[arcs[-1]])
    cost = net.cost(made.widths(arcs), shape)
    assert total.tolist() == [cost.params, cost.macs]


def test_segments_say_which_widths_they_decide() -> None:
    found = Counts(architecture("preact_resnet18"), CIFAR).segments
    assert found[0] == Segment("stem", None, (0,))
    assert found[1] == Segment("stage1_0", 0, (1, 2))
    assert found[-1] == Segment("classifier", 16, ())
