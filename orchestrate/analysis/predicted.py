"""Networks judged by what profiles predict of them: marked, and never mixed with what was measured."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from bench.record.types import Json
from orchestrate.analysis.frame import Frame
from orchestrate.analysis.recommend import FAILS, FITS, RISK, ModelLimits

LATENCY, MEMORY = "latency", "memory"
SAME = ("device", "backend", "precision", "threads")  # of job and profile


class Predicted(NamedTuple):
    """A network on the device and runtime of a profile. verdict: of the whole prediction interval."""

    row: Json
    verdict: str


def networks(table: Frame) -> list[Json]:
    """Return each network of a table once, as `bench predictions` reads it.

    A user's own files have no widths.
    """
    found: dict[str, Json] = {}
    for row in table.rows():
        if row["architecture"] and row["dataset"] and row["widths"]:
            found.setdefault(row["model"], network(row))
    return list(found.values())


def network(row: Json) -> Json:
    """Return a row of the table as `bench predictions` reads it."""
    kept = {key: row[key] for key in ("architecture", "dataset")}
    return {"id": row["model"], **kept, "widths": list(row["widths"])}


def accuracies(table: Frame) -> dict[str, float]:
    """Return the best known accuracy of each network of a table, in percent."""
    found: dict[str, float] = {}
    for model, accuracy in zip(table["model"].tolist(), table["accuracy"].tolist(), strict=True):
        if not math.isnan(accuracy):
            found[model] = max(accuracy, found.get(model, accuracy))
    return found


def rows_predicted(table: Frame) -> list[Json]:
    """The rows whose model has a profile's prediction: few of thousands."""
    named = [place for place, job in enumerate(table["source"].tolist()) if job.model.get("predicted")]
    return table.take(named).rows()


def predicted_of(row: Mapping[Any, Any]) -> Json | None:
    """Return what a profile of the row's own device and runtime predicted of it; None where none did."""
    found: Json | None = row["source"].model.get("predicted")
    return found if found and all(row[key] == found[key] for key in SAME) else None


def rank(rows: Iterable[Json], limits: ModelLimits, accuracies: dict[str, float]) -> list[Predicted]:
    """Rank predictions: those that fit first; then the more accurate, then the faster.

    Emulated profiles predict no board.
    """
    judged = [Predicted(row, _verdict(row, limits, accuracies)) for row in rows if not row["emulated"]]
    order = {FITS: 0, RISK: 1, FAILS: 2}

    def key(each: Predicted) -> tuple[float, float, float]:
        known = accuracies.get(each.row["model"], float("-inf"))
        return order[each.verdict], -known, each.row[LATENCY]["value"]

    return sorted(judged, key=key)


def _verdict(row: Json, limits: ModelLimits, accuracies: Mapping[str, float]) -> str:
    """By the whole prediction interval. What is limited and unknown does not fit, as for what is measured."""
    verdicts = [
        FITS if row[name]["high"] <= limit else RISK if row[name]["low"] <= limit else FAILS
        for name, limit in ((LATENCY, limits.latency), (MEMORY, limits.memory))
        if limit is not None
    ]
    if limits.accuracy is not None and accuracies.get(row["model"], -math.inf) < limits.accuracy:
        verdicts.append(FAILS)
    if limits.energy is not None:
        verdicts.append(FAILS)
    return worst(verdicts)


def worst(verdicts: Sequence[str]) -> str:
    """Return the verdict of several limits together."""
    return next((each for each in (FAILS, RISK) if each in verdicts), FITS)
