"""Budgets measured on this machine: memory kept by a real process, and a profile of elsewhere refused."""

from collections.abc import Sequence
from typing import Any

import pytest

from bench.budget import measuring, rounds
from bench.budget.command import Asked, Solver
from bench.budget.measuring import Measured, Wanted
from bench.cost import CostModel, Profile, ProfileError
from bench.cost.design import Item
from bench.scaling.device_prices import DevicePrices
from bench.zoo import architecture, dataset
from tests.unit.cost import synthetic_profile

pytestmark = pytest.mark.service
PROCESSES, SECONDS = 2, 0.05
WANTED = Wanted(Item("vgg11", "cifar10", None, (8, 16, 24, 24, 32, 32, 32, 32)))


@pytest.fixture(scope="module")
def local() -> Profile:
    """The made-up profile, as if it was of this machine, whose processes hold one copy of the weights."""
    found = synthetic_profile.profile().model_dump()
    found["environment"]["device"] = "local"
    for each in found["measurements"]:
        memory = each["memory"]
        memory["process"] -= (memory["peak"] - 50_000_000) // 3  # the made-up device holds two
    return Profile.model_validate(found)


@pytest.fixture(scope="module")
def figures(local: Profile) -> Any:
    [found] = measuring.figures(local, [WANTED], PROCESSES, SECONDS)
    return found


@pytest.fixture(scope="module")
def here(local: Profile, figures: Any) -> Profile:
    """The same with the environment and the pace that were found here."""
    where = type(local.environment).model_validate(figures["environment"])
    pace = {**local.reference_seconds, "vgg11": figures["reference_seconds"]}
    return local.model_copy(update={"environment": where, "reference_seconds": pace})


def test_each_process_has_a_ratio_and_a_memory_figure(here: Profile, figures: Any) -> None:
    assert len(figures["levels"]) == len(figures["memory"]) == PROCESSES
    found = measuring.summed_up(here, WANTED, [figures, figures])
    assert 0 < found.latency.low <= found.latency.value <= found.latency.high
    assert 20e6 < found.memory.value < 500e6


@pytest.mark.parametrize(
    ("name", "value"),
    [("backend", "tensorrt"), ("version", "0.9"), ("precision", "int8"), ("threads", 3), ("cpu", "A CPU")],
)
def test_a_profile_of_elsewhere_is_refused_by_name_of_what_differs(
    here: Profile, figures: Any, name: str, value: Any
) -> None:
    where = here.environment.model_copy(update={name: value})
    with pytest.raises(ProfileError) as refused:
        measuring.summed_up(here.model_copy(update={"environment": where}), WANTED, [figures])
    assert f"{name} {value}, not {getattr(here.environment, name)}" in str(refused.value)
    assert str(refused.value).count(", not ") == 1
    assert "orchestrate tune --device local" in str(refused.value)


def test_a_memory_budget_is_kept_by_the_process_that_is_measured(
    here: Profile, figures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(
        rounds.CLOSE, "memory", 0.97
    )  # three processes of a busy machine differ; 0.99: test_rounds
    least = measuring.summed_up(here, WANTED, [figures]).memory.value
    limits = {"memory": least + 9e6}
    prices = DevicePrices(CostModel(here), architecture("vgg11"), dataset("cifar10"), extrapolate=True)
    solver = Solver(Asked("vgg11", "cifar10", "uniform", limits, extrapolate=True), prices)

    def measure(widths: Sequence[int]) -> Measured:
        wanted = Wanted(Item("vgg11", "cifar10", None, tuple(widths)))
        return measuring.summed_up(here, wanted, measuring.figures(here, [wanted], 3, SECONDS))

    # What a process holds without a network is made up, the first guess far off.
    answer = solver.measured(rounds.play(limits, 8, solver.guess, measure))
    assert answer.measured is not None
    assert len(answer.played) >= 2, "the first guess was measured, and corrected"
    assert answer.measured.memory.high <= limits["memory"]
    assert answer.measured.memory.value >= 0.97 * limits["memory"]
