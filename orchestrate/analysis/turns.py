"""Figures of a tuning: each model's duration over that of its reference, its kernels', and its memory."""

import math
from collections.abc import Iterable, Mapping
from statistics import fmean, median
from typing import Any

from bench.record.types import Json, OperatorProfile, Record
from orchestrate.analysis import memory
from orchestrate.analysis.job_memory import ladders
from orchestrate.analysis.statistics import of_processes

Turns = list[list[int]]  # pairs: ns of the model and of the reference, one after the other


def pairs(record: Record) -> list[tuple[int, int]]:
    """Return every pair of neighbouring turns of a record: ns of the model and of the reference."""
    return [(a, b) for part in record["latency"]["processes"] for a, b in part.get("turns") or ()]


def ratio(record: Record) -> float:
    """Return the duration of the model over that of its reference: the median over its processes."""
    return math.exp(median(map(math.log, ratios(record))))


def ratios(record: Record) -> list[float]:
    """Return the ratio of each process: the median over its turns."""
    return [math.exp(median(_logarithms(turns))) for turns in _parts(record)]


def levels(record: Record) -> list[tuple[float, float]]:
    """Seconds of the model and of its reference in each process: means over its turns.

    A mean holds a machine's faster and slower moments by how long they last, for both alike; the longest and
    shortest twentieth are left out.
    """
    return [(_mean(model for model, _ in each), _mean(own for _, own in each)) for each in _parts(record)]


def _mean(nanoseconds: Iterable[int]) -> float:
    ordered = sorted(nanoseconds)
    cut = len(ordered) // 20
    return fmean(ordered[cut : len(ordered) - cut]) * 1e-9


def doubt(record: Record) -> float:
    """Return the ratio's relative standard error, by how far its turns disagree (of the worst process)."""
    return max(map(_doubt, _parts(record)))


def _doubt(turns: Turns) -> float:
    values = sorted(_logarithms(turns))
    count = len(values)
    spread = (values[(3 * count) // 4] - values[count // 4]) / 1.349  # of a normal distribution
    return math.sqrt(math.pi / 2 / count) * spread


def _logarithms(turns: Turns) -> list[float]:
    """ln(model / reference) of each pair, the reference smoothed over its neighbours.

    Other work on a machine comes and goes within milliseconds to seconds, and slows both alike where the
    reference is of the model's own architecture. It rarely ends between two turns.
    """
    logs = [math.log(own) for _, own in turns]
    last = len(logs) - 1
    near = [(logs[max(i - 1, 0)] + 2 * each + logs[min(i + 1, last)]) / 4 for i, each in enumerate(logs)]
    return [math.log(model) - each for (model, _), each in zip(turns, near, strict=True)]


def reference_seconds(records: Iterable[Record]) -> dict[str, float]:
    """Return the duration of each architecture's reference network on the undisturbed machine."""
    found: dict[str, float] = {}
    for record in records:
        if not (name := record["job"]["model"]["architecture"]):
            continue  # a user's own file, which no profile is made of
        found[name] = min(found.get(name, math.inf), undisturbed(record))
    return found


def undisturbed(record: Record) -> float:
    """Return the seconds of a record's reference where nothing slows it: of the fastest process."""
    return min(_undisturbed(part) for part in _parts(record)) * 1e-9


def p50(record: Record) -> float:
    """Return the seconds of the model, disturbed as it was: the median over processes of their medians."""
    return median(median(model for model, _ in turns) for turns in _parts(record)) * 1e-9


def _parts(record: Record) -> list[Turns]:
    return [part["turns"] for part in record["latency"]["processes"] if part.get("turns")]


def _undisturbed(turns: Turns) -> float:
    """The lower decile of the reference's turns (ns): what else runs only ever slows one."""
    ordered = sorted(own for _, own in turns)
    return float(ordered[len(ordered) // 10])


def measurement(record: Record) -> Json:
    """Return what a profile keeps of a record (docs/formats.md)."""
    model = record["job"]["model"]
    ladder = ladders(record["memory"]["rungs"])
    keys = {"process": memory.PROCESS, "model": memory.MODEL, "peak": memory.PEAK}
    values = [memory.values(each) for each in ladder]
    held = {name: [v[key] for v in values if key in v] for name, key in keys.items() if values}
    whole = bool(held) and all(held.values())
    return {
        "architecture": model["architecture"],
        "dataset": model["dataset"],
        "part": model.get("part"),
        "widths": model["tuned_widths"],
        "ratio": ratio(record),
        "memory": {name: max(0, round(of_processes(each).value)) for name, each in held.items()}
        if whole
        else None,
        "layers": _layers(record.get("profile")),
    }


def _layers(profile: OperatorProfile | None) -> list[list[object]] | None:
    """[operator, MACs, bytes, seconds] of all that the library ran, in order; None without a profile."""
    if not profile or profile.get("error") or profile.get("others"):
        return None
    return [
        [each["operator"], each.get("macs"), each.get("bytes"), each["seconds"]] for each in profile["layers"]
    ]


def machine(backend: str, seen: Mapping[str, Any]) -> dict[str, str]:
    """Return the version of a backend's library and the CPU, of a record's environment."""
    identity = (seen.get("cpu") or {}).get("identity") or {}
    known = (identity.get("model name"), identity.get("Model"), seen.get("model"), identity.get("CPU part"))
    return {
        "version": str((seen.get("versions") or {}).get(backend, "unknown")),
        "cpu": str(next((each for each in known if each), seen.get("machine") or "unknown")),
    }
