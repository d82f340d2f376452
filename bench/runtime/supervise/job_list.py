"""A job list, checked and resolved: absolute paths that stay inside the bundle, and the order of work."""

import os
import random
from typing import List, NamedTuple, Optional

from bench.record import files, loads, schema
from bench.record import measure as defaults
from bench.record.checks import escapes
from bench.record.files import BadFileError
from bench.record.types import Environment, Error, Job, Measure
from bench.runtime.backends import backend_problems

JobList = NamedTuple(
    "JobList",
    [
        ("run", str),
        ("device", str),
        ("seed", int),
        ("bundle", str),
        ("board", Environment),
        ("jobs", List[Job]),
    ],
)
Step = NamedTuple("Step", [("job", Job), ("process", int), ("order", int)])


def load(path: str) -> JobList:
    """Return the job list at `path`, every job with its complete `measure`; BadFileError in one line for what
    cannot be run."""
    document = schema.load(path, "jobs")
    if escapes(document["bundle"].replace("../", "", 1)) or os.path.isabs(document["bundle"]):
        raise BadFileError(
            "{}: bundle is {!r}, must lie in the list's folder or beside it".format(path, document["bundle"])
        )
    bundle = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(path)), document["bundle"]))
    if not os.path.isdir(bundle):
        raise BadFileError("{}: the bundle {} is not a folder".format(path, bundle))
    jobs = [_complete(job, document.get("measure", {}), path) for job in document["jobs"]]
    return JobList(
        document["run"], document["device"], document["seed"], bundle, document.get("board", {}), jobs
    )


def _complete(job: Job, measure: Measure, path: str) -> Job:
    """Return the job with its whole measuring plan: its own over the list's over the defaults."""
    problems = backend_problems(job)
    refused = loads.problem(job["backend"], job.get("load") or {})
    for problem in problems + ([refused] if refused else []):
        raise BadFileError("{}: job {}: {}".format(path, job["id"], problem))
    plan = defaults.complete(measure, job.get("measure"))
    if plan["max_samples"] < plan["min_samples"] or plan["max_seconds"] < plan["min_seconds"]:
        raise BadFileError("{}: job {}: measure has a maximum below its minimum".format(path, job["id"]))
    if plan["max_samples"] > 1000000:
        raise BadFileError("{}: job {}: max_samples is above 1000000".format(path, job["id"]))
    # Latencies and the device's own times, of every process and of each time that it is measured again.
    most = 2 * plan["max_samples"] * plan["processes"] * (1 + plan["repeats"])
    if most > schema.MAX_RECORD_SAMPLES:
        message = "{}: job {}: a record could get {} samples, at most {}: lower max_samples or processes"
        raise BadFileError(message.format(path, job["id"], most, schema.MAX_RECORD_SAMPLES))
    return {**job, "measure": plan}


def is_profile(step: Step) -> bool:
    """Return whether the step's process profiles, rather than times, its job."""
    return step.process >= step.job["measure"]["processes"]


def order(jobs: List[Job], seed: int) -> List[Step]:
    """Shuffle all first processes, then all second ones, ...: drift of the device cannot favour a job.

    Profiles come last, in the order of the jobs.
    """
    steps: List[Step] = []
    for process in range(max([job["measure"]["processes"] for job in jobs] or [0])):
        turn = [job for job in jobs if process < job["measure"]["processes"]]
        random.Random("{}.{}".format(seed, process)).shuffle(turn)
        steps += [Step(job, process, len(steps) + i) for i, job in enumerate(turn)]
    profiled = [job for job in jobs if job["measure"].get("profile")]
    return steps + [Step(job, job["measure"]["processes"], len(steps) + i) for i, job in enumerate(profiled)]


def file_problem(bundle: str, relative: str, sha256: Optional[str]) -> Optional[Error]:
    """Return why a file of the bundle cannot be used, as {kind, message, advice}.

    None when it is as promised.
    """
    path = os.path.realpath(os.path.join(bundle, relative))
    advice = "copy the bundle to the device again"
    if not path.startswith(bundle + os.sep):
        return {"kind": "model_missing", "message": relative + ": leads out of the bundle", "advice": advice}
    try:
        found = files.sha256_of(path)
    except OSError as error:
        message = "{}: {}".format(relative, error.strerror)
        return {"kind": "model_missing", "message": message, "advice": advice}
    if sha256 and found != sha256:
        message = "{}: its SHA-256 is not that of the job list".format(relative)
        return {"kind": "model_changed", "message": message, "advice": advice}
    return None
