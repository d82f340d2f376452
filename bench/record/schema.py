"""What a bundle, a job list and a record are: structure, version, and the rule that keeps bad figures out.

`load(path)` reads, checks and upgrades; `problems(document)` lists everything that is wrong with a value in
memory.
"""

from typing import Any, Callable, Dict, List, Tuple

from bench.record import checks, samples
from bench.record.checks import (
    Problem,
    anything,
    choice,
    fields,
    identifier,
    inner_path,
    listing,
    mapping,
    nullable,
    number,
    sha256,
    text,
)
from bench.record.files import BadFileError, read_json

VERSION = 1
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
FAKE_BACKENDS = ("null",)  # their timings mean nothing, whatever a record claims

# (kind, version) -> a pure function that makes the next version's document out of this one's. None yet.
UPGRADES: Dict[Tuple[str, int], Callable[[Dict[str, Any]], Dict[str, Any]]] = {}

count = size = number(0, integer=True)
_tensor = fields({"name": text, "shape": listing(number(0, integer=True), most=8), "dtype": text}, {})
_reference = fields({"file": inner_path, "sha256": sha256, "tolerance": number(0)}, {"made_by": text})

_model = fields(
    {"id": identifier, "file": inner_path, "sha256": sha256},
    {
        "bytes": size,
        "reference": nullable(_reference),
        "test_set": nullable(fields({"file": inner_path, "sha256": sha256}, {})),
        "widths": nullable(listing(number(1, integer=True), most=10000)),
        "params": nullable(count),
        "macs": nullable(count),
        "target_params": nullable(count),
        "ratio": nullable(number(0)),
        "ratio_of": nullable(text),
        "architecture": nullable(text),
        "dataset": nullable(text),
        "method": nullable(text),
        "batch": nullable(number(1, integer=True)),
        "inputs": listing(_tensor, most=100),
        "accuracy": nullable(fields({"value": nullable(number()), "source": text}, {})),
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
    },
)

_job = fields(
    {"id": identifier, "model": _model, "backend": text, "precision": text, "threads": count, "batch": count},
    {"options": mapping(anything), "measure": _measure},
)

_bundle = fields(
    {"models": listing(_model)},
    {
        "experiment": fields({"name": text}, {"sha256": text, "measure": _measure}),
        "skipped": listing(fields({"id": identifier, "reason": text}, {"command": nullable(text)})),
    },
)

_jobs = fields(
    {"run": identifier, "device": identifier, "bundle": text, "seed": count, "jobs": listing(_job)},
    {"measure": _measure, "board": mapping(anything)},
)


def _series(value: Any, path: str, found: List[Problem]) -> None:
    try:
        samples.decode(value)
    except ValueError as error:
        found.append(Problem(path, str(error)))


_process = fields(
    {"process": count, "samples": _series},
    {
        "order": count,
        "started": text,
        "build": nullable(anything),
        "warmup": nullable(_series),
        "compute": nullable(_series),
        "overhead": nullable(_series),
        "stopped_by": text,
        "drift": nullable(number()),
        "cpu_seconds": nullable(number(0)),
        "wall_seconds": nullable(number(0)),
    },
)
_rung = fields(
    {"process": count, "rung": choice(*RUNGS)},
    dict(
        {
            name: nullable(size)
            for name in ("rss", "pss", "uss", "swap", "peak_rss", "cgroup_current", "cgroup_peak", "gpu_free")
            + ("gpu_total", "nvmap", "nvmap_total")
        },
        nvmap_source=nullable(choice("debugfs", "meminfo")),
    ),
)
_notes = listing(fields({"code": text, "message": text}, {}), most=1000)
_invalid = fields({"code": choice(*INVALID_CODES), "message": text}, {})

_record = fields(
    {
        "run": identifier,
        "device": identifier,
        "job": _job,
        "status": choice(*STATUSES),
        "error": nullable(fields({"kind": text, "message": text, "advice": text}, {})),
        "validity": fields({"valid": checks.boolean, "reasons": listing(_invalid), "warnings": _notes}, {}),
        "latency": fields(
            {"unit": choice("s"), "processes": listing(_process, most=1000)},
            {"disturbed": listing(_process, most=1000)},
        ),
        "memory": fields(
            {"unit": choice("byte"), "rungs": listing(_rung), "residual": listing(anything)}, {}
        ),
        "environment": mapping(anything),
    },
    {
        "output_check": nullable(fields({"max_abs_error": nullable(number(0)), "tolerance": number(0)}, {})),
        "accuracy": nullable(fields({"value": number(0), "n": count, "source": text}, {})),
        "sensors": listing(mapping(anything)),
        "figures": mapping(anything),
    },
)

KINDS = {"orbitbench.bundle": _bundle, "orbitbench.jobs": _jobs, "orbitbench.record": _record}


def problems(document: Any) -> List[Problem]:
    """Everything that is wrong with a bundle, a job list or a record of the current version; empty when
    nothing is."""
    found: List[Problem] = []
    header = fields({"schema": choice(VERSION), "kind": choice(*KINDS)}, {})
    header(document, "", found)
    if not found:
        KINDS[document["kind"]](document, "", found)
    if not found and document["kind"] == "orbitbench.record":
        found += _contradictions(document)
    if not found and "jobs" in document:
        found += _repeated(document["jobs"], "jobs")
    return found


def must_be_invalid(record: Dict[str, Any]) -> List[str]:
    """Why the timings of this record cannot count, from its own content; empty when they may."""
    environment = record["environment"]
    why = []
    if record["status"] != "ok":
        why.append("its status is {}".format(record["status"]))
    if environment.get("emulated"):
        why.append("its CPU is emulated ({})".format(environment["emulated"]))
    if environment.get("fake") or record["job"]["backend"] in FAKE_BACKENDS:
        why.append("its backend {} computes nothing".format(record["job"]["backend"]))
    if record["validity"]["reasons"]:
        why.append("it gives reasons against itself ({})".format(record["validity"]["reasons"][0]["code"]))
    check = record.get("output_check")
    if check and check.get("ok") is False:
        why.append("its output is wrong")
    if record["status"] == "ok" and not record["latency"]["processes"]:
        why.append("it holds no samples")
    return why


def _contradictions(record: Dict[str, Any]) -> List[Problem]:
    found = []
    valid, why = record["validity"]["valid"], must_be_invalid(record)
    if valid and why:
        found.append(Problem("validity.valid", "is true although " + " and ".join(why)))
    if not valid and record["status"] == "ok" and not record["validity"]["reasons"]:
        found.append(Problem("validity.reasons", "is empty although the record is not valid"))
    if (record["status"] == "ok") != (record["error"] is None):
        found.append(Problem("error", "must be null exactly when the status is ok"))
    return found


def _repeated(jobs: List[Dict[str, Any]], path: str) -> List[Problem]:
    seen: Dict[str, int] = {}
    found = []
    for index, job in enumerate(jobs):
        if job["id"] in seen:
            first = "{}[{}]".format(path, seen[job["id"]])
            found.append(Problem("{}[{}].id".format(path, index), "is the same as that of " + first))
        seen[job["id"]] = index
    return found


def upgrade(document: Any, path: str) -> Dict[str, Any]:
    """The document in the current version. BadFileError for no version, a newer one, or one without a way
    up."""
    version = document.get("schema") if isinstance(document, dict) else None
    if not isinstance(version, int) or isinstance(version, bool):
        raise BadFileError("{}: has no integer `schema`; is it a file of Orbitbench?".format(path))
    if version > VERSION:
        message = "{}: has schema version {}, this Orbitbench knows up to {}; update Orbitbench to read it"
        raise BadFileError(message.format(path, version, VERSION))
    while document["schema"] < VERSION:
        step = UPGRADES.get((document.get("kind"), document["schema"]))
        if step is None:
            raise BadFileError("{}: schema version {} is unknown".format(path, document["schema"]))
        document = step(document)
    return dict(document)


def load(path: str, kind: str = "") -> Dict[str, Any]:
    """Read, upgrade and check a file; BadFileError with the first problems, each with its place in the file.

    kind: `bundle`, `jobs` or `record` where only that will do.
    """
    document = upgrade(read_json(path), path)
    if kind and document.get("kind") != "orbitbench." + kind:
        raise BadFileError(
            "{}: is {}, expected orbitbench.{}".format(path, checks.shown(document.get("kind")), kind)
        )
    found = problems(document)
    if found:
        lines = ["{} {}".format(p.path, p.reason) for p in found[:5]]
        more = " (and {} more)".format(len(found) - 5) if len(found) > 5 else ""
        raise BadFileError("{}: {}{}".format(path, "; ".join(lines), more))
    return document
