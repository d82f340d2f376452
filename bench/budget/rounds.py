"""Solve on the model, measure, correct, repeat: until the measured interval lies within the budgets.

The first guess aims a little below the budget. After that the model is multiplied by what was measured over
its prediction, of the network whose measurement came nearest. Far from the budget the method solves once
more; close to it single widths of that network are moved, for which the factor still holds: other networks
have other errors. The first network near a budget is the anchor that later ones are measured beside.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bench.budget.measuring import Measured
from bench.cost import ExtrapolationError
from bench.scaling.budgets import COUNTS, shown
from bench.scaling.errors import UnreachableError
from bench.scaling.within import Within

CLOSE = {"latency": 0.97, "memory": 0.99}  # of a budget: measured above it, the budget is used
FIRST = {"latency": 0.982, "memory": 0.997}  # of a budget: what the first guess aims at
MARGIN = {
    "latency": 0.008,
    "memory": 0.002,
}  # that the next network's own processes add to half the interval, in squares
STEEPEST = 3.0  # bytes measured per byte guessed, and the other way round
BESIDE = (1.0, 0.995, 1.005, 0.99)  # of a corrected aim, tried where it leads to a network already measured
NARROW = 0.0125  # half a 95 % interval, relative: networks near a budget are measured until theirs is
ADDED = 0.8  # of that, for a network measured beside one that is known so well
FAR = 0.1  # of a budget: what is farther off need not be known well
LOWEST = 0.01  # of a budget, that a guess may aim at
NEAR = 0.05  # of the budget, a round: how far a network may be off for its widths to be moved

Limits = Mapping[str, float]
Guess = Callable[
    [Limits, Sequence[int] | None], Within
]  # for limits of the model; near a network or anywhere


@dataclass(frozen=True)
class BudgetRound:
    """One guess: widths for the model's limits, and what was measured of them."""

    guess: Within
    measured: Measured

    def value(self, name: str) -> tuple[float, float]:
        """Measured value of a quantity and the upper end of its interval."""
        estimate = getattr(self.measured, name)
        return estimate.value, estimate.high

    def off(self, name: str) -> float:
        """Return how far the guess was: predicted / measured - 1."""
        return self.guess.figures[name] / self.value(name)[0] - 1

    def share(self, name: str, limit: float) -> float:
        """Return the share of a budget: measured where the device decides, counted where not."""
        return (self.guess.figures[name] if name in COUNTS else self.value(name)[0]) / limit

    def fits(self, limits: Limits) -> bool:
        """Return whether every measured interval lies within its limit."""
        return all(self.value(name)[1] <= limit for name, limit in limits.items() if name not in COUNTS)

    def used(self, limits: Limits) -> float:
        """Return the largest share of a budget."""
        return max(self.share(name, limit) for name, limit in limits.items())

    def enough(self, limits: Limits) -> bool:
        """Return whether it fits and some budget is used."""
        near = any(self.share(name, limit) >= CLOSE.get(name, 0.97) for name, limit in limits.items())
        return near and self.fits(limits)

    def goal(self, name: str, limit: float) -> float:
        """Return what to aim at with so wide an interval: the middle of close enough and too much."""
        value, high = self.value(name)
        top = limit / math.exp(math.hypot(math.log(high / value), MARGIN[name]))
        return 0.5 * (min(CLOSE[name] * limit, top) + top)


def near(measured: Measured, limits: Limits) -> bool:
    """Return whether a network may lie within FAR of its budgets: worth being known well."""
    found = [(getattr(measured, name), limits[name]) for name in limits if name not in COUNTS]
    over = any(each.low > (1 + FAR) * limit for each, limit in found)
    under = all(each.high < (1 - FAR) * limit for each, limit in found)
    return not (over or under)


def decided(measured: Measured, limits: Limits, anchored: bool = False) -> bool:
    """Return whether another measurement of a network would tell nothing that is needed of it.

    So where its own part of the latency's interval is narrow, and where it is far from the budgets: then the
    next round corrects the guess, and nothing is claimed of this one. anchored: it was measured beside one
    that is known that well, and must not add much to its interval.
    """
    if not near(measured, limits):
        return True
    narrow = {
        "latency": measured.own <= NARROW * (ADDED if anchored else 1),
        "memory": not measured.memory.high > (1 + NARROW) * measured.memory.value,  # nor where it is unknown
    }
    return all(narrow[name] for name in limits if name not in COUNTS)


class Played(NamedTuple):
    """The rounds in order. why: what ended them before the last one allowed, or nothing."""

    rounds: list[BudgetRound]
    why: str = ""


def playing(limits: Limits, most: int, guess: Guess) -> Generator[list[int], Measured, Played]:
    """Yield the widths of at most `most` rounds, each to be answered with what was measured of them.

    The last round fits and uses a budget, or `why` is why there is no further one. UnreachableError where
    the model knows of no network within the limits.
    """
    played: list[BudgetRound] = []
    aims = {name: FIRST.get(name, 1.0) * limit for name, limit in limits.items()}
    start: Sequence[int] | None = None
    while len(played) < most:
        try:
            found = _guessed(guess, aims, start, played, limits)
        except (UnreachableError, ExtrapolationError) as error:
            if not played:
                raise
            return Played(played, _beyond(error, limits, played[-1]))
        if found is None:
            return Played(played, "no other network of the method comes nearer")
        played.append(BudgetRound(found, (yield found.scaled.widths)))
        if played[-1].enough(limits):
            return Played(played)
        aims, start = _corrected(limits, played)
    return Played(played, f"{most} round{'s were' if most != 1 else ' was'} allowed (--rounds)")


def _guessed(
    guess: Guess, aims: Limits, start: Sequence[int] | None, played: Sequence[BudgetRound], limits: Limits
) -> Within | None:
    """A network that was not measured yet; None where every aim near `aims` leads to one that was.

    The first guess aims below the budget where it can, at the budget where that is all that is left.
    """
    if not played:
        try:
            return guess(aims, start)
        except UnreachableError:
            return guess(limits, start)
    known = [before.guess.scaled.widths for before in played]
    for factor in BESIDE:
        shifted = {name: aim * (1 if name in COUNTS else factor) for name, aim in aims.items()}
        found = guess(shifted, start)
        if found.scaled.widths not in known:
            return found
    return None


def _corrected(
    limits: Limits, played: Sequence[BudgetRound]
) -> tuple[dict[str, float], Sequence[int] | None]:
    """Limits on the model by the measurement that came nearest, and its network if it is near enough."""
    names = [name for name in limits if name not in COUNTS]

    def missed(each: BudgetRound) -> float:
        """Return how far from the goals: the budget that is exceeded most, or used most."""
        return max(math.log(each.value(name)[0] / each.goal(name, limits[name])) for name in names)

    nearest = min(played, key=lambda each: abs(missed(each)))
    aims = dict(limits)
    for name in names:
        goal, guessed = nearest.goal(name, limits[name]), nearest.guess.figures[name]
        value = nearest.value(name)[0]
        # A machine is slower by a factor; a process holds more by what it holds without a network.
        aim = goal * guessed / value if name == "latency" else guessed + (goal - value) / _slope(played)
        aims[name] = max(aim, LOWEST * limits[name])
    near = abs(missed(nearest)) <= NEAR * len(played)
    return aims, nearest.guess.scaled.widths if near else None


def _slope(played: Sequence[BudgetRound]) -> float:
    """Bytes of memory measured per byte guessed, between the last two networks; 1 before there are two."""
    if len(played) < 2:
        return 1.0
    (a, b), (c, d) = ((each.guess.figures["memory"], each.value("memory")[0]) for each in played[-2:])
    return min(max((b - d) / (a - c), 1 / STEEPEST), STEEPEST) if a != c else 1.0


def _beyond(error: UnreachableError | ExtrapolationError, limits: Limits, last: BudgetRound) -> str:
    """The least of the model as the last measurement corrects it; the error's own words where unknown."""
    if not isinstance(error, UnreachableError) or not error.figures:
        return str(error)
    least = {}
    for name in (name for name in limits if name not in COUNTS):
        guessed, value = last.guess.figures[name], last.value(name)[0]
        found = error.figures[name]
        least[name] = found * value / guessed if name == "latency" else found + value - guessed
    text = " and ".join(shown(name, value) for name, value in least.items())
    widths = " ".join(map(str, error.widths))
    return f"by what was measured, the least is {text}, with the widths {widths}"


def play(limits: Limits, most: int, guess: Guess, measure: Callable[[Sequence[int]], Measured]) -> Played:
    """Return `playing`, with every network measured at once."""
    rounds = playing(limits, most, guess)
    try:
        widths = next(rounds)
        while True:
            widths = rounds.send(measure(widths))
    except StopIteration as end:
        found: Played = end.value
        return found


def best(played: Sequence[BudgetRound], limits: Limits) -> BudgetRound | None:
    """Return the round that fits and uses most of the budgets; None where none fits."""
    fitting = [each for each in played if each.fits(limits)]
    return max(fitting, key=lambda each: each.used(limits), default=None)
