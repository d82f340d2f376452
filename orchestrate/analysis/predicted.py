"""Networks judged by what profiles predict of them: marked, and never mixed with what was measured."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from bench.record import facts
from bench.record.types import Json
from orchestrate.analysis import setups, turns
from orchestrate.analysis.frame import Frame, Row
from orchestrate.analysis.job import stated_of
from orchestrate.analysis.recommend import FAILS, FITS, RISK, ModelLimits
from orchestrate.quantities import counted

Accuracies = dict[tuple[str, str], float]
LATENCY, MEMORY = "latency", "memory"
MOST = 20  # lines about predictions of other environments
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
            found.setdefault(row["model"], as_network(row))
    return list(found.values())


def as_network(row: Json) -> Json:
    """Return a row of the table as `bench predictions` reads it."""
    kept = {key: row[key] for key in ("architecture", "dataset")}
    return {"id": row["model"], **kept, "widths": list(row["widths"])}


def accuracies(table: Frame) -> Accuracies:
    """Return the best known accuracy of each network of a table, in percent, by network and precision.

    A row's accuracy is of the precision that ran, measured or stated, and says nothing of another. What is
    stated of the network in its file's precision counts where nothing that ran in it has an accuracy.
    """
    found: Accuracies = {}
    for model, precision, accuracy in table.keys(["model", "precision", "accuracy"]):
        if accuracy is not None:
            key = model, precision
            found[key] = max(accuracy, found.get(key, accuracy))
    for job in table["source"]:
        if (of := stated_of(job)) and (accuracy := job.model["accuracy"].get("value")) is not None:
            found.setdefault((job.model["id"], of), accuracy)
    return found


def accuracy_of(row: Json, known: Accuracies) -> float:
    """Return the accuracy of a predicted network in the precision of its profile; -inf where unknown."""
    return known.get((row["model"], row["precision"]), -math.inf)


def rows_predicted(table: Frame) -> list[Json]:
    """The rows whose model has a profile's prediction: few of thousands."""
    named = [place for place, job in enumerate(table["source"].tolist()) if job.model.get("predicted")]
    return table.take(named).rows()


def predicted_of(row: Row) -> Json | None:
    """Return what a profile of the row's own environment predicted of it; None where none did."""
    found: Json | None = row["source"].model.get("predicted")
    return found if found and is_of(row, found) else None


def is_of(row: Row, found: Json) -> bool:
    """Return whether a profile's answer is of the environment that measured the row."""
    return _of_device(row, found) and not environment_differences(row, found)


def _of_device(row: Row, found: Json) -> bool:
    """What a profile predicts is one inference of one image."""
    return bool(row["batch"] == 1 and all(row[key] == found[key] for key in SAME))


def environment_differences(row: Row, found: Json) -> list[str]:
    """Return what of a prediction's environment is not the record's, each as `version 1.32.0, not 1.33.0`.

    Older models name neither version nor CPU of their profile, or none of its options and power mode.
    """
    job = row["source"]
    seen = {
        **turns.machine(row["backend"], job.environment),
        "setup": setups.settings(job.options, job.environment),
    }
    return [*(["an emulated CPU"] if found.get("emulated") else []), *facts.differences(found, seen)]


def elsewhere(table: Frame) -> tuple[str, ...]:
    """Return a line for each profile that predicted for another environment than the one that measured.

    And one for each that does not know its setup.
    """
    found: Counter[tuple[str, str]] = Counter()
    for row in rows_predicted(table):
        predicted = row["source"].model["predicted"]
        if not _of_device(row, predicted):
            continue
        profile = f"profile {predicted['profile']}"
        if wrong := environment_differences(row, predicted):
            found[f"{profile} is of {'; '.join(wrong)} on {row['device']}", " not compared"] += 1
        elif predicted.get(facts.SETUP) is None:
            found[f"{profile} {facts.NO_SETUP}", ""] += 1
    return tuple(f"{a}: {counted(count, 'prediction')}{b}" for (a, b), count in found.most_common(MOST))


def rank(rows: Iterable[Json], limits: ModelLimits, accuracies: Accuracies) -> list[Predicted]:
    """Rank predictions: those that fit first; then the more accurate, then the faster.

    Emulated profiles predict no board.
    """
    judged = [Predicted(row, _verdict(row, limits, accuracies)) for row in rows if not row["emulated"]]
    order = {FITS: 0, RISK: 1, FAILS: 2}

    def key(each: Predicted) -> tuple[float, float, float]:
        return order[each.verdict], -accuracy_of(each.row, accuracies), each.row[LATENCY]["value"]

    return sorted(judged, key=key)


def _verdict(row: Json, limits: ModelLimits, accuracies: Accuracies) -> str:
    """By the whole prediction interval. What is limited and unknown does not fit, as for what is measured."""
    limited = ((LATENCY, limits.latency), (MEMORY, limits.memory))
    verdicts = [_of_limit(row[name], limit) for name, limit in limited if limit is not None]
    if limits.accuracy is not None and accuracy_of(row, accuracies) < limits.accuracy:
        verdicts.append(FAILS)
    if limits.energy is not None:
        verdicts.append(FAILS)
    return worst(verdicts)


def _of_limit(estimate: Json, limit: float) -> str:
    if estimate["value"] is None or estimate["low"] > limit:
        return FAILS
    return FITS if estimate["high"] <= limit else RISK


def worst(verdicts: Sequence[str]) -> str:
    """Return the verdict of several limits together."""
    return next((each for each in (FAILS, RISK) if each in verdicts), FITS)
