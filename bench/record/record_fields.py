"""What a record is made of: every field that somebody reads, with its type and range."""

from typing import Dict, List

from bench.record import checks, job_fields, loads, samples, sound
from bench.record.checks import (
    Path,
    Problem,
    anything,
    boolean,
    choice,
    count,
    fields,
    identifier,
    listing,
    mapping,
    name,
    nullable,
    number,
    report,
    size,
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

number_or_null = nullable(number())


def _series(value: object, path: Path, found: List[Problem]) -> None:
    """The outside of a series; what it holds is decoded last, where all else is sound."""
    try:
        samples.check_header(value)
    except ValueError as error:
        report(found, path, str(error))


sound.declare(
    _series,
    sound.demand(
        fields(
            {
                "n": number(0, integer=True, maximum=samples.MAX_SAMPLES),
                "unit": choice("ns"),
                "encoding": choice(samples.ENCODING),
                "data": text,
            },
            {},
        )
    ),
)
_pair = listing(number(1, integer=True), least=2, most=2)
SERIES = ("samples", "warmup", "compute", "overhead", "response", "cold_warmup")
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
    "cold_warmup": nullable(_series),
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
_output_check = fields(
    {"max_abs_error": nullable(number(0)), "tolerance": nullable(number(0))},
    {
        "ok": boolean,
        "message": text,
        "arithmetic": name,
        "max_rel_error": nullable(number(0)),
        "unequal": number(0, maximum=1),
        "top1_agreement": nullable(number(0, maximum=1)),
        "correlation": nullable(number(-1, maximum=1)),
    },
)
_notes = listing(fields({"code": name, "message": text}, {"process": nullable(count)}), most=1000)
_invalid = fields({"code": choice(*INVALID_CODES), "message": text}, {"process": nullable(count)})
_sensor = fields(
    {},
    {
        **dict.fromkeys(("t", "load", "temperature"), number_or_null),
        **{key: nullable(number(0)) for key in ("power", "cpu_hz", "cpu_hz_min", "gpu_hz", "rss")},
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
_facts = mapping(anything)
_environment = fields(
    {},
    {
        "emulated": nullable(anything),
        "processor": choice("cpu", "gpu"),
        "fake": nullable(boolean),
        "synthetic": nullable(boolean),
        "resumed": nullable(boolean),
        "governors": listing(text),
        "cpu": nullable(fields({}, {"identity": nullable(_facts)})),
        "versions": nullable(_facts),
        "board": nullable(_facts),
        "variables": anything,
        "spans": listing(mapping(number_or_null)),
    },
)


def environment(value: object, path: Path, found: List[Problem]) -> None:
    """Demand what is read of an environment, and sane texts of all else in it."""
    _environment(value, path, found)
    anything(value, path, found)


sound.declare(environment, sound.Every((_environment, anything)))


def record(load: str) -> checks.Check:
    """Return a record of one load shape; its processes differ from those of others."""
    process = fields({"process": count, "samples": _series, **_processes[load]}, _of_process)
    return fields(
        {
            "run": identifier,
            "device": identifier,
            "job": job_fields.job,
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
            "environment": environment,
        },
        {
            "output_check": nullable(_output_check),
            "accuracy": nullable(job_fields.accuracy(job_fields.MEASURED)),
            "profile": nullable(_profile),
            "sensors": listing(_sensor),
            "figures": _figures,
        },
    )
