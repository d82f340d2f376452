"""Rounds of guessing, measuring and correcting: they end within the budget, or say that none was."""

import json
from collections.abc import Callable, Mapping, Sequence

import pytest

from bench.budget import rounds
from bench.budget.command import Asked, BudgetAnswer
from bench.budget.measuring import Measured, interval
from bench.budget.text import as_data
from bench.cost import ExtrapolationError, PredictedFigure
from bench.scaling.budgets import BudgetTask, counts, largest
from bench.scaling.direction import of
from bench.scaling.within import Within, result
from bench.zoo import architecture, dataset

VGG, CIFAR = architecture("vgg11"), dataset("cifar10")
LINE = of(VGG, None)


def figures(widths: Sequence[int]) -> dict[str, float]:
    """What the model says: a nanosecond a MAC."""
    cost = counts(VGG, CIFAR)(widths)
    return {**cost, "latency": cost["macs"] * 1e-9, "memory": 4e7 + 4 * cost["params"]}


def guess(limits: Mapping[str, float], near: Sequence[int] | None = None) -> Within:
    task = BudgetTask(VGG, CIFAR, limits, figures)
    return result(task, LINE, largest(task, LINE, together=True), None, None)


def device(off: float, spread: float) -> Callable[[Sequence[int]], Measured]:
    """A device whose times are `off` those of the model, measured with a half-width of `spread`."""

    def measure(widths: Sequence[int]) -> Measured:
        told = figures(widths)
        seconds = told["latency"] * off
        return Measured(
            PredictedFigure(seconds, seconds * (1 - spread), seconds * (1 + spread)),
            PredictedFigure(told["memory"], told["memory"] - 1e5, told["memory"] + 1e5),
        )

    return measure


@pytest.mark.parametrize("off", [0.8, 0.97, 1.0, 1.04, 1.3])
def test_the_measured_interval_ends_within_the_budget_and_uses_97_percent_of_it(off: float) -> None:
    limits = {"latency": 0.02}
    played = rounds.play(limits, 3, guess, device(off, 0.01)).rounds
    found = rounds.best(played, limits)
    assert found is not None
    assert 1 <= len(played) <= 3
    assert found.value("latency")[1] <= 0.02
    assert 0.97 <= found.used(limits) <= 1
    assert played[0].off("latency") == pytest.approx(1 / off - 1)


def test_a_model_that_is_right_needs_one_round() -> None:
    assert len(rounds.play({"latency": 0.02}, 3, guess, device(1.0, 0.01)).rounds) == 1


def test_counts_and_a_device_s_budget_hold_together() -> None:
    limits = {"latency": 0.02, "params": 300_000.0}
    found = rounds.best(rounds.play(limits, 3, guess, device(1.3, 0.01)).rounds, limits)
    assert found is not None
    assert found.guess.scaled.params <= 300_000
    assert found.used(limits) >= 0.97


def test_an_interval_wider_than_the_budget_is_never_within_it() -> None:
    limits = {"memory": figures([1] * 8)["memory"] + 5e4}  # the interval's half is twice that
    played = rounds.play(limits, 3, guess, device(1.0, 0.01))
    assert rounds.best(played.rounds, limits) is None


def test_a_budget_that_only_the_model_reaches_ends_with_the_least_that_was_measured() -> None:
    least = figures([1] * 8)["latency"]
    played = rounds.play({"latency": 3 * least}, 3, guess, device(4.0, 0.01))
    assert len(played.rounds) == 1
    assert "by what was measured, the least is" in played.why
    assert f"{4 * least * 1e3:.4g} ms, with the widths 1 1 1 1 1 1 1 1" in played.why


def test_the_rounds_that_are_allowed_end_and_say_so() -> None:
    played = rounds.play({"latency": 0.02}, 1, guess, device(1.3, 0.01))
    assert len(played.rounds) == 1
    assert rounds.best(played.rounds, {"latency": 0.02}) is None
    assert "1 round was allowed" in played.why


def test_a_single_process_has_no_interval() -> None:
    assert interval([1.0]) == (1.0, float("inf"))
    center, half = interval([1.0, 1.1, 0.9])
    assert center == pytest.approx(1.0)
    assert half == pytest.approx(4.3027 * 0.1 / 3**0.5, rel=1e-4)


def test_a_later_guess_beyond_the_tuned_range_leaves_what_was_measured() -> None:
    """The first network fits; that the next one would lie outside is the reason to stop, not an error."""
    limits = {"latency": 20e-3}
    asked: list[Mapping[str, float]] = []

    def once(wanted: Mapping[str, float], near: Sequence[int] | None = None) -> Within:
        asked.append(wanted)
        if len(asked) > 1:
            raise ExtrapolationError("conv0 = 400, tuned are 2 to 288")
        return guess({"latency": 0.8 * wanted["latency"]}, near)

    played = rounds.play(limits, 3, once, device(1.0, 0.001))
    assert len(played.rounds) == 1
    assert "conv0 = 400" in played.why
    assert rounds.best(played.rounds, limits) is played.rounds[0]


def test_a_process_that_holds_far_more_than_guessed_is_no_reason_to_aim_below_nothing() -> None:
    limits, aims = {"memory": 5e7}, []

    def aimed(wanted: Mapping[str, float], near: Sequence[int] | None = None) -> Within:
        aims.append(wanted["memory"])
        return guess({"memory": max(wanted["memory"], 4.2e7)}, near)

    def measure(widths: Sequence[int]) -> Measured:
        held = 3 * figures(widths)["memory"]
        return Measured(PredictedFigure(1e-3, 1e-3, 1e-3), PredictedFigure(held, held, held))

    played = rounds.play(limits, 3, aimed, measure)
    assert min(aims) > 0
    assert rounds.best(played.rounds, limits) is None


def test_an_answer_that_was_measured_is_told_to_scripts_too() -> None:
    limits = {"latency": 0.02}
    played = rounds.play(limits, 3, guess, device(1.3, 0.01)).rounds
    chosen = rounds.best(played, limits)
    assert chosen is not None
    asked = Asked("vgg11", "cifar10", "uniform", limits, device="here")
    data = json.loads(
        json.dumps(as_data(asked, BudgetAnswer(chosen.guess, played=tuple(played), chosen=chosen)))
    )
    assert [each["measured"]["latency"]["value"] for each in data["rounds"]] == [
        each.measured.latency.value for each in played
    ]
    assert data["close"]
