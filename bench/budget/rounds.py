"""Solve on the model, measure, correct, repeat: until the measured interval lies within the budgets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from bench.budget.measuring import Measured
from bench.scaling.budgets import COUNTS
from bench.scaling.errors import UnreachableError
from bench.scaling.within import Within

CLOSE = 0.97  # of a budget: measured above it, the budget is used
MARGIN = 0.002  # that a corrected guess aims below the budget, beside half the measured interval


@dataclass(frozen=True)
class Round:
    """One guess: widths for the model's limits, and what was measured of them."""

    guess: Within
    measured: Measured

    def value(self, name: str) -> tuple[float, float]:
        """Measured value of a quantity and the upper end of its interval."""
        estimate = getattr(self.measured, name)
        return estimate.value, estimate.high

    def off(self, name: str) -> float:
        """How far the guess was: predicted / measured - 1."""
        return self.guess.figures[name] / self.value(name)[0] - 1

    def fits(self, limits: Mapping[str, float]) -> bool:
        """Whether every measured interval lies within its limit."""
        return all(self.value(name)[1] <= limit for name, limit in limits.items() if name not in COUNTS)

    def used(self, limits: Mapping[str, float]) -> float:
        """The largest share of a budget: measured where the device decides, counted where not."""
        return max(
            (self.guess.figures[name] if name in COUNTS else self.value(name)[0]) / limit
            for name, limit in limits.items()
        )


def play(
    limits: Mapping[str, float],
    most: int,
    guess: Callable[[Mapping[str, float]], Within],
    measure: Callable[[Sequence[int]], Measured],
    watch: Callable[[int, Round], None] = lambda number, played: None,
) -> list[Round]:
    """At most `most` rounds; the last one fits and uses a budget by 97 %, or no further one was allowed."""
    played: list[Round] = []
    aims = dict(limits)
    while len(played) < most:
        try:
            found = guess(aims)
        except UnreachableError:
            if played:
                break  # a corrected aim below the smallest network
            raise
        if any(before.guess.scaled.widths == found.scaled.widths for before in played):
            break  # the same network again: nothing is left to correct
        played.append(Round(found, measure(found.scaled.widths)))
        watch(len(played), played[-1])
        last = played[-1]
        if last.fits(limits) and last.used(limits) >= CLOSE:
            break
        for name in set(limits) - set(COUNTS):
            value, high = last.value(name)
            wanted = limits[name] * value / high * (1 - MARGIN)
            aims[name] = wanted * last.guess.figures[name] / value
    return played


def best(played: Sequence[Round], limits: Mapping[str, float]) -> Round | None:
    """The round that fits and uses most of the budgets; None where none fits."""
    fitting = [each for each in played if each.fits(limits)]
    return max(fitting, key=lambda each: each.used(limits), default=None)
