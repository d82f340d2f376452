"""What `bench scale --max-... ` does, from what was asked to what is printed."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench import zoo
from bench.budget import rounds
from bench.budget.measuring import Measured
from bench.budget.measuring import measure as measure_on_device
from bench.budget.rounds import Round
from bench.cost import CostModel, Estimate, Prediction, find
from bench.errors import InputError, JobError
from bench.manifests.methods import meant
from bench.scaling.board import Board
from bench.scaling.budgets import COUNTS
from bench.scaling.fits import named
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
class Answer:
    """Widths, and what a device's model predicts of them."""

    within: Within
    prediction: Prediction | None
    profile: str | None
    emulated: str | None
    played: tuple[Round, ...] = ()  # that were measured, the one that is answered last

    @property
    def measured(self) -> Measured | None:
        """Of the answer."""
        return self.played[-1].measured if self.played else None


def answer(asked: Asked, as_json: bool) -> str:
    """The text that answers, or JSON."""
    found = solve(asked)
    return json.dumps(as_data(asked, found)) if as_json else as_text(asked, found)


def board(asked: Asked) -> Board | None:
    """The device's price list; None without one."""
    if asked.device is None:
        return None
    model = CostModel(find(asked.device))
    return Board(model, zoo.architecture(asked.architecture), zoo.dataset(asked.dataset), asked.extrapolate)


def solve(asked: Asked) -> Answer:
    """The widths for the limits, by the counts and by the model of the device."""
    if asked.count != "true":
        raise InputError("budgets are of true counts: nobody has published another; leave --count away")
    network, data = zoo.architecture(asked.architecture), zoo.dataset(asked.dataset)
    fit, prices = named(asked.fit) if asked.fit else None, board(asked)

    def guess(limits: Mapping[str, float]) -> Within:
        return within(network, data, asked.method, limits, fit, asked.align, prices)

    if prices is None:
        return Answer(guess(asked.limits), None, None, None)
    profile = prices.model.profile
    played = _measured(asked, prices, guess) if asked.measure and asked.on_device else ()
    found = played[-1].guess if played else guess(asked.limits)
    return Answer(found, prices.predict(found.scaled.widths), profile.name, profile.emulated, played)


def _measured(
    asked: Asked, prices: Board, guess: Callable[[Mapping[str, float]], Within]
) -> tuple[Round, ...]:
    """The rounds, the best one last; JobError where no measured interval lies within the budgets."""
    profile = prices.model.profile

    def checked(limits: Mapping[str, float]) -> Within:
        found = guess(limits)
        prices.predict(found.scaled.widths)  # refuses extrapolation before anything is measured
        return found

    def measure(widths: Sequence[int]) -> Measured:
        return measure_on_device(profile, asked.architecture, asked.dataset, widths)

    played = rounds.play(asked.limits, asked.rounds, checked, measure)
    chosen = rounds.best(played, asked.limits)
    if chosen is None:
        figures = "; ".join(line for each in played for line in told(asked, each))
        raise JobError(f"no measured interval lies within the budget after {len(played)} rounds: {figures}")
    return (*(each for each in played if each is not chosen), chosen)


def told(asked: Asked, played: Round) -> list[str]:
    """What was measured in a round, and how far the model's guess was, per budget of the device."""
    return [
        f"{NAMES[name]} measured {_spread(name, getattr(played.measured, name))}, "
        f"guessed {shown(name, played.guess.figures[name])} ({played.off(name):+.1%})"
        for name in asked.limits
        if name not in COUNTS
    ]


def _spread(name: str, estimate: Estimate) -> str:
    return f"{shown(name, estimate.value)} ({shown(name, estimate.low)} to {shown(name, estimate.high)})"


def as_data(asked: Asked, found: Answer) -> dict[str, Any]:
    """The answer for scripts, in base units."""
    scaled, prediction = found.within.scaled, found.prediction
    data: dict[str, Any] = {
        "architecture": asked.architecture,
        "dataset": asked.dataset,
        "method": meant(asked.method, asked.align)[0],
        "limits": dict(asked.limits),
        "widths": scaled.widths,
        "params": scaled.params,
        "macs": scaled.macs,
        "tightest": found.within.tightest,
        "error": scaled.error,
        "distance": found.within.distance,
        "fit": scaled.fit,
        "fit_quality": scaled.fit_quality,
        "align": scaled.align,
        "profile": found.profile,
        "emulated": found.emulated,
    }
    data["rounds"] = [
        {
            "widths": each.guess.scaled.widths,
            "guessed": {name: each.guess.figures[name] for name in ("latency", "memory")},
            "measured": {name: estimate._asdict() for name, estimate in each.measured._asdict().items()},
        }
        for each in found.played
    ]
    if prediction is not None:
        data["predicted"] = {
            name: dict(zip(("value", "low", "high"), map(float, estimate), strict=True))
            for name, estimate in (("latency", prediction.latency), ("memory", prediction.process))
        }
        data["extrapolated"] = list(prediction.outside)
    return data


def as_text(asked: Asked, found: Answer) -> str:
    """The answer for people."""
    scaled = found.within.scaled
    by = f", in multiples of {scaled.align}" if scaled.align else ""
    by += f", fit {scaled.fit} ({scaled.fit_quality})" if scaled.fit else ""
    limits = " and ".join(f"{shown(name, limit)} of {NAMES[name]}" for name, limit in asked.limits.items())
    method = meant(asked.method, asked.align)[0]
    lines = [
        f"{asked.architecture} on {asked.dataset}: {method} with at most {limits}{by}",
        f"widths  {' '.join(map(str, scaled.widths))}",
        f"params  {scaled.params:,}",
        f"MACs    {scaled.macs:,}",
        *predicted(found),
        *_rounds(asked, found),
        *([] if found.played else [f"budget  {NAMES[found.within.tightest]} {1 + scaled.error:.1%} used"]),
        f"distance from the direction {found.within.distance:.1%} a layer",
    ]
    return "\n".join(lines)


def _rounds(asked: Asked, found: Answer) -> list[str]:
    if not found.played:
        return []
    used = found.played[-1].used(asked.limits)
    lines = [f"round   {line}" for each in found.played for line in told(asked, each)]
    return [*lines, f"measured in {len(found.played)} rounds: {used:.1%} of the budget used"]


def predicted(found: Answer) -> list[str]:
    """What the model says, each with its interval."""
    if found.prediction is None:
        return []
    lines = [
        f"{label}{shown(name, value)}, predicted {shown(name, low)} to {shown(name, high)}"
        for label, name, (value, low, high) in (
            ("latency ", "latency", found.prediction.latency),
            ("memory  ", "memory", found.prediction.process),
        )
    ]
    lines[0] += f" (95 %, profile {found.profile})"
    lines += [f"extrapolated: {reason}" for reason in found.prediction.outside]
    if found.emulated:
        lines.append(f"the profile is of an emulated CPU ({found.emulated}): it says nothing about a board")
    return lines


def shown(name: str, value: float) -> str:
    """A figure with its unit, where it has one."""
    value = float(value)
    if name == "latency":
        return f"{value * 1e3:.4g} ms"
    return f"{value / 1e6:.4g} MB" if name == "memory" else f"{value:,.0f}"
