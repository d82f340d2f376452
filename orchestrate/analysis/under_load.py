"""Records of the load shapes offline and paced: their figures, never pooled with those of a single stream."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bench.record import backends, loads, schema
from bench.record.measured import ProcessLatency
from bench.record.types import Environment, Json, Model, Record
from orchestrate.analysis import builds, statistics
from orchestrate.analysis.frame import Frame
from orchestrate.analysis.job import processor
from orchestrate.analysis.samples import seconds
from orchestrate.quantities import number

SHARED = [
    *["device", "backend", "precision", "threads", "batch", "setup", "model", "job", "run", "processes"],
    *["samples", "p99", "warnings"],
]
OFFLINE = [*SHARED, "streams", "throughput", "throughput_low", "throughput_high", "latency"]
PACED = [
    *SHARED,
    *["rate", "latency", "latency_low", "latency_high", "response", "response_low", "response_high"],
    *["misses", "missed"],
]
FIGURES = {
    loads.OFFLINE: ("throughput", "latency", "p99"),
    loads.PACED: ("latency", "response", "p99", "misses", "missed"),
}


@dataclass(frozen=True)
class LoadedJob:
    """A valid record under load. `figures`: columns of OFFLINE or PACED; base units, images a second.

    `of_processes`: figure -> a value a replicate (builds.py), the one first by which two records of the job
    agree.
    """

    file: str  # name of the record
    run: str
    device: str
    id: str
    load: str
    started: str
    model: Model
    backend: str
    precision: str
    threads: int
    batch: int
    processor: str
    options: Json  # of the backend
    environment: Environment
    figures: Json
    of_processes: Mapping[str, Sequence[float]]
    setup: str = ""  # as MeasuredJob's

    @property
    def p50s(self) -> list[float]:
        """The figure of each process that decides whether two records of the job agree."""
        return list(next(iter(self.of_processes.values())))


def build(record: Record, name: str = "") -> LoadedJob:
    """Return the job of a valid record of load offline or paced.

    record: as `bench.record.schema` has validated it; name: of its file. ValueError for a single stream, and
    for series that do not hold together.
    """
    job, shape = record["job"], loads.of(record["job"])
    if shape == loads.SINGLE:
        raise ValueError("a record of a single stream is none under load")
    if found := schema.problems(record):
        raise ValueError(f"{found[0].path} {found[0].reason}")
    processes = record["latency"]["processes"]
    own, of_processes = (
        _offline(processes, job["batch"])
        if shape == loads.OFFLINE
        else _paced(processes, job["load"]["rate"])
    )
    names: Json = {key: job[key] for key in ("backend", "threads", "batch")}
    names["precision"] = backends.arithmetic(job)
    codes = dict.fromkeys(each["code"] for each in record["validity"]["warnings"])
    shared = builds.shared(processes)
    of_processes = {name: builds.listed(values, shared) for name, values in of_processes.items()}
    own |= {
        key: value for name, values in of_processes.items() for key, value in _ranged(name, values).items()
    }
    figures = {
        "device": record["device"], "model": job["model"]["id"], "job": job["id"], "run": record["run"],
        "processes": len(processes), "warnings": " ".join([*codes, own["saturated"]]).strip(), **names, **own,
    }  # fmt: skip
    started = min(str(process.get("started") or "") for process in processes)
    return LoadedJob(
        file=name, run=record["run"], device=record["device"], id=job["id"], load=shape, started=started,
        model=job["model"], **names, options=job.get("options") or {}, environment=record["environment"],
        processor=record["environment"].get("processor") or processor(job["backend"]),
        figures=figures, of_processes=of_processes,
    )  # fmt: skip


Own = tuple[Json, dict[str, list[float]]]  # figures of a job, and of each of its processes


def _offline(processes: Sequence[ProcessLatency], batch: int) -> Own:
    """Throughput: images of all streams in the time of the slowest, geometric mean over processes."""
    durations = [seconds(process["samples"]) for process in processes]
    rates = [batch * len(each) / p["seconds"] for each, p in zip(durations, processes, strict=True)]
    ordered = np.sort(np.concatenate(durations))
    return {
        "saturated": "", "streams": processes[0]["streams"],
        "latency": float(np.median(ordered)), "p99": float(statistics.early_stopping(ordered, 0.99)),
        "samples": len(ordered),
    }, {"throughput": rates}  # fmt: skip


def _paced(processes: Sequence[ProcessLatency], rate: float) -> Own:
    """Its own time and the time from due to answered; a deadline is missed when the next request is due.

    Where requests come faster than they are answered the queue grows as long as the plan lets it: then the
    response and its percentiles are of the plan, not of the model, and unknown.
    """
    service = [seconds(process["samples"]) for process in processes]
    response = [seconds(process["response"]) for process in processes]
    ordered = np.sort(np.concatenate(response))
    misses = int((ordered > 1 / rate).sum())
    own, answered = ([float(np.median(each)) for each in series] for series in (service, response))
    slowest, p99 = max(own), float(statistics.early_stopping(ordered, 0.99))
    if slowest > 1 / rate:
        answered, p99 = [math.nan] * len(own), math.nan
    return {
        "saturated": f"saturated: at most {number(1 / slowest)}/s" if slowest > 1 / rate else "",
        "rate": rate, "p99": p99, "samples": len(ordered),
        "misses": misses, "missed": misses / len(ordered),
    }, {"latency": own, "response": answered}  # fmt: skip


def _ranged(name: str, values: list[float]) -> Json:
    found = statistics.of_processes(values)
    return {f"{name}{end}": value for end, value in zip(("", "_low", "_high"), found[:3], strict=True)}


def frame(jobs: Iterable[LoadedJob], load: str) -> Frame:
    """Return one row a job of that load; base units."""
    names = OFFLINE if load == loads.OFFLINE else PACED
    made = Frame.of_rows([{**job.figures, "setup": job.setup} for job in jobs if job.load == load], names)
    return made.sorted_by(["device", "backend", "precision", "threads", "batch", "setup", "model"])


def headlines(job: LoadedJob) -> dict[str, float | None]:
    """Return a job's figures as JSON gives them; None where unknown."""
    values = {name: float(job.figures[name]) for name in FIGURES[job.load]}
    return {name: value if np.isfinite(value) else None for name, value in values.items()}
