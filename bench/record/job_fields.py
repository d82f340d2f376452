"""What a bundle and a job list are made of: every field that somebody reads, with its type and range."""

from typing import Any, List

from bench.record import loads
from bench.record.checks import (
    Check,
    Path,
    Problem,
    anything,
    boolean,
    choice,
    count,
    fields,
    identifier,
    inner_path,
    listing,
    mapping,
    name,
    nullable,
    number,
    sha256,
    size,
    text,
)

METRICS = ("top1", "top5")  # of a labelled test set
STATED = ("published", "trained", "stated")  # sources of a model's accuracy; stated: by the user
MEASURED = "measured"  # on the device: a record's own

_percent = number(0, maximum=100)
_widths = listing(number(1, integer=True), most=10000)
_tensor = fields({"name": text, "shape": listing(number(0, integer=True), most=8), "dtype": name}, {})
_reference = fields({"file": inner_path, "sha256": sha256, "tolerance": number(0)}, {"made_by": text})
_against = fields(
    {
        "file": inner_path,
        "sha256": sha256,
        "seconds": number(0, maximum=600),
        "turn_seconds": number(0, maximum=60),
    },
    {},
)


def accuracy(*sources: str) -> Check:
    """Return the check of an accuracy that comes from one of these sources."""
    needed = {"value": nullable(_percent), "source": choice(*sources)}
    known = {
        "unit": name,
        "metric": choice(*METRICS),
        "statistic": text,
        "reference": text,
        "recipe": nullable(mapping(anything)),
        "widths": nullable(_widths),
        "seeds": nullable(count),
        "std": nullable(number(0, maximum=100)),
        "n": nullable(count),
        "non_finite": count,
        "epoch": nullable(choice("best", "last")),
        "best": nullable(fields({"value": _percent}, {"std": nullable(number(0, maximum=100))})),
    }
    return fields(needed, {**known, "other": nullable(fields(needed, known))})


_estimate = fields({"value": number(0), "low": number(0), "high": number(0)}, {})
_predicted = fields(
    {
        "profile": identifier,
        "device": identifier,
        "backend": identifier,
        "precision": identifier,
        "threads": count,
        "latency": _estimate,
        "memory": nullable(_estimate),
    },
    {"version": name, "cpu": name, "setup": mapping(text), "emulated": nullable(name)},
)

model = fields(
    {"id": identifier, "file": inner_path, "sha256": sha256},
    {
        "bytes": size,
        "precision": nullable(name),
        "reference": nullable(_reference),
        "test_set": nullable(fields({"file": inner_path, "sha256": sha256}, {"metric": choice(*METRICS)})),
        "against": nullable(_against),
        "widths": nullable(_widths),
        "params": nullable(count),
        "macs": nullable(count),
        "target_params": nullable(count),
        "target_macs": nullable(count),
        "classes": nullable(count),
        "align": nullable(number(1, integer=True)),
        "ratio": nullable(number(0)),
        "ratio_of": nullable(identifier),
        "architecture": nullable(identifier),
        "dataset": nullable(identifier),
        "method": nullable(identifier),
        "fit": nullable(identifier),
        "fit_quality": nullable(name),
        "fit_dataset": nullable(identifier),
        "fit_resolution": nullable(count),
        "weights": nullable(text),
        "weights_recipe": nullable(mapping(anything)),
        "batch": nullable(number(1, integer=True)),
        "inputs": listing(_tensor, most=100),
        "assumed": mapping(number(1, integer=True)),
        "accuracy": nullable(accuracy(*STATED)),
        "predicted": nullable(_predicted),
    },
)

_measure = fields(
    {},
    {
        "processes": number(1, integer=True),
        "warmup": count,
        "warmup_seconds": number(0),
        "min_samples": number(1, integer=True),
        "max_samples": number(1, integer=True),
        "min_seconds": number(0),
        "max_seconds": number(0),
        "target_ci": number(0),
        "timeout_seconds": number(0),
        "max_waiting": number(0),
        "repeats": count,
        "cold_loads": count,
        "builds": number(1, integer=True),
        "build_timeout_seconds": number(0),
        "profile": boolean,
    },
)

_kind_of_load = fields({"kind": choice(*loads.KINDS)}, {})
_loads = {
    loads.SINGLE: fields({}, {}),
    loads.OFFLINE: fields({"streams": number(1, integer=True, maximum=loads.MAX_STREAMS)}, {}),
    loads.PACED: fields({"rate": number(loads.LOWEST_RATE, maximum=loads.HIGHEST_RATE)}, {}),
}


def _load(value: Any, path: Path, found: List[Problem]) -> None:
    """A load shape with what belongs to it."""
    known = len(found)
    _kind_of_load(value, path, found)
    if len(found) == known:
        _loads[value["kind"]](value, path, found)


job = fields(
    {
        "id": identifier,
        "model": model,
        "backend": identifier,
        "precision": identifier,
        "threads": count,
        "batch": count,
    },
    {"options": mapping(anything), "measure": _measure, "load": nullable(_load)},
)

bundle = fields(
    {"models": listing(model)},
    {
        "experiment": nullable(fields({"name": text}, {"sha256": text, "measure": _measure})),
        "skipped": listing(fields({"id": identifier, "reason": text}, {"command": nullable(text)})),
        "refused": listing(fields({"file": text, "reason": text}, {}), most=10000),
    },
)

jobs = fields(
    {"run": identifier, "device": identifier, "bundle": text, "seed": count, "jobs": listing(job)},
    {"measure": _measure, "board": mapping(anything)},
)
