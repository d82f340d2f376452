"""What a bundle, a job list and a record are made of: every field that somebody reads, with its type and
range."""

from typing import Any, Dict, List

from bench.record import checks, loads, samples
from bench.record.checks import (
    Path,
    Problem,
    anything,
    boolean,
    choice,
    fields,
    identifier,
    inner_path,
    listing,
    mapping,
    name,
    nullable,
    number,
    report,
    sha256,
    text,
)

STATUSES = ("ok", "failed", "skipped")
RUNGS = (
    "start",
    "backend_imported",
    "device_initialised",
    "model_loaded",
    "first_run",
    "steady",
    "steady_trimmed",
)
INVALID_CODES = (
    "emulated_cpu",
    "throttled",
    "clock_changed",
    "other_load",
    "fake_backend",
    "too_few_samples",
    "self_test_failed",
    "wrong_output",
    "clock_stepped",
)

METRICS = ("top1", "top5")  # of a labelled test set

count = size = number(0, integer=True)
number_or_null = nullable(number())
_percent = number(0, maximum=100)
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
_accuracy = fields(
    {"value": nullable(_percent), "source": name},
    {
        "unit": name,
        "metric": choice(*METRICS),
        "statistic": text,
        "reference": text,
        "seeds": nullable(count),
        "std": nullable(number(0, maximum=100)),
        "n": nullable(count),
    },
)

_estimate = fields({"value": number(0), "low": number(0), "high": number(0)}, {})
_predicted = fields(
    {
        "profile": identifier,
        "device": identifier,
        "backend": identifier,
        "precision": identifier,
        "threads": count,
        "latency": _estimate,
        "memory": _estimate,
    },
    {},
)

_model = fields(
    {"id": identifier, "file": inner_path, "sha256": sha256},
    {
        "bytes": size,
        "precision": nullable(name),
        "reference": nullable(_reference),
        "test_set": nullable(fields({"file": inner_path, "sha256": sha256}, {"metric": choice(*METRICS)})),
        "against": nullable(_against),
        "widths": nullable(listing(number(1, integer=True), most=10000)),
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
        "batch": nullable(number(1, integer=True)),
        "inputs": listing(_tensor, most=100),
        "accuracy": nullable(_accuracy),
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

_loads = {
    loads.SINGLE: fields({}, {}),
    loads.OFFLINE: fields({"streams": number(1, integer=True, maximum=loads.MAX_STREAMS)}, {}),
    loads.PACED: fields({"rate": number(loads.LOWEST_RATE, maximum=loads.HIGHEST_RATE)}, {}),
}


def _load(value: Any, path: Path, found: List[Problem]) -> None:
    """A load shape with what belongs to it."""
    known = len(found)
    fields({"kind": choice(*_loads)}, {})(value, path, found)
    if len(found) == known:
        _loads[value["kind"]](value, path, found)


_job = fields(
    {
        "id": identifier,
        "model": _model,
        "backend": identifier,
        "precision": identifier,
        "threads": count,
        "batch": count,
    },
    {"options": mapping(anything), "measure": _measure, "load": nullable(_load)},
)

_bundle = fields(
    {"models": listing(_model)},
    {
        "experiment": nullable(fields({"name": text}, {"sha256": text, "measure": _measure})),
        "skipped": listing(fields({"id": identifier, "reason": text}, {"command": nullable(text)})),
        "refused": listing(fields({"file": text, "reason": text}, {}), most=10000),
    },
)

_jobs = fields(
    {"run": identifier, "device": identifier, "bundle": text, "seed": count, "jobs": listing(_job)},
    {"measure": _measure, "board": mapping(anything)},
)


def _series(value: Any, path: Path, found: List[Problem]) -> None:
    """The outside of a series; what it holds is decoded last, where all else is sound."""
    try:
        samples.check_header(value)
    except ValueError as error:
        report(found, path, str(error))


_pair = listing(number(1, integer=True), least=2, most=2)
SERIES = ("samples", "warmup", "compute", "overhead", "response")
_of_process = {
    "order": count,
    "started": name,
    "build": nullable(anything),
    "warmup": nullable(_series),
    "compute": nullable(_series),
    "overhead": nullable(_series),
    "stopped_by": name,
    "drift": number_or_null,
    "cpu_seconds": nullable(number(0)),
    "wall_seconds": nullable(number(0)),
    "load_seconds": nullable(number(0)),
    "first_seconds": nullable(number(0)),
    "turns": nullable(listing(_pair, most=100000)),
    "cold_load_seconds": nullable(number(0)),
    "cold_first_seconds": nullable(number(0)),
    "reasons": listing(anything, most=1000),
}
_processes: Dict[str, Dict[str, checks.Check]] = {
    loads.SINGLE: {},
    loads.OFFLINE: {
        "seconds": number(0),  # from the start of all streams to the end of the last
        "streams": number(1, integer=True, maximum=loads.MAX_STREAMS),
    },
    loads.PACED: {"response": _series},  # from when a request was due to its answer
}
_rung = fields(
    {"process": count, "rung": choice(*RUNGS)},
    {
        **{
            key: nullable(size)
            for key in ("rss", "pss", "uss", "swap", "peak_rss", "cgroup_current", "cgroup_peak", "gpu_free")
            + ("gpu_total", "nvmap", "nvmap_total")
        },
        "nvmap_source": nullable(choice("debugfs", "meminfo")),
        "backend": nullable(mapping(anything)),
    },
)
MOST_LAYERS = 1000  # of a profile; what is left over is one sum
_layer = fields(
    {"name": name, "operator": name, "seconds": number(0)},
    {"calls": number(1, integer=True), "macs": nullable(count), "bytes": nullable(size)},
)
_error = fields({"kind": name, "message": text, "advice": text}, {})
_profile = fields(
    {"source": name, "runs": count, "layers": listing(_layer, most=MOST_LAYERS)},
    {"others": nullable(fields({"count": count, "seconds": number(0)}, {})), "error": nullable(_error)},
)
_notes = listing(fields({"code": name, "message": text}, {}), most=1000)
_invalid = fields({"code": choice(*INVALID_CODES), "message": text}, {})
_sensor = fields(
    {},
    {
        **dict.fromkeys(("t", "load", "temperature", "power"), number_or_null),
        **{key: nullable(number(0)) for key in ("cpu_hz", "cpu_hz_min", "gpu_hz", "rss")},
        "process": count,
        **{key: nullable(count) for key in ("throttled", "undervoltage", "over_current")},
        **{key: nullable(mapping(number_or_null)) for key in ("cooling", "clocks")},
        "timed": nullable(boolean),
        "rails": nullable(mapping(number_or_null)),
    },
)
_figures = fields(
    {},
    {
        "latency": nullable(
            fields(
                {},
                {
                    **{key: nullable(number(0)) for key in ("min", "mean", "p50", "p90", "p99")},
                    "ci": nullable(listing(number(), least=2, most=2)),
                },
            )
        ),
        "memory": nullable(fields({}, dict.fromkeys(("process", "model", "peak"), number_or_null))),
    },
)
_environment = fields(
    {},
    {
        "emulated": nullable(anything),
        "fake": nullable(boolean),
        "synthetic": nullable(boolean),
        "resumed": nullable(boolean),
        "governors": listing(text),
        "variables": anything,
        "spans": listing(mapping(number_or_null)),
    },
)


def _whole_environment(value: Any, path: Path, found: List[Problem]) -> None:
    _environment(value, path, found)
    anything(value, path, found)


def _record(load: str) -> checks.Check:
    """A record of one load shape; its processes differ from those of others."""
    process = fields({"process": count, "samples": _series, **_processes[load]}, _of_process)
    return fields(
        {
            "run": identifier,
            "device": identifier,
            "job": _job,
            "status": choice(*STATUSES),
            "error": nullable(_error),
            "validity": fields({"valid": boolean, "reasons": listing(_invalid), "warnings": _notes}, {}),
            "latency": fields(
                {"unit": choice("s"), "processes": listing(process, most=1000)},
                {"disturbed": listing(process, most=1000)},
            ),
            "memory": fields(
                {"unit": choice("byte"), "rungs": listing(_rung)},
                {"residual": listing(mapping(number_or_null))},
            ),
            "environment": _whole_environment,
        },
        {
            "output_check": nullable(
                fields(
                    {"max_abs_error": nullable(number(0)), "tolerance": nullable(number(0))},
                    {
                        "ok": boolean,
                        "message": text,
                        "arithmetic": name,
                        "max_rel_error": nullable(number(0)),
                        "top1_agreement": nullable(number(0, maximum=1)),
                        "correlation": nullable(number(-1, maximum=1)),
                    },
                )
            ),
            "accuracy": nullable(_accuracy),
            "profile": nullable(_profile),
            "sensors": listing(_sensor),
            "figures": _figures,
        },
    )


KINDS = {
    "orbitbench.bundle": _bundle,
    "orbitbench.jobs": _jobs,
    **{kind: _record(load) for load, kind in loads.KINDS.items()},
}
