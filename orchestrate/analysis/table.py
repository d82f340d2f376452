"""One tidy table: a row a job, a column a figure, base units.

Intervals are the columns `_low` and `_high`.
"""

from collections.abc import Mapping, Sequence
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.manifests import methods
from bench.record.types import Model, macs_of_inference
from orchestrate.analysis import accuracy, memory, statistics
from orchestrate.analysis.configuration import Configuration
from orchestrate.analysis.frame import Frame
from orchestrate.analysis.job import MeasuredJob
from orchestrate.analysis.records import Study

CONFIGURATION = list(Configuration.__annotations__)
MODEL = ["architecture", "dataset", "method", "ratio", "ratio_of", "align", "fit", "fit_quality", "widths"]
SIZES = ["params", "macs"]
STAND_IN = "stand-in"


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
    *accuracy.COLUMNS,
    "judged_by",
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
    found["judged_by"] = accuracy.judged_by(found)
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
    for place, known in accuracy.of_jobs(jobs):
        for key, value in known.items():
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


def _of_models(models: Mapping[int, Model]) -> dict[int, dict[str, Any]]:
    """What `_model` returns for each, once for those that are equal: a few, which many jobs share."""
    found: dict[int, dict[str, Any]] = {}
    known: dict[str, tuple[Model | None, dict[str, Any]]] = {}
    for key, model in models.items():
        before, facts = known.get(model["id"], (None, {}))
        found[key] = facts if before == model else _model(model)
        known[model["id"]] = model, found[key]
    return found


def _model(model: Model) -> dict[str, Any]:
    """Names as text, numbers as numbers: a user's own file has neither architecture nor method."""
    method, align = methods.canonical(model.get("method") or "", model.get("align"))
    return {
        "architecture": model.get("architecture") or "",
        "dataset": model.get("dataset") or "",
        "method": method,
        "ratio": _number(model.get("ratio")),
        "ratio_of": model.get("ratio_of") or "",
        "params": _number(model.get("params")),
        "macs": _number(macs_of_inference(model)),
        "fit": model.get("fit") or "",
        "fit_quality": fit_quality(model),
        "align": align or 1,
        "widths": tuple(model.get("widths") or ()),
        "file_bytes": _number(model.get("bytes")),
        **accuracy.of_model(model),
    }


def fit_quality(model: Model) -> str:
    """Return `published`, `searched` or `stand-in`; '' where no fit was used, or nobody knows.

    Records before fits had a quality name their fit: those searched on digits at 16 pixels are stand-ins.
    """
    known, fit = model.get("fit_quality"), model.get("fit") or ""
    return str(known or (STAND_IN if fit.endswith("-digits-reduced") else ""))


def _number(value: float | None) -> float:
    return np.nan if value is None else float(value)
