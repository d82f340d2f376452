"""One tidy table: a row a job, a column a figure, base units.

Intervals are the columns `_low` and `_high`.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.manifests import methods
from bench.record.types import macs_of_inference
from orchestrate.analysis import memory, statistics
from orchestrate.analysis.configuration import Configuration
from orchestrate.analysis.frame import Frame
from orchestrate.analysis.job import MeasuredJob, flat, stated_of
from orchestrate.analysis.records import Study
from orchestrate.quantities import number

CONFIGURATION = list(Configuration.__annotations__)
MODEL = ["architecture", "dataset", "method", "ratio", "ratio_of", "align", "fit", "fit_quality", "widths"]
SIZES = ["params", "macs"]
STAND_IN = "stand-in"


TOP1, TOP5 = "top1", "top5"
MEASURED = "measured on the device"  # as opposed to what the bundle states
ACCURACY = [
    *[
        "accuracy",
        "accuracy_low",
        "accuracy_high",
        "accuracy_std",
        "accuracy_source",
        "accuracy_seeds",
        "accuracy_reference",
    ],
    *["accuracy_images", "accuracy_stated", "accuracy_stated_source", "accuracy_difference"],
    *[
        "accuracy_kind",
        "accuracy_within",
        "accuracy_epoch",
        "accuracy_best",
        "accuracy_recipe",
        "weights_recipe",
    ],
    *["accuracy_metric", "judged_by"],
]
RANGED = ["latency", *memory.DEFINITIONS]  # each with `_low` and `_high` beside it
PLAIN = ["p90", "p99", "mean", "best", "samples", "processes", "energy", "file_bytes"]
STARTING = ("load", "cold_load", "first", "cold_first", "steady", "cold_steady")  # fields of a job
PLAIN += STARTING
FIELDS = {  # columns that are fields of a job
    **{name: name for name in (*CONFIGURATION, "run", "p90", "p99", "mean", "best")},
    "job": "id",
    "samples": "n",
}
COLUMNS = [
    *CONFIGURATION,
    *["model", "job", "run"],
    *MODEL,
    *SIZES,
    *ACCURACY,
    *[f"{name}{end}" for name in RANGED for end in ("", "_low", "_high")],
    *PLAIN,
    *["warnings", "record", "source"],
]


HEADLINES = {
    "p50": "latency",
    "p90": "p90",
    "process": memory.PROCESS,
    "model": memory.MODEL,
    "peak": memory.PEAK,
    **{name: name for name in STARTING},
}


def headlines(row: Mapping[Any, Any]) -> dict[str, float | None]:
    """Return a job's figures as JSON gives them: s and bytes, None where unknown."""
    return {name: None if np.isnan(row[key]) else float(row[key]) for name, key in HEADLINES.items()}


def tidy(study: Study) -> Frame:
    """Return the jobs of `study`, sorted; seconds, bytes, percent, joule.

    Unknown figures are NaN, unknown names ''.
    """
    found = columns(study.jobs)
    found["judged_by"] = _judged_by(found)
    frame = Frame({name: found.get(name, ()) for name in COLUMNS})
    order = [
        "device",
        "backend",
        "precision",
        "threads",
        "batch",
        "architecture",
        "dataset",
        "ratio_of",
        "ratio",
        "method",
        "align",
        "model",
    ]
    return frame.sorted_by(order)


def _judged_by(found: Mapping[str, Sequence[Any]]) -> list[str]:
    """`top-5` where others of the data set have their accuracy by top-1: the two are ranked apart."""
    pairs = list(zip(found.get("dataset", ()), found.get("accuracy_metric", ()), strict=True))
    known = set(pairs)
    return ["top-5" if metric == TOP5 and (dataset, TOP1) in known else "" for dataset, metric in pairs]


def row(job: MeasuredJob) -> dict[str, Any]:
    """Return one line of the table."""
    return {key: values[0] for key, values in columns([job]).items()}


def columns(jobs: Sequence[MeasuredJob]) -> dict[str, Any]:
    """Return the table by column, in the order of `jobs`; every figure of all jobs at once."""
    if not jobs:
        return {}
    found: dict[str, Any] = _stated(jobs)
    latency = statistics.of_process_rows(by_process([job.p50s for job in jobs]))
    found |= dict(zip(("latency", "latency_low", "latency_high"), latency, strict=True))
    for name, sizes in zip(memory.DEFINITIONS, _sizes(jobs), strict=True):
        found[name], found[f"{name}_low"], found[f"{name}_high"] = statistics.of_process_rows(sizes)
    watts = np.array([_number(job.power) for job in jobs])
    return {**found, "energy": watts * found["latency"]}


def by_process(values: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """Return (jobs, processes), NaN where a job has fewer."""
    counts = np.fromiter(map(len, values), dtype=int, count=len(values))
    found = np.full((len(values), counts.max(initial=1)), np.nan)
    known = np.arange(found.shape[1]) < counts[:, None]
    found[known] = np.fromiter(chain.from_iterable(values), dtype=float, count=counts.sum())
    return found


def _sizes(jobs: Sequence[MeasuredJob]) -> NDArray[np.float64]:
    """Return bytes as (memory.DEFINITIONS, jobs, processes), NaN where a job has fewer processes."""
    sizes = [job.sizes for job in jobs]
    counts = np.array([each.shape[1] for each in sizes])
    found = np.full((len(memory.DEFINITIONS), len(jobs), counts.max(initial=1)), np.nan)
    found[:, np.arange(found.shape[2]) < counts[:, None]] = np.concatenate(sizes, axis=1)
    return found


def _stated(jobs: Sequence[MeasuredJob]) -> dict[str, Any]:
    """What needs no interval over processes."""
    facts = _of_models({id(job.model): job.model for job in jobs})
    names = list(facts[id(jobs[0].model)])
    of_model = zip(*(map(facts[id(job.model)].__getitem__, names) for job in jobs), strict=True)
    found: dict[str, Any] = {name: list(values) for name, values in zip(names, of_model, strict=True)}
    for place, accuracy in _of_jobs(jobs):
        for key, value in accuracy.items():
            found[key][place] = value
    fields = zip(*map(attrgetter(*FIELDS.values()), jobs), strict=True)  # each job once: they are far apart
    found |= {name: list(values) for name, values in zip(FIELDS, fields, strict=True)}
    starts = zip(*map(attrgetter(*STARTING), jobs), strict=True)
    found |= {
        name: statistics.of_process_rows(by_process(each))[0]
        for name, each in zip(STARTING, starts, strict=True)
    }
    return found | {
        "model": [job.model["id"] for job in jobs],
        "processes": [len(job.processes) for job in jobs],
        "warnings": [" ".join(job.warnings) for job in jobs],
        "record": [f"{job.run}/{job.device}/{job.file}" for job in jobs],
        "source": jobs,
    }


def _of_jobs(jobs: Sequence[MeasuredJob]) -> Iterator[tuple[int, dict[str, Any]]]:
    """The accuracy of the jobs whose model does not tell it alone: measured, or of another precision."""
    known: dict[tuple[int, str], dict[str, Any]] = {}
    for place, job in enumerate(jobs):
        of = stated_of(job)
        if not (job.accuracy or of):
            continue
        stated = _named(job.model)
        if job.accuracy:
            yield place, _accuracy(stated, job.accuracy, of)
        else:
            key = id(job.model), of
            yield place, known.get(key) or known.setdefault(key, _accuracy(stated, None, of))


def _of_models(models: Mapping[int, dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """What `_model` returns for each, once for those that are equal: a few, which many jobs share."""
    found: dict[int, dict[str, Any]] = {}
    known: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {}
    for key, model in models.items():
        before, facts = known.get(model["id"], ({}, {}))
        found[key] = facts if before == model else _model(model)
        known[model["id"]] = model, found[key]
    return found


def _model(model: dict[str, Any]) -> dict[str, Any]:
    """Names as text, numbers as numbers: a user's own file has neither architecture nor method."""
    names = {key: model.get(key) or "" for key in ("architecture", "dataset", "ratio_of", "fit")}
    names["method"], align = methods.canonical(model.get("method") or "", model.get("align"))
    numbers = {key: _number(model.get(key)) for key in ("ratio", "params")}
    numbers["macs"] = _number(macs_of_inference(model))
    widths = tuple(model.get("widths") or ())
    fit = {"fit_quality": fit_quality(model), "align": align or 1, "widths": widths}
    stated = _accuracy(_named(model), None)
    weights = {"weights_recipe": _recipe(model.get("weights_recipe"))}
    return {**names, **numbers, **fit, **stated, **weights, "file_bytes": _number(model.get("bytes"))}


def fit_quality(model: dict[str, Any]) -> str:
    """Return `published`, `searched` or `stand-in`; '' where no fit was used, or nobody knows.

    Records before fits had a quality name their fit: those searched on digits at 16 pixels are stand-ins.
    """
    known, fit = model.get("fit_quality"), model.get("fit") or ""
    return str(known or (STAND_IN if fit.endswith("-digits-reduced") else ""))


def _accuracy(stated: dict[str, Any] | None, measured: dict[str, Any] | None, of: str = "") -> dict[str, Any]:
    """Percent, its standard deviation over seeds, and its source; NaN and '' where there is none.

    What the device measured comes before what the bundle states (`_stated`), and the difference is reported.
    of: `stated_of`. An accuracy of another precision than the one that ran is shown in words and is no
    figure of this row: no limit, ratio or rank knows it.
    """
    if of and stated:
        found = _accuracy({**stated, "name": f"{stated['name']}, of the {of} network"}, measured)
        figure = f"of the {of} network: {number(stated.get('value'))} ({stated['name']})"
        unknown = {} if measured else {**_accuracy(None, None), "accuracy_source": figure}
        return {**found, **unknown, "accuracy_stated": np.nan, "accuracy_best": np.nan}
    top5 = ", top-5" if (measured or {}).get("metric") == TOP5 else ""
    known = {**measured, "name": MEASURED + top5} if measured else stated or {}
    metric, other_metric = known.get("metric") or TOP1, (stated or {}).get("metric") or TOP1
    value, other = _number(known.get("value")), _number((stated or {}).get("value"))
    std = _number(known.get("std"))
    seeds = statistics.of_seeds(value, std, known.get("seeds") or 0)
    return {
        **_with_interval("accuracy", statistics.of_share(value, known.get("n") or 0) if measured else seeds),
        "accuracy_std": std,
        "accuracy_source": known.get("name") or "",
        "accuracy_seeds": known.get("seeds") or 0,
        "accuracy_reference": known.get("reference") or "",
        "accuracy_images": _number(known.get("n")),
        "accuracy_stated": other,
        "accuracy_stated_source": (stated or {}).get("name") or "",
        "accuracy_kind": (stated or {}).get("source") or "",
        "accuracy_within": (stated or {}).get("within", np.nan),
        "accuracy_recipe": _recipe((stated or {}).get("recipe")) or (stated or {}).get("reference") or "",
        "accuracy_difference": value - other if measured and metric == other_metric else np.nan,
        "accuracy_metric": "" if np.isnan(value) else metric,
        **_epoch(stated or {}),
    }


def _named(model: dict[str, Any]) -> dict[str, Any] | None:
    """What is stated of a model's accuracy, with its source in words, and how far the widths are apart."""
    stated = model.get("accuracy")
    if not stated:
        return None
    widths, trained = model.get("widths") or (), stated.get("widths") or ()
    known = len(widths) == len(trained)
    share = max((abs(a - b) / b for a, b in zip(widths, trained, strict=True)), default=0.0) if known else 0.0
    return {**stated, "name": f"{stated['source']}{within(share)}", "within": share}


def within(share: float) -> str:
    """Return `, of a network within 4.8 %` of the widths that were trained; '' where they are equal."""
    return f", of a network within {math.ceil(round(share * 1000, 6)) / 10:.1f} %" if share > 0 else ""


def _recipe(settings: dict[str, Any] | None) -> str:
    """How weights were trained, `batch 64; epochs 6`; '' where nobody knows."""
    return "; ".join(f"{key} {value}" for key, value in sorted(flat(settings or {})))


def _epoch(stated: dict[str, Any]) -> dict[str, Any]:
    """Which epoch a stated accuracy is of, and what it is at the best one.

    Files written before `epoch` was stated: published figures are of the best epoch, ours of the last.
    """
    usual = {"published": "best", "trained": "last"}.get(str(stated.get("source")), "")
    epoch = stated.get("epoch") or usual
    best = stated if epoch == "best" else stated.get("best") or {}
    return {"accuracy_epoch": epoch, "accuracy_best": _number(best.get("value"))}


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _with_interval(name: str, estimate: statistics.Estimate) -> dict[str, float]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
