"""Figures of a tuning: each model's duration over that of the reference, and what it held in memory."""

import math
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Any

from orchestrate.analysis import memory
from orchestrate.analysis.job import ladders

Json = dict[str, Any]


def pairs(record: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Every pair of neighbouring turns of a record: ns of the model and of the reference."""
    return [(a, b) for part in record["latency"]["processes"] for a, b in part.get("turns") or ()]


def ratio(record: Mapping[str, Any]) -> float:
    """Duration of the model over that of the reference, both undisturbed: the lower decile of their turns.

    What else runs on a machine only ever slows a turn, and slows models differently: one that lives in a
    cache more than one that does not. The median over processes, where there are several.
    """
    return math.exp(median(map(math.log, ratios(record))))


def ratios(record: Mapping[str, Any]) -> list[float]:
    """The ratio of each process."""
    return [_undisturbed(part, 0) / _undisturbed(part, 1) for part in _parts(record)]


def reference_seconds(records: Iterable[Mapping[str, Any]]) -> float:
    """Duration of the reference network on the undisturbed machine."""
    return min(map(own_reference, records)) * 1e-9


def own_reference(record: Mapping[str, Any]) -> float:
    """Duration of the reference network (ns) while this record was made: what it exceeds the shortest one by
    is how much the machine was disturbed."""
    return median(_undisturbed(part, 1) for part in _parts(record))


def _parts(record: Mapping[str, Any]) -> list[list[tuple[int, int]]]:
    return [part["turns"] for part in record["latency"]["processes"] if part.get("turns")]


def _undisturbed(turns: list[tuple[int, int]], side: int) -> float:
    ordered = sorted(pair[side] for pair in turns)
    return float(ordered[len(ordered) // 10])


def measurement(record: Mapping[str, Any]) -> Json:
    """What a profile keeps of a record (docs/formats.md)."""
    model, found = record["job"]["model"], {"ratio": ratio(record)}
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
        **found,
        "memory": {name: max(0, int(median(each))) for name, each in held.items()} if whole else None,
    }


def environment(record: Mapping[str, Any]) -> Json:
    """What a profile's latencies depend on beside the network."""
    job, seen = record["job"], record["environment"]
    identity = (seen.get("cpu") or {}).get("identity") or {}
    known = (identity.get("model name"), identity.get("Model"), seen.get("model"), identity.get("CPU part"))
    versions = seen.get("versions") or {}
    return {
        "device": record["device"],
        "backend": job["backend"],
        "version": str(versions.get(job["backend"], "unknown")),
        "precision": job["precision"],
        "threads": job["threads"],
        "cpu": str(next((each for each in known if each), seen.get("machine") or "unknown")),
    }
