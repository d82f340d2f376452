"""The answer of `bench scale --max-...`, for people and for scripts."""

from __future__ import annotations

import json
import math
from typing import Any

from bench.budget.command import NAMES, Asked, BudgetAnswer, round_lines, solve
from bench.cost import UNKNOWN, PredictedFigure, Prediction, Profile, number_or_none
from bench.manifests.methods import canonical
from bench.record.facts import NO_SETUP
from bench.scaling.budgets import shown

ON_DEVICE = ("latency", "memory")


def answer(asked: Asked, as_json: bool) -> str:
    """Return the text that answers, or JSON."""
    found = solve(asked)
    return json.dumps(as_data(asked, found)) if as_json else _as_text(asked, found)


def as_data(asked: Asked, found: BudgetAnswer) -> dict[str, Any]:
    """Return the answer for scripts, in base units."""
    scaled = found.within.scaled
    data: dict[str, Any] = {
        "architecture": asked.architecture,
        "dataset": asked.dataset,
        "method": canonical(asked.method, asked.align)[0],
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
        "profile": None,
        "emulated": None,
    }
    if found.chosen is not None:
        close = found.chosen.enough(asked.limits)
        data |= {"used": found.chosen.used(asked.limits), "close": close, "why": None if close else found.why}
    data["rounds"] = [
        {
            "widths": each.guess.scaled.widths,
            "guessed": {name: number_or_none(each.guess.figures[name]) for name in ON_DEVICE},
            "measured": {name: getattr(each.measured, name).data() for name in ON_DEVICE},
            "p50": number_or_none(each.measured.p50),
        }
        for each in found.played
    ]
    if found.prediction is not None and found.profile is not None:
        data |= prediction_data(found.prediction, found.profile)
    return data


def prediction_data(prediction: Prediction, profile: Profile) -> dict[str, Any]:
    """Return a profile's prediction in base units, and what sets it apart from a measurement."""
    figures = {name: each.data() for name, each in _limited(prediction).items()}
    where = {"profile": profile.name, "emulated": profile.emulated}
    return {**where, "predicted": figures, "extrapolated": list(prediction.outside)}


def _as_text(asked: Asked, found: BudgetAnswer) -> str:
    """Return the answer for people."""
    scaled = found.within.scaled
    by = f", in multiples of {scaled.align}" if scaled.align else ""
    by += f", fit {scaled.fit} ({scaled.fit_quality})" if scaled.fit else ""
    limits = " and ".join(f"{shown(name, limit)} of {NAMES[name]}" for name, limit in asked.limits.items())
    method = canonical(asked.method, asked.align)[0]
    predicted: list[str] = []
    if found.prediction is not None and found.profile is not None:
        predicted = prediction_lines(found.prediction, found.profile)
    lines = [
        f"{asked.architecture} on {asked.dataset}: {method} with at most {limits}{by}",
        f"widths  {' '.join(map(str, scaled.widths))}",
        f"params  {scaled.params:,}",
        f"MACs    {scaled.macs:,}",
        *predicted,
        *_rounds(asked, found),
        *([] if found.played else [f"budget  {NAMES[found.within.tightest]} {1 + scaled.error:.1%} used"]),
        f"distance from the direction {found.within.distance:.1%} a layer",
    ]
    return "\n".join(lines)


def _rounds(asked: Asked, found: BudgetAnswer) -> list[str]:
    if found.chosen is None:
        return []
    lines = [f"round   {line}" for each in found.played for line in round_lines(asked, each)]
    number = 1 + found.played.index(found.chosen)
    used = found.chosen.used(asked.limits)
    lines.append(f"answer  of round {number} of {len(found.played)}: {used:.1%} of the budget used")
    if not found.chosen.enough(asked.limits):
        lines.append(f"no network was measured nearer to the budget: {found.why}")
    return lines


def _limited(prediction: Prediction) -> dict[str, PredictedFigure]:
    """The quantities that budgets are of."""
    return {"latency": prediction.latency, "memory": prediction.process}


def _predicted(name: str, estimate: PredictedFigure) -> str:
    if math.isnan(estimate.value):
        return UNKNOWN
    value, low, high = (shown(name, each) for each in estimate)
    return f"{value}, predicted {low} to {high}"


def prediction_lines(prediction: Prediction, profile: Profile) -> list[str]:
    """Return a profile's prediction, each figure with its interval, and its reservations."""
    lines = [f"{name:<8}{_predicted(name, each)}" for name, each in _limited(prediction).items()]
    lines[0] += f" (95 %, profile {profile.name})"
    lines += [f"extrapolated: {reason}" for reason in prediction.outside]
    if profile.environment.setup is None:
        lines.append(f"profile {profile.name} {NO_SETUP}")
    if profile.emulated:
        lines.append(f"the profile is of an emulated CPU ({profile.emulated}): this is no figure of a board")
    return lines
