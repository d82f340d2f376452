"""What `bench scale --max-...` does, from what was asked to what answers it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import zoo
from bench.budget import measuring, rounds
from bench.budget.measuring import Anchor, Measured, Wanted
from bench.budget.rounds import BudgetRound
from bench.cost import PredictedFigure, Prediction, Profile
from bench.cost.design import Item
from bench.errors import InputError, JobError
from bench.record.quantities import counted
from bench.scaling.budgets import COUNTS, shown
from bench.scaling.device_prices import DevicePrices, price_list
from bench.scaling.errors import UnreachableError
from bench.scaling.fits import load_named
from bench.scaling.within import Within, within

NAMES = {"params": "parameters", "macs": "MACs", "latency": "latency", "memory": "memory"}


@dataclass(frozen=True)
class Asked:
    """The command line; limits in base units."""

    architecture: str
    dataset: str
    method: str
    limits: Mapping[str, float]
    fit: str | None = None
    align: int | None = None
    count: str = "true"
    device: str | None = None
    measure: bool = True
    rounds: int = 3
    extrapolate: bool = False

    @property
    def on_device(self) -> bool:
        """Whether a limit is of something that only a device decides."""
        return not set(self.limits) <= set(COUNTS)


@dataclass(frozen=True)
class BudgetAnswer:
    """Widths, and what a device's model predicts of them."""

    within: Within
    prediction: Prediction | None = None
    profile: Profile | None = None
    played: tuple[BudgetRound, ...] = ()  # that were measured, in order
    chosen: BudgetRound | None = None  # the one that is answered
    why: str = ""  # no further round was played

    @property
    def measured(self) -> Measured | None:
        """What was measured of the answer; None where nothing was."""
        return self.chosen.measured if self.chosen else None


def prices_on_device(asked: Asked) -> DevicePrices | None:
    """Return the device's price list; None without one."""
    if asked.device is None:
        return None
    network, data = zoo.architecture(asked.architecture), zoo.dataset(asked.dataset)
    return price_list(asked.device, network, data, asked.extrapolate)


def solve(asked: Asked) -> BudgetAnswer:
    """Return the widths for the limits, by the counts and by the model of the device."""
    solver = Solver(asked)
    if solver.prices is None or not (asked.measure and asked.on_device):
        return solver.answer()
    return solver.measured(rounds.play(asked.limits, asked.rounds, solver.guess, solver.measure))


class Solver:
    """What answers one command: the architecture's prices on the device, and the method that chooses."""

    def __init__(self, asked: Asked, prices: DevicePrices | None = None) -> None:
        if asked.count != "true":
            raise InputError("budgets are of true counts: nobody has published another; leave --count away")
        self.asked, self.prices = asked, prices or prices_on_device(asked)
        self.fit = load_named(asked.fit) if asked.fit else None
        self.anchor: Anchor | None = None  # what networks are measured beside

    def guess(self, limits: Mapping[str, float], near: Sequence[int] | None = None) -> Within:
        """Return the widths for limits of the model; refused where they would have to be extrapolated."""
        network, data = zoo.architecture(self.asked.architecture), zoo.dataset(self.asked.dataset)
        asked = self.asked
        try:
            found = within(network, data, asked.method, limits, self.fit, asked.align, self.prices, near)
        except UnreachableError as error:
            raise self._marked(error) from None
        if self.prices is not None:
            self.prices.predict(found.scaled.widths)
        return found

    def _marked(self, error: UnreachableError) -> UnreachableError:
        """The error, which states it where the network that it names lies beyond the tuned widths."""
        if self.prices is None or not self.asked.on_device or not error.widths:
            return error
        if not self.prices.model.outside(self.prices.architecture, error.widths, self.prices.dataset):
            return error
        text = f"{error} (extrapolated: beyond the widths that were tuned)"
        return UnreachableError(text, error.widths, error.figures)

    def measure(self, widths: Sequence[int]) -> Measured:
        """Measure widths on the device."""
        assert self.prices is not None
        wanted = self.wanted(widths)
        [found] = measuring.measure(self.prices.model.profile, [wanted], self.decided).values()
        self.learn(wanted, found)
        return found

    def wanted(self, widths: Sequence[int]) -> Wanted:
        """Return how a network is to be measured."""
        return Wanted(Item(self.asked.architecture, self.asked.dataset, None, tuple(widths)), self.anchor)

    def decided(self, wanted: Wanted, measured: Measured) -> bool:
        """Return whether a network need not be measured again."""
        return rounds.decided(measured, self.asked.limits, anchored=wanted.anchor is not None)

    def learn(self, wanted: Wanted, measured: Measured) -> None:
        """Measure later networks beside this one, if it is the first near the budget.

        JobError where the device reports nothing of what is limited, or is not as fast as it was tuned.
        """
        if measured.off_pace and "latency" in self.asked.limits:
            raise JobError(measured.off_pace)
        for name in self.asked.limits:
            if name not in COUNTS and math.isnan(getattr(measured, name).value):
                raise JobError(
                    f"{self.asked.device} reports no {NAMES[name]}: a budget of it cannot be measured there"
                )
        limits = self.asked.limits
        if self.anchor is None and "latency" in limits and rounds.near(measured, limits):
            self.anchor = Anchor(wanted.item, measured.latency)

    def answer(self) -> BudgetAnswer:
        """Return the answer without measuring."""
        return self._answer(self.guess(self.asked.limits))

    def measured(self, played: rounds.Played) -> BudgetAnswer:
        """Return the best of the rounds; JobError where no measured interval lies within the budgets."""
        chosen = rounds.best(played.rounds, self.asked.limits)
        if chosen is None:
            figures = "; ".join(line for each in played.rounds for line in round_lines(self.asked, each))
            after = counted(len(played.rounds), "round")
            raise JobError(
                f"no measured interval lies within the budget after {after}: {figures}; {played.why}"
            )
        return self._answer(chosen.guess, tuple(played.rounds), chosen, played.why)

    def _answer(self, found: Within, *played: Any) -> BudgetAnswer:
        if self.prices is None:
            return BudgetAnswer(found)
        prediction = self.prices.predict(found.scaled.widths)
        return BudgetAnswer(found, prediction, self.prices.model.profile, *played)


def round_lines(asked: Asked, played: BudgetRound) -> list[str]:
    """Return what was measured in a round, and how far the model's guess was, per budget of the device."""
    p50 = played.measured.p50
    beside = {} if math.isnan(p50) else {"latency": f", p50 while measured {shown('latency', p50)}"}
    return [
        f"{NAMES[name]} measured {_spread(name, getattr(played.measured, name))}{beside.get(name, '')}, "
        f"guessed {shown(name, played.guess.figures[name])} ({played.off(name):+.1%})"
        for name in asked.limits
        if name not in COUNTS
    ]


def _spread(name: str, estimate: PredictedFigure) -> str:
    return f"{shown(name, estimate.value)} ({shown(name, estimate.low)} to {shown(name, estimate.high)})"
