"""What a bundle, a job list and a record are: version, validation, and the rule that keeps bad figures out.

`load(path)` reads, upgrades and checks; `problems(document)` lists everything that is wrong with a value in
memory. After either, whoever reads the document need not ask again whether a field is there or of its type.
"""

from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from bench.record import checks, job_fields, loads, record_fields, samples
from bench.record.checks import Problem, choice, fields
from bench.record.files import BadFileError, read_json
from bench.record.measured import Series
from bench.record.record_fields import INVALID_CODES, RUNGS, SERIES, STATUSES
from bench.record.types import Job, Record

__all__ = ["INVALID_CODES", "RUNGS", "STATUSES", "load", "must_be_invalid", "problems", "upgrade"]

VERSION = 1
KINDS = {
    "orbitbench.bundle": job_fields.bundle,
    "orbitbench.jobs": job_fields.jobs,
    **{kind: record_fields.record(load) for load, kind in loads.KINDS.items()},
}
_header = fields({"schema": choice(VERSION), "kind": choice(*KINDS)}, {})
RECORDS = tuple(loads.KINDS.values())  # one kind for each load shape
FAKE_BACKENDS = ("null",)  # their timings mean nothing, whatever a record claims
PARTS = ("uss", "pss")  # of a process's resident memory
SLACK = 1.001  # clocks of two threads, floats
MAX_RECORD_SAMPLES = 8 * 1000 * 1000  # of all series together: what a few seconds decode

Decode = Callable[[Series], Sequence[int]]

# (kind, version) -> a pure function that makes the next version's document out of this one's. None yet.
UPGRADES: Dict[Tuple[str, int], Callable[[Dict[str, Any]], Dict[str, Any]]] = {}


class ContradictionError(BadFileError):
    """A record that claims to be valid against its own evidence."""


def problems(document: Any, decode: Optional[Decode] = samples.decode) -> List[Problem]:
    """Return everything that is wrong with a bundle, a job list or a record of the current version; empty
    when nothing is.

    decode: turns a series into nanoseconds. None leaves the series packed, for a reader that unpacks only
    what it needs (and then meets the ValueError of `decode` itself).
    """
    found: List[Problem] = []
    _header(document, "", found)
    if not found:
        KINDS[document["kind"]](document, "", found)
    if not found and document["kind"] in RECORDS:
        found += contradictions(document, decode)
    if not found and document["kind"] == "orbitbench.jobs":
        found += _repeated(document["jobs"], "jobs")
    return found


def must_be_invalid(record: Record) -> List[str]:
    """Return why the timings of this record cannot count, from its own content; empty when they may."""
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
    processes = record["latency"]["processes"]
    if record["status"] == "ok" and not (processes and all(p["samples"]["n"] for p in processes)):
        why.append("it holds no samples")
    return why


def contradictions(record: Any, decode: Optional[Decode]) -> List[Problem]:
    """Return what is wrong between the fields of a record, each of which is sound; the rest as `problems`."""
    return _against_itself(record) or _bad_samples(record, decode)


def _against_itself(record: Record) -> List[Problem]:
    found = []
    valid, why = record["validity"]["valid"], must_be_invalid(record)
    if record["kind"] != loads.record_kind(record["job"]):
        message = "is {}, but its job is {}".format(checks.shown(record["kind"]), loads.of(record["job"]))
        found.append(Problem("kind", message))
    if valid and why:
        found.append(Problem("validity.valid", "is true although " + " and ".join(why)))
    if not valid and record["status"] == "ok" and not record["validity"]["reasons"]:
        found.append(Problem("validity.reasons", "is empty although the record is not valid"))
    _bad_rungs(record["memory"]["rungs"], found)
    if (record["status"] == "ok") != (record["error"] is None):
        found.append(Problem("error", "must be null exactly when the status is ok"))
    return found


def _bad_rungs(rungs: Sequence[Mapping[str, Any]], found: List[Problem]) -> None:
    """Rungs that hold less than a part of themselves; all sizes of one are of one reading of the kernel's."""
    for index, rung in enumerate(rungs):
        rss: Any = rung.get("rss")
        for part in PARTS if rss is not None else ():
            if (rung.get(part) or 0) > rss:
                checks.report(found, "memory.rungs[{}].{}".format(index, part), "is above its rss")


def _bad_samples(record: Record, decode: Optional[Decode]) -> List[Problem]:
    """Series that do not decode, too many of them, and durations of a valid record that are not above 0."""
    latency = record["latency"]
    processes = latency["processes"] + latency.get("disturbed", [])
    total = sum(each["n"] for process in processes for _, each in _series_of(process))
    if total > MAX_RECORD_SAMPLES:
        return [Problem("latency", "has {} samples, at most {}".format(total, MAX_RECORD_SAMPLES))]
    found: List[Problem] = []
    if decode is None:
        return found
    for path, key, each in _every_series(latency):
        try:
            values = decode(each)
        except ValueError as error:
            found.append(Problem(path, str(error)))
            continue
        if key in ("samples", "response") and record["validity"]["valid"] and min(values, default=0) <= 0:
            found.append(Problem(path, "holds a duration that is not above 0"))
    return found or _impossible(record, decode)


def _impossible(record: Record, decode: Decode) -> List[Problem]:
    """Processes under load whose figures cannot be of one another."""
    found, shape = [], loads.of(record["job"])
    for index, process in enumerate(record["latency"]["processes"] if shape != loads.SINGLE else []):
        path, durations = "latency.processes[{}]".format(index), decode(process["samples"])
        if shape == loads.OFFLINE:
            if process["streams"] != record["job"]["load"]["streams"]:
                found.append(Problem(path + ".streams", "is not what its job asks for"))
            elif sum(durations) > process["seconds"] * process["streams"] * 1e9 * SLACK:
                found.append(Problem(path + ".seconds", "is shorter than the inferences that it holds"))
        else:
            response = decode(process["response"])
            if len(response) != len(durations) or any(r < d for r, d in zip(response, durations)):
                found.append(Problem(path + ".response", "is not of the same inferences as `samples`"))
    return found


def _every_series(latency: Mapping[str, Any]) -> Iterator[Tuple[str, str, Any]]:
    for part in ("processes", "disturbed"):
        for index, process in enumerate(latency.get(part, [])):
            for key, each in _series_of(process):
                yield "latency.{}[{}].{}".format(part, index, key), key, each


def _series_of(process: Mapping[str, Any]) -> Iterator[Tuple[str, Any]]:
    return ((key, process[key]) for key in SERIES if process.get(key) is not None)


def _repeated(jobs: List[Job], path: str) -> List[Problem]:
    seen: Dict[str, int] = {}
    found = []
    for index, job in enumerate(jobs):
        if job["id"] in seen:
            first = "{}[{}]".format(path, seen[job["id"]])
            found.append(Problem("{}[{}].id".format(path, index), "is the same as that of " + first))
        seen[job["id"]] = index
    return found


def upgrade(document: Any, path: str) -> Dict[str, Any]:
    """Return the document in the current version. BadFileError for no version, a newer one, or one without a
    way up."""
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


def load(path: str, kind: str = "", decode: Optional[Decode] = samples.decode) -> Dict[str, Any]:
    """Read, upgrade and check a file; BadFileError with the first problems, each with its place in the file.

    kind: `bundle`, `jobs` or `record` (of any load shape) where only that will do. decode: as in `problems`.
    """
    return check_document(read_json(path), path, kind, decode)


def check_document(
    value: Any, path: str, kind: str = "", decode: Optional[Decode] = samples.decode
) -> Dict[str, Any]:
    """Return the document that `path` holds, upgraded and checked; the rest as `load`."""
    document = upgrade(value, path)
    allowed = RECORDS if kind == "record" else ("orbitbench." + kind,)
    if kind and document.get("kind") not in allowed:
        raise BadFileError(
            "{}: is {}, expected orbitbench.{}".format(path, checks.shown(document.get("kind")), kind)
        )
    found = problems(document, decode)
    if found:
        refusal = ContradictionError if found[0].path == "validity.valid" else BadFileError
        lines = ["{} {}".format(p.path, p.reason) for p in found[:5]]
        more = " (and {} more)".format(len(found) - 5) if len(found) > 5 else ""
        raise refusal("{}: {}{}".format(path, "; ".join(lines), more))
    return document
