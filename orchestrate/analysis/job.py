"""One record, reduced to what tables and plots need; every figure is recomputed here from the raw samples."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.record import loads
from orchestrate.analysis import memory, statistics
from orchestrate.analysis.samples import seconds

Json = dict[str, Any]
QUANTILES = (0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99)
DRIFT_BLOCKS = 12  # medians kept of each process, in order of time
GPU_BACKENDS = ("tensorrt", "cuda")


@dataclass(frozen=True)
class Process:
    """Latency of one fresh process: seconds. `blocks` are medians of consecutive twelfths, for the eye."""

    order: int
    started: str
    p50: float
    n: int
    length: float
    blocks: tuple[float, ...]


@dataclass(frozen=True)
class Job:
    """A valid record. `memory`: bytes, one value a process, under each definition; `steps`: median ladder."""

    path: Path
    run: str
    device: str
    id: str
    model: Json
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
    load: tuple[float, ...]  # s, one a process: from the file to a model that can run
    first: tuple[float, ...]  # s, one a process: its first inference
    cold_load: tuple[float, ...]  # s, of the extra processes that loaded it from a file out of the page cache
    memory: dict[str, tuple[float, ...]]
    steps: tuple[float | None, ...]
    power: float | None
    accuracy: Json | None  # of this very file on this device, where the bundle had a test set
    warnings: tuple[str, ...]
    environment: Json
    started: str
    profile: Json | None = None  # where the time goes, by the library's own profiler

    @property
    def p50s(self) -> list[float]:
        """The median latency of each process, in seconds."""
        return [process.p50 for process in self.processes]


def build(record: Mapping[str, Any], path: Path) -> Job:
    """The job of a valid record.

    record: as `bench.record.schema` has validated it. ValueError where its samples do not decode.
    """
    job, environment = record["job"], record.get("environment") or {}
    if loads.of(job) != loads.SINGLE:
        raise ValueError(
            f"a record of load {loads.of(job)} is not one of a single stream: they are not pooled"
        )
    decoded = [seconds(process["samples"]) for process in record["latency"]["processes"]]
    pooled = np.concatenate(decoded) if decoded else np.empty(0)
    if not len(pooled) or pooled.min() <= 0:
        raise ValueError("no latency samples, or one that is not above 0")
    pairs = zip(record["latency"]["processes"], decoded, strict=True)
    processes = tuple(_process(entry, samples) for entry, samples in pairs if len(samples))
    ladder = ladders(record["memory"]["rungs"])
    ordered = np.sort(pooled)
    return Job(
        path=path,
        run=record["run"],
        device=record["device"],
        id=job["id"],
        model=job["model"],
        backend=job["backend"],
        precision=job["precision"],
        threads=job["threads"],
        batch=job["batch"],
        processor=processor(job),
        processes=processes,
        quantiles=_quantiles(ordered),
        p90=statistics.early_stopping(ordered, 0.90),
        p99=statistics.early_stopping(ordered, 0.99),
        mean=float(pooled.mean()),
        best=float(ordered[0]),
        n=len(pooled),
        load=_of_processes(record, "load_seconds"),
        first=_of_processes(record, "first_seconds"),
        cold_load=_of_some(record, "cold_load_seconds"),
        memory=_memory(ladder),
        steps=_median_steps(ladder),
        power=_power(record.get("sensors") or []),
        accuracy=record.get("accuracy"),
        warnings=tuple(dict.fromkeys(each["code"] for each in record["validity"]["warnings"])),
        environment=environment,
        started=min(process.started for process in processes),
        profile=record.get("profile"),
    )


def _of_processes(record: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """A figure of every process; nothing where one lacks it, as records before it was stored do."""
    values = [process.get(key) for process in record["latency"]["processes"]]
    return tuple(values) if all(isinstance(value, int | float) for value in values) else ()


def _of_some(record: Mapping[str, Any], key: str) -> tuple[float, ...]:
    """A figure of those processes that have it."""
    values = [process.get(key) for process in record["latency"]["processes"]]
    return tuple(value for value in values if isinstance(value, int | float))


def _quantiles(ordered: NDArray[np.float64]) -> tuple[float, ...]:
    """Linear between neighbours (type 7, numpy's default)."""
    places = np.asarray(QUANTILES) * (len(ordered) - 1)
    return tuple(np.interp(places, np.arange(len(ordered)), ordered).tolist())


def processor(job: Json) -> str:
    """`gpu` or `cpu`: what a claim about GPUs or CPUs applies to."""
    provider = str((job.get("options") or {}).get("provider", "")).lower()
    return "gpu" if job["backend"] in GPU_BACKENDS or "cuda" in provider or "tensorrt" in provider else "cpu"


def _process(entry: Json, durations: NDArray[np.float64]) -> Process:
    count = min(DRIFT_BLOCKS, len(durations))
    parts = durations[: len(durations) // count * count].reshape(count, -1)
    return Process(
        order=int(entry.get("order") or 0), started=str(entry.get("started") or ""), n=len(durations),
        p50=float(np.median(durations)), length=float(durations.sum()),
        blocks=tuple(np.median(parts, axis=1).tolist()),
    )  # fmt: skip


def ladders(rungs: list[Json]) -> list[memory.Rungs]:
    """The rungs of each process, by name."""
    found: dict[Any, memory.Rungs] = defaultdict(dict)
    for rung in rungs:
        found[rung["process"]][rung["rung"]] = rung
    return [found[process] for process in sorted(found)]


def _memory(ladders: list[memory.Rungs]) -> dict[str, tuple[float, ...]]:
    """Bytes of each process, under the definitions that every process allows."""
    read = [memory.values(ladder) for ladder in ladders]
    common = [key for key in memory.DEFINITIONS if read and all(key in values for values in read)]
    return {key: tuple(values[key] for values in read) for key in common}


def _median_steps(ladders: list[memory.Rungs]) -> tuple[float | None, ...]:
    columns = zip(*(memory.steps(ladder) for ladder in ladders), strict=True)
    known = [[size for size in column if size is not None] for column in columns]
    return tuple(float(np.median(sizes)) if sizes else None for sizes in known)


def _power(sensors: list[Json]) -> float | None:
    """Median watts over the readings during samples of all processes; None where there is none.

    Loading, warm-up, the test set and what comes between are other work.
    """
    timed = (reading.get("power") for reading in sensors if reading.get("timed") is True)
    watts = [value for value in timed if isinstance(value, int | float)]
    return float(np.median(watts)) if watts else None


def flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """`{"cpu": {"model": "x"}}` as `[("cpu.model", "x")]`; null and empty values are left out."""
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in flat(inner, f"{prefix}{key}.")]
    if isinstance(value, list):
        return flat(", ".join(str(item) for item in value), prefix) if value else []
    return [] if value is None or value == "" else [(prefix.rstrip("."), str(value))]
