"""From the parts of a job to its record. Pure: nothing is read, nothing measured."""

from statistics import median
from typing import List, Optional, Sequence

from bench.record import backends, loads, samples, schema
from bench.record.checks import Problem
from bench.record.readings import Reading, SpanFacts
from bench.record.types import (
    Disturbed,
    Environment,
    Error,
    Job,
    Note,
    OperatorProfile,
    OutputCheck,
    Part,
    Record,
    Validity,
)
from bench.runtime.machine.environment import without_places
from bench.runtime.measure.validity import Verdict, judge, note
from bench.runtime.supervise.job_list import JobList


def finish_part(part: Part, environment: Environment, sensors: List[Reading]) -> Part:
    """Return the part of one process with drift, sensors and verdict added. sensors: with `t` on the samples'
    clock."""
    own = dict(environment, **part.get("environment", {}))
    verdict, entry, error = Verdict([], []), part.get("latency"), part["error"]
    if entry:
        entry["drift"] = drift(samples.seconds(entry["samples"]))
        span = part["facts"]
        for reading in sensors:
            reading["timed"] = span["begin"] <= reading["t"] <= span["end"]
        inside = [s for s in sensors if s["timed"]]
        around = surrounding(sensors, span)
        verdict = judge({**entry, "plan": part["job"]["measure"]}, span, inside, own, around)
    cast = backends.cast_problem(part["job"], own.get("machine"))
    if cast:
        verdict.warnings.append(note("computed_in_fp32", cast))
    if error and error["kind"] == "wrong_output":
        verdict.reasons.append({"code": "wrong_output", "message": error["message"]})
    if error and error["kind"] == "killed":
        error = {**error, "message": _last_size(error["message"], sensors)}
    start = sensors[0]["t"] if sensors else 0.0
    moved: List[Reading] = [{**s, "t": round(s["t"] - start, 3)} for s in sensors]
    reasons, warnings = verdict
    validity: Validity = {"valid": not reasons, "reasons": reasons, "warnings": warnings}
    return {**part, "error": error, "sensors": moved, "validity": validity, "environment": own}


def surrounding(sensors: List[Reading], span: SpanFacts) -> List[Reading]:
    """Return the readings during the samples, the last one before and the first one after: short measurements
    have none of their own."""
    before = [s for s in sensors if s["t"] < span["begin"]][-1:]
    after = [s for s in sensors if s["t"] > span["end"]][:1]
    return before + [s for s in sensors if span["begin"] <= s["t"] <= span["end"]] + after


def drift(seconds: Sequence[float]) -> Optional[float]:
    """Return the relative change of the median from the first third of the samples to the last; None for
    fewer than 30."""
    third = len(seconds) // 3
    return median(seconds[-third:]) / median(seconds[:third]) - 1 if third >= 10 else None


def _last_size(message: str, sensors: List[Reading]) -> str:
    sizes = [size for size in (each.get("rss") for each in sensors) if size]
    return "{} It held {:.0f} MB when last seen.".format(message, sizes[-1] / 1e6) if sizes else message


def of_profile(part: Part) -> Part:
    """Return the part of a profile's process, which may fail without failing its job."""
    failed: OperatorProfile = {"source": "", "runs": 0, "layers": [], "others": None, "error": part["error"]}
    profile = part.get("profile") or failed
    return {"status": "ok", "error": None, "profile": profile}


def attempt(part: Part) -> Disturbed:
    """Return what a record keeps of an attempt that was disturbed: its samples and why they do not count."""
    return {**part["latency"], "reasons": part["validity"]["reasons"]}


def record(jobs: JobList, job: Job, parts: List[Part]) -> Record:
    """Return the record of a job from its parts in the order of the processes.

    The first failure is the job's.
    """
    error = next((p["error"] for p in parts if p["error"]), None)
    if error:
        error = {**error, "message": without_places(error["message"], jobs.bundle)}
    entries = [p["latency"] for p in parts if p.get("latency")]
    return {
        "schema": schema.VERSION,
        "kind": loads.record_kind(job),
        "run": jobs.run,
        "device": jobs.device,
        "job": job,
        "status": "failed" if error else "ok",
        "error": error,
        "validity": _validity(parts, bool(error)),
        "latency": {
            "unit": "s",
            "processes": entries,
            "disturbed": [again for p in parts for again in p.get("disturbed", [])],
        },
        "memory": {
            "unit": "byte",
            "rungs": [r for p in parts for r in p.get("rungs", [])],
            "residual": [r for p in parts for r in p.get("residual", [])],
        },
        "output_check": _worst([p["output_check"] for p in parts if p.get("output_check")]),
        "accuracy": next((p["accuracy"] for p in parts if p.get("accuracy")), None),
        "profile": _profile(parts, jobs.bundle),
        "sensors": [
            {**s, "process": p["process"]} for p in parts if "profile" not in p for s in p.get("sensors", [])
        ],
        "environment": _environment(parts),
    }


def skipped(jobs: JobList, job: Job, environment: Environment, reason: Error) -> Record:
    """Return the record of a job that was never started; `reason` is {kind, message, advice}."""
    empty: Part = {"status": "skipped", "process": 0, "error": reason, "environment": environment}
    made = record(jobs, job, [empty])
    codes = schema.INVALID_CODES
    known: List[Note] = (
        [{"code": reason["kind"], "message": reason["message"]}] if reason["kind"] in codes else []
    )
    validity: Validity = {"valid": False, "reasons": known, "warnings": []}
    return {**made, "status": "skipped", "validity": validity}


def unfit(jobs: JobList, job: Job, environment: Environment, problem: Problem) -> Record:
    """Return the record of a job whose measured one cannot be kept, for `problem`.

    Without the environment where that is what cannot be kept.
    """
    message = "its record cannot be kept: {} {}".format(problem.path, problem.reason)
    advice = "this is likely a fault of the runtime; please report it with this message"
    error: Error = {"kind": "crashed", "message": message, "advice": advice}
    empty: Part = {"status": "failed", "process": 0, "error": error, "environment": environment}
    made = record(jobs, job, [empty])
    return record(jobs, job, [{**empty, "environment": {}}]) if schema.problems(made) else made


def _validity(parts: List[Part], failed: bool) -> Validity:
    reasons: List[Note] = []
    warnings: List[Note] = []
    for part in parts:
        found = part.get("validity")
        if found:
            reasons += [{**each, "process": part["process"]} for each in found["reasons"]]
            warnings += [{**each, "process": part["process"]} for each in found["warnings"]]
        if part.get("disturbed"):
            codes = sorted({reason["code"] for again in part["disturbed"] for reason in again["reasons"]})
            message = "measured again after {} disturbed attempts ({})"
            message = message.format(len(part["disturbed"]), ", ".join(codes))
            warnings.append({"code": "repeated", "message": message, "process": part["process"]})
        accuracy = part.get("accuracy")
        if accuracy and accuracy.get("non_finite"):
            message = "NaN or infinite outputs for {non_finite} of the test set's {n} images"
            warnings.append(
                {
                    "code": "non_finite_outputs",
                    "message": message.format(**accuracy),
                    "process": part["process"],
                }
            )
    return {"valid": not reasons and not failed, "reasons": reasons, "warnings": warnings}


def _profile(parts: List[Part], bundle: str) -> Optional[OperatorProfile]:
    profile = next((p["profile"] for p in parts if p.get("profile")), None)
    error = profile.get("error") if profile else None
    if profile and error:
        return {**profile, "error": {**error, "message": without_places(error["message"], bundle)}}
    return profile


def _worst(checks: List[OutputCheck]) -> Optional[OutputCheck]:
    if not checks:
        return None
    return min(checks, key=lambda c: (c["ok"], -(c["max_abs_error"] or 0.0), -c.get("unequal", 0.0)))


def _environment(parts: List[Part]) -> Environment:
    """That of the first part, which alone hashes the libraries, and what each process saw of the machine."""
    known = [p["environment"] for p in parts if p.get("environment")]
    spans = [dict(p["facts"], process=p["process"]) for p in parts if p.get("facts")]
    resumed = any(e.get("resumed") for e in known)
    return dict(known[0] if known else {}, resumed=resumed, spans=spans)


def p50(part: Part) -> Optional[float]:
    """Return the median of one process in seconds, for the progress line.

    Every other figure is the host's.
    """
    entry = part.get("latency")
    return median(samples.seconds(entry["samples"])) if entry else None
