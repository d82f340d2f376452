"""Records, reduced to what tables and plots need; every figure is recomputed here from the raw samples."""

import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.record import backends, loads
from bench.record.readings import Reading
from bench.record.types import Accuracy, Environment, Json, Model, OperatorProfile, Record
from orchestrate.analysis import builds, job_memory, latency, memory, samples, settling, statistics

NUMBERS = (int, float)


class Process(NamedTuple):
    """Latency of one fresh process: seconds. `blocks` are medians of consecutive twelfths, for the eye."""

    order: int
    started: str
    n: int
    p50: float
    length: float
    blocks: tuple[float, ...]


@dataclass(eq=False)
class MeasuredJob:
    """A valid record, which nobody changes. `steps`: median ladder, bytes.

    Not frozen: so many fields, each set past the lock, take a tenth of the time that its arithmetic takes.
    """

    file: str  # name of the record
    run: str
    device: str
    id: str
    model: Model
    backend: str
    precision: str
    threads: int
    batch: int
    processor: str
    processes: tuple[Process, ...]
    quantiles: tuple[float, ...]
    p90: float
    p99: float
    mean: float
    best: float
    n: int
    load: tuple[float, ...]  # s, one a replicate: from the file to a model that can run
    first: tuple[float, ...]  # s, one a replicate: its first inference
    steady: tuple[float, ...]  # s, one a replicate: from the start of the load to the first steady inference
    cold_load: tuple[float, ...]  # s, of the extra processes that loaded it from a file out of the page cache
    cold_first: tuple[float, ...]
    cold_steady: tuple[float, ...]
    sizes: NDArray[np.float64]  # bytes, (memory.DEFINITIONS, replicates); NaN where not of every process
    steps: tuple[float | None, ...]
    power: float | None
    accuracy: Accuracy | None  # of this very file on this device, where the bundle had a test set
    warnings: tuple[str, ...]
    options: Json  # of the backend
    environment: Environment
    started: str
    builds: tuple[int, ...] = ()  # each process's engine, where processes share one: then a replicate
    profile: OperatorProfile | None = None  # where the time goes, by the library's own profiler
    setup: str = ""  # which one, where records of several share a configuration's names (setups.py)

    @property
    def p50s(self) -> list[float]:
        """The median latency of each replicate, in seconds: a process, or the mean of those of one engine."""
        return builds.listed([process.p50 for process in self.processes], self.builds)

    @property
    def memory(self) -> dict[str, list[float]]:
        """Bytes under each definition that all its processes allow, one value a replicate."""
        rows = zip(memory.DEFINITIONS, self.sizes.tolist(), strict=True)
        return {key: sizes for key, sizes in rows if sizes and not math.isnan(sizes[0])}


class Taken(NamedTuple):
    """What a job is made of, taken from its record at once: the whole records of a batch are megabytes."""

    known: Json  # fields of MeasuredJob that need no arithmetic
    processes: Sequence[tuple[int, str]]  # order, started
    series: Sequence[samples.Packed]
    starts: Sequence[settling.Starts]
    readings: NDArray[np.float64]  # bytes, (processes x memory.ORDER, memory.READINGS)


def build(record: Record) -> MeasuredJob:
    """Return the job of one valid record; ValueError where its samples do not decode."""
    (job,) = _built([take(record)])
    return job


def build_all(taken: Sequence[Taken]) -> list[MeasuredJob | ValueError]:
    """Return the jobs of what was taken from records; the arithmetic of all together.

    A ValueError in place of a job whose samples do not decode.
    """
    if not taken:
        return []
    try:
        return list(_built(taken))
    except ValueError as error:
        return [error] if len(taken) == 1 else [job for each in taken for job in build_all([each])]


def take(record: Record, name: str = "") -> Taken:
    """Return what the job of a valid record is made of; ValueError where its samples do not decode.

    record: as `bench.record.schema` has validated it; name: of its file.
    """
    if (shape := loads.of(record["job"])) != loads.SINGLE:
        raise ValueError(f"a record of load {shape} is not one of a single stream: they are not pooled")
    entries = record["latency"]["processes"]
    series = [samples.packed(entry["samples"]) for entry in entries]
    if not series or not all(each.n for each in series):
        raise ValueError("no latency samples")
    processes = [(int(entry.get("order") or 0), str(entry.get("started") or "")) for entry in entries]
    readings = np.array(job_memory.readings(record["memory"]["rungs"]), dtype=float).reshape(
        -1, len(memory.READINGS)
    )
    return Taken(
        _known(record, name), processes, series, [settling.starts(entry) for entry in entries], readings
    )


def _known(record: Record, name: str) -> Json:
    job = record["job"]
    return {
        "file": name,
        "run": sys.intern(record["run"]),
        "device": sys.intern(record["device"]),
        "id": job["id"],
        "model": job["model"],
        "backend": sys.intern(job["backend"]),
        "precision": sys.intern(backends.arithmetic(job)),
        "threads": job["threads"],
        "batch": job["batch"],
        "processor": record["environment"].get("processor") or processor(job["backend"]),
        "builds": (shared := builds.shared(record["latency"]["processes"])),
        "load": _of_processes(record, "load_seconds", shared),
        "first": _of_processes(record, "first_seconds", shared),
        "cold_load": _of_some(record, "cold_load_seconds"),
        "cold_first": _of_some(record, "cold_first_seconds"),
        "power": _power(record.get("sensors") or []),
        "accuracy": record.get("accuracy"),
        "warnings": tuple(dict.fromkeys(sys.intern(each["code"]) for each in record["validity"]["warnings"])),
        "options": job.get("options") or {},
        "environment": record["environment"],
        "profile": record.get("profile"),
    }


def _built(taken: Sequence[Taken]) -> Iterator[MeasuredJob]:
    series = samples.several([packed for each in taken for packed in each.series])
    alone = latency.of_processes(series)
    parts, of_processes = iter(series), iter(alone)
    settled = settling.of_jobs([each.starts for each in taken], [each.p50 for each in alone], series)
    pooled = latency.of_records([np.concatenate([next(parts) for _ in each.series]) for each in taken])
    if any(figures.best <= 0 for figures in pooled):
        raise ValueError("a latency sample that is not above 0")
    memories = job_memory.of_jobs([each.readings for each in taken])
    for each, figures, sizes in zip(taken, pooled, memories, strict=True):
        processes = tuple(map(_process, each.processes, each.series, of_processes))
        started = min(process.started for process in processes)
        job = MeasuredJob(
            **each.known, **figures._asdict(), **next(settled)._asdict(),
            processes=processes, started=started, sizes=sizes.sizes, steps=sizes.steps,
        )  # fmt: skip
        job.warnings += sizes.warnings
        if job.builds:
            job.sizes = builds.means(job.sizes, job.builds)
            job.steady = tuple(builds.listed(job.steady, job.builds))
        yield job


def _process(begun: tuple[int, str], packed: samples.Packed, figures: latency.OfProcess) -> Process:
    order, started = begun
    return Process(order, started, packed.n, *figures)


def _of_processes(record: Record, key: str, shared: Sequence[int]) -> tuple[float, ...]:
    """A figure of every replicate; nothing where a process lacks it, as records before it was stored do."""
    values = [process.get(key) for process in record["latency"]["processes"]]
    known = [value for value in values if isinstance(value, NUMBERS)]
    return tuple(builds.listed(known, shared)) if len(known) == len(values) else ()


def _of_some(record: Record, key: str) -> tuple[float, ...]:
    """A figure of those processes that have it."""
    values = [process.get(key) for process in record["latency"]["processes"]]
    return tuple(value for value in values if isinstance(value, NUMBERS))


@cache
def processor(backend: str) -> str:
    """Return `gpu` or `cpu`, as a backend declares itself; '' for one that is not installed here.

    A claim about GPUs or CPUs is about it. Records before it was written have none of their own.
    """
    try:
        return backends.find(backend).device
    except ValueError:
        return ""


def inputs_of(model: Model, batch: int) -> str:
    """Return `batch 8, 8x3x32x32`: what one inference takes. Records before shapes were kept: the batch."""
    shapes = ["x".join(map(str, each.get("shape") or ())) for each in model.get("inputs") or ()]
    return ", ".join([f"batch {batch}", *shapes])


def _median(values: Iterable[float]) -> float | None:
    """Of those that are known; None where none is."""
    found = statistics.median(values)
    return None if math.isnan(found) else found


def _power(sensors: Sequence[Reading]) -> float | None:
    """Median watts over the readings during samples of all processes; None where there is none.

    Loading, warm-up, the test set and what comes between are other work.
    """
    timed = (reading.get("power") for reading in sensors if reading.get("timed") is True)
    watts = [value for value in timed if isinstance(value, NUMBERS)]
    return _median(watts)


def stated_of(job: MeasuredJob) -> str:
    """Return the precision of the network that a job's stated accuracy is of; '' where that is what ran."""
    of = str(job.model.get("precision") or "fp32")
    return of if job.model.get("accuracy") and of != job.precision else ""


def flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Return `{"cpu": {"model": "x"}}` as `[("cpu.model", "x")]`; null and empty values are left out."""
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in flat(inner, f"{prefix}{key}.")]
    if isinstance(value, list):
        return flat(", ".join(str(item) for item in value), prefix) if value else []
    return [] if value is None or value == "" else [(prefix.rstrip("."), str(value))]
