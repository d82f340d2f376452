"""Networks are measured again until their intervals decide, side by side, and no longer."""

import math
import random
from collections.abc import Sequence

import pytest

from bench.budget import measuring, rounds
from bench.budget.command import Asked, Solver
from bench.budget.measuring import Anchor, Figures, Measured, Wanted
from bench.cost import CostModel, PredictedFigure
from bench.cost.design import Item
from bench.errors import JobError
from bench.scaling.device_prices import DevicePrices
from bench.zoo import architecture, dataset
from tests.unit.cost.synthetic_profile import profile

LIMITS = {"latency": 1e-3}
UNKNOWN = PredictedFigure(float("nan"), float("nan"), float("nan"))
FIRST, SECOND = (Wanted(Item("vgg11", "cifar10", None, (width,) * 8)) for width in (8, 16))


def of_budget(value: float, half: float, own: float) -> Measured:
    """A measured latency and half its interval as shares of the budget."""
    low, middle, high = (LIMITS["latency"] * (value + shift) for shift in (-half, 0, half))
    return Measured(PredictedFigure(middle, low, high), UNKNOWN, own)


@pytest.mark.parametrize(
    ("value", "half", "own", "anchored", "expected"),
    [
        (0.985, 0.012, 0.012, False, True),  # narrow
        (0.985, 0.02, 0.02, False, False),
        (0.985, 0.02, 0.005, True, True),  # as narrow as what it was measured beside lets it be
        (0.985, 0.02, 0.012, True, False),
        (1.15, 0.04, 0.04, False, True),  # far above, whatever a narrower interval says
        (1.05, 0.04, 0.04, False, False),  # later ones are measured beside it
        (0.80, 0.04, 0.04, False, True),
        (0.90, 0.04, 0.04, False, False),
    ],
)
def test_a_network_is_measured_again_only_where_that_may_change_what_follows(
    value: float, half: float, own: float, anchored: bool, expected: bool
) -> None:
    assert rounds.decided(of_budget(value, half, own), LIMITS, anchored) is expected


def test_a_budget_that_the_device_reports_nothing_of_is_not_measured_again() -> None:
    assert rounds.decided(of_budget(0.985, 0.05, 0.05), {"memory": 5e7})


def levels(ratio: float, slowed: Sequence[float], slope: float = 1.0) -> list[list[float]]:
    """Seconds of a network and of its reference, slowed by factors; the network by a power of them."""
    return [[ratio * 1e-3 * each**slope, 1e-3 * each] for each in slowed]


def taking(ratios: dict[Wanted, list[float]], asked: list[list[Wanted]], pace: float = 1.0) -> measuring.Take:
    """A device of two processes a pass, 1 % to either side of what a network takes in that pass.

    pace: how many times as long as known the reference takes.
    """
    environment = profile().environment.model_dump()

    def take(networks: Sequence[Wanted], number: int) -> list[Figures]:
        asked.append(list(networks))
        return [
            {
                "model": each.item.id,
                "levels": [
                    *levels(ratios[each][number] * 0.99, [1]),
                    *levels(ratios[each][number] * 1.01, [1]),
                ],
                "reference_seconds": pace
                * (each.anchor.latency.value if each.anchor else profile().seconds("vgg11", 1.0)),
                "p50": 2e-3,
                "memory": [5e7, 5e7],
                "environment": environment,
            }
            for each in networks
        ]

    return take


def undecided_until(passes: dict[Wanted, int]) -> measuring.Decided:
    left = dict(passes)

    def decided(wanted: Wanted, measured: Measured) -> bool:
        left[wanted] -= 1
        return left[wanted] <= 0

    return decided


def test_only_those_that_are_not_decided_are_measured_again() -> None:
    asked: list[list[Wanted]] = []
    take = taking({FIRST: [1.0] * 3, SECOND: [2.0, 2.0, 2.0]}, asked)
    measuring.measure(profile(), [FIRST, SECOND], undecided_until({FIRST: 1, SECOND: 2}), take)
    assert asked == [[FIRST, SECOND], [SECOND]]


def test_passes_end_and_every_process_of_all_of_them_counts() -> None:
    asked: list[list[Wanted]] = []
    take = taking({FIRST: [1.0, 1.1, 1.21]}, asked)
    [found] = measuring.measure(profile(), [FIRST], lambda wanted, measured: False, take).values()
    assert len(asked) == measuring.PASSES == 3
    assert found.latency.value == pytest.approx(profile().seconds("vgg11", 1.1), rel=1e-3)
    assert found.latency.high < profile().seconds("vgg11", 1.21)


@pytest.mark.parametrize(("pace", "refused"), [(0.5, True), (0.9, False), (1.1, False), (2.0, True)])
def test_a_machine_that_is_faster_or_slower_than_it_was_tuned_has_no_figure(
    pace: float, refused: bool
) -> None:
    take = taking({FIRST: [1.0]}, [], pace)
    [found] = measuring.measure(profile(), [FIRST], lambda wanted, measured: True, take).values()
    assert found.p50 == 2e-3
    assert found.memory.value == pytest.approx(5e7)
    assert math.isnan(found.latency.value) is refused
    prices = DevicePrices(CostModel(profile()), architecture("vgg11"), dataset("cifar10"), extrapolate=True)
    for limits in ({"memory": 1e8}, {"latency": 1e-3}):
        solver = Solver(Asked("vgg11", "cifar10", "uniform", limits), prices)
        if not refused or "memory" in limits:  # which the machine's pace has no part in
            solver.learn(FIRST, found)
            continue
        with pytest.raises(JobError, match=r"the reference takes .* now, .* in profile .*tune again"):
            solver.learn(FIRST, found)


def test_a_network_beside_another_one_has_that_one_s_doubt_too() -> None:
    anchor = Anchor(FIRST.item, PredictedFigure(2e-3, 2e-3 / 1.02, 2e-3 * 1.02))
    asked: list[list[Wanted]] = []
    wanted = Wanted(SECOND.item, anchor)
    take = taking({wanted: [1.05] * 3}, asked)
    [found] = measuring.measure(profile(), [wanted], lambda wanted, measured: False, take).values()
    assert found.latency.value == pytest.approx(1.05 * 2e-3, rel=1e-3)
    own, whole = math.log1p(found.own), math.log(found.latency.high / found.latency.value)
    assert 0.005 < own < 0.02
    assert whole == pytest.approx(math.hypot(own, math.log(1.02)))


def test_a_reference_that_is_slowed_more_than_the_network_widens_no_interval() -> None:
    slowed = [1.0, 1.1, 1.2, 1.3, 1.4, 1.25, 1.05, 1.35]
    logs = [(math.log(model), math.log(own)) for model, own in levels(4.0, slowed, slope=0.6)]
    ratio, half = measuring.ratio_of(logs)
    assert half < 0.009  # as far as a reference differs by luck
    mean = sum(map(math.log, slowed)) / len(slowed)
    assert ratio == pytest.approx(math.log(4.0) - 0.4 * mean)
    assert measuring.ratio_of(logs[:5])[1] > 0.05  # too few for a line


@pytest.mark.parametrize(("luck", "slowing"), [(0.02, 0.0), (0.01, 0.0), (0.01, 0.03), (0.01, 0.1)])
@pytest.mark.parametrize("processes", [6, 12])
def test_what_a_process_s_reference_differs_by_luck_is_not_taken_for_slowing(
    luck: float, slowing: float, processes: int
) -> None:
    rng, held, studies = random.Random(7), 0, 400
    for _ in range(studies):
        slowed = [slowing * abs(rng.gauss(0, 1)) for _ in range(processes)]
        logs = [(1 + 0.65 * each + rng.gauss(0, 0.01), each + rng.gauss(0, luck)) for each in slowed]
        ratio, half = measuring.ratio_of(logs)
        true = 1 - 0.35 * sum(slowed) / processes
        held += abs(ratio - true) <= half
    assert held / studies >= 0.92


def test_an_undisturbed_machine_s_interval_is_student_s_of_the_ratios() -> None:
    logs = [(math.log(4.0 * off), 0.0) for off in (0.99, 1.0, 1.01, 0.98, 1.02, 1.0)]
    center, half = measuring.ratio_of(logs)
    assert (center, half) == measuring.interval([model for model, _ in logs])
