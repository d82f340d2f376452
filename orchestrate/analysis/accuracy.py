"""What is known of a job's accuracy: measured on the device, or stated by the bundle; never filled in."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bench.record import loaders
from bench.record.types import Json, Model
from orchestrate.analysis import statistics
from orchestrate.analysis.job import MeasuredJob, flat, stated_of
from orchestrate.quantities import number

TOP1, TOP5 = "top1", "top5"
MEASURED = "measured on the device"  # as opposed to what the bundle states
NONSENSE = "no accuracy: NaN or infinite outputs for all images on the device"
MEASURED_BY_TOP5 = f"{MEASURED}, top-5"
OTHER = "other_"  # columns of what a second source states of the same network
STATED = ("accuracy_stated", "accuracy_kind", "accuracy_within", "accuracy_recipe", "accuracy_epoch",
          "accuracy_best", "accuracy_stated_metric")  # fmt: skip
COLUMNS = [
    *["accuracy", "accuracy_low", "accuracy_high", "accuracy_std", "accuracy_source", "accuracy_seeds"],
    *["accuracy_reference", "accuracy_images", "accuracy_stated_source", "accuracy_difference"],
    *[f"{source}{name}" for source in ("", OTHER) for name in STATED],
    *["weights_recipe", "accuracy_metric"],
]


def measure_it(dataset: str) -> str:
    """Return what measures the accuracy of a network as it ran; '' where no loader reads its data set."""
    return loaders.command("`test_set: true` in the experiment measures it on the device", dataset)


def of_model(model: Model) -> Json:
    """Return COLUMNS as a bundle's model states them; NaN and '' where it states nothing."""
    return {**_columns(_named(model), None), "weights_recipe": _recipe(model.get("weights_recipe"))}


def of_jobs(jobs: Sequence[MeasuredJob]) -> Iterator[tuple[int, Json]]:
    """Yield place and columns of the jobs whose model does not tell them alone.

    Those whose accuracy was measured, and those that ran in another precision than what is stated is of.
    """
    known: dict[tuple[int, str], Json] = {}
    for place, job in enumerate(jobs):
        of = stated_of(job)
        if job.accuracy and job.accuracy["value"] is None and job.accuracy.get("non_finite"):
            yield place, {**_columns(None, None), "accuracy_source": NONSENSE}
        elif job.accuracy:
            yield place, _columns(_named(job.model), job.accuracy, of)
        elif of:
            key = id(job.model), of
            if key not in known:
                known[key] = _columns(_named(job.model), None, of)
            yield place, known[key]


def judged_by(found: Mapping[str, Sequence[Any]]) -> list[str]:
    """Return `top-5` where others of the data set have their accuracy by top-1: the two are ranked apart."""
    pairs = list(zip(found.get("dataset", ()), found.get("accuracy_metric", ()), strict=True))
    known = set(pairs)
    return ["top-5" if metric == TOP5 and (dataset, TOP1) in known else "" for dataset, metric in pairs]


def _columns(stated: Json | None, measured: Mapping[str, Any] | None, of: str = "") -> Json:
    """Percent, its standard deviation over seeds, and its source.

    What the device measured comes before what the bundle states, and the difference is reported. of:
    `stated_of`. An accuracy of another precision than the one that ran is shown in words and is no figure of
    this row: no limit, ratio or rank knows it.
    """
    if of and stated:
        found = _columns({**stated, "name": f"{stated['name']}, of the {of} network"}, measured)
        figure = f"of the {of} network: {number(stated.get('value'))} ({stated['name']})"
        unknown = {} if measured else {**_columns(None, None), "accuracy_source": figure}
        return {**found, **unknown, **_statement({}), **NO_OTHER}
    name = MEASURED_BY_TOP5 if (measured or {}).get("metric") == TOP5 else MEASURED
    known = {**measured, "name": name} if measured else stated or {}
    metric, other_metric = known.get("metric") or TOP1, (stated or {}).get("metric") or TOP1
    value, other = _number(known.get("value")), _number((stated or {}).get("value"))
    other_source = (stated or {}).get("other")
    seeds = statistics.of_seeds(value, _number(known.get("std")), known.get("seeds") or 0)
    interval = statistics.of_share(value, known.get("n") or 0) if measured else seeds
    return {
        "accuracy": interval.value,
        "accuracy_low": interval.low,
        "accuracy_high": interval.high,
        "accuracy_std": _number(known.get("std")),
        "accuracy_source": known.get("name") or "",
        "accuracy_seeds": known.get("seeds") or 0,
        "accuracy_reference": known.get("reference") or "",
        "accuracy_images": _number(known.get("n")),
        "accuracy_stated_source": (stated or {}).get("name") or "",
        "accuracy_difference": value - other if measured and metric == other_metric else np.nan,
        "accuracy_metric": "" if np.isnan(value) else metric,
        **_statement(stated or {}),
        **(_statement(other_source, OTHER) if other_source else NO_OTHER),
    }


def _statement(stated: Json, source: str = "") -> Json:
    """The columns STATED of one source.

    Files written before `epoch` was stated: published figures are of the best epoch, ours of the last.
    """
    kind = stated.get("source") or ""
    epoch = stated.get("epoch") or {"published": "best", "trained": "last"}.get(kind, "")
    best = stated if epoch == "best" else stated.get("best") or {}
    recipe = _recipe(stated.get("recipe")) or stated.get("reference") or ""
    values = (_number(stated.get("value")), kind, stated.get("within", np.nan), recipe, epoch,
              _number(best.get("value")), stated.get("metric") or TOP1)  # fmt: skip
    return {f"{source}{name}": value for name, value in zip(STATED, values, strict=True)}


def _named(model: Model) -> Json | None:
    """What is stated of a model's accuracy, its source in words, and how far the widths are apart."""
    stated: Mapping[str, Any] | None = model.get("accuracy")
    if not stated:
        return None
    share, other = _apart(model, stated), stated.get("other")
    other = {**other, "within": _apart(model, other)} if other else None
    return {**stated, "name": f"{stated['source']}{within(share)}", "within": share, "other": other}


def _apart(model: Model, stated: Mapping[str, Any]) -> float:
    """The largest difference between a width and that of the network that was trained, as a share of it."""
    widths, trained = model.get("widths") or (), stated.get("widths") or ()
    if len(widths) != len(trained):
        return 0.0
    return max((abs(a - b) / b for a, b in zip(widths, trained, strict=True)), default=0.0)


def within(share: float) -> str:
    """Return `, of a network within 4.8 %` of the widths that were trained; '' where they are equal."""
    return f", of a network within {math.ceil(round(share * 1000, 6)) / 10:.1f} %" if share > 0 else ""


def _recipe(settings: Json | None) -> str:
    """How weights were trained, `batch 64; epochs 6`; '' where nobody knows."""
    return "; ".join(f"{key} {value}" for key, value in sorted(flat(settings))) if settings else ""


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


NO_OTHER = _statement({}, OTHER)  # of most models: made once, as a report has thousands
