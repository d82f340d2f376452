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
    """Duration of the model over that of the reference; the median over pairs of neighbouring turns.

    A turn that met a change of the machine's speed does not move a median.
    """
    return math.exp(median(math.log(a / b) for a, b in pairs(record)))


def reference_seconds(records: Iterable[Mapping[str, Any]]) -> float:
    """Duration of the reference network: the median over records of its median."""
    return median(median(b for _, b in pairs(record)) for record in records) * 1e-9


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
