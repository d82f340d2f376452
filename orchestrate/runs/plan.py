"""From a bundle and some devices to job lists. Pure: reads nothing, writes nothing, knows no clock."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from bench.record import backends
from orchestrate.devices import Device
from orchestrate.errors import BadInput

Json = dict[str, Any]


def jobs_of(models: list[Json], device: Device) -> list[Json]:
    """Every model x precision x thread count of `device`; BadInput for a file that it cannot run."""
    return [
        {
            "id": f"{model['id']}--{device.backend}-{precision}-t{threads}",
            "model": model,
            "backend": device.backend,
            "precision": precision,
            "threads": threads,
            "batch": model.get("batch") or 1,
            "options": dict(device.options),
            "measure": dict(device.measure),
        }
        for model in models
        for precision in precisions(model, device)
        for threads in device.threads
    ]


def precisions(model: Json, device: Device) -> list[str]:
    """In what a model runs there: an fp32 file in all that the device asks for, any other as what it is."""
    file = model.get("precision") or "fp32"
    asked: list[str] = [*device.precisions] if file == "fp32" else [file]
    for problem in filter(None, (backends.precision_problem(device.backend, each, file) for each in asked)):
        raise BadInput(f"{model['id']}: {problem}")
    return asked


def plan(bundle: Json, devices: Mapping[str, Device], version: str) -> Json:
    """What is to be done, without when: the same bundle, devices and program give the same plan and hash."""
    content = {
        "experiment": bundle["experiment"],
        "orbitbench": version,
        "devices": {
            name: {"settings": device.model_dump(mode="json"), "jobs": jobs_of(bundle["models"], device)}
            for name, device in devices.items()
        },
        "skipped": bundle["skipped"],
    }
    return {"schema": 1, "kind": "orbitbench.plan", "hash": digest(content), **content}


def digest(content: Json) -> str:
    """SHA-256 of a JSON value, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def for_run(plan: Json, run: str, created: str) -> Json:
    """`plan.json` of `run`: the plan with job ids in place of jobs (those are in each device's jobs.json)."""
    devices = {
        name: {**part, "jobs": [job["id"] for job in part["jobs"]]} for name, part in plan["devices"].items()
    }
    return {**plan, "run": run, "created": created, "devices": devices}


def job_list(plan: Json, run: str, device: str) -> Json:
    """`jobs.json` of one device. The order of work is drawn from `seed`, which the run's name decides."""
    part = plan["devices"][device]
    return {
        "schema": 1,
        "kind": "orbitbench.jobs",
        "run": run,
        "device": device,
        "bundle": "../bundle",
        "seed": int(digest({"run": run, "device": device})[:8], 16),
        "measure": plan["experiment"].get("measure", {}),
        "board": {},
        "jobs": part["jobs"],
    }


def reduced(jobs: Json, wanted: list[str], board: Json) -> Json:
    """The job list with the jobs in `wanted` only, and with what is now known of the board."""
    left = set(wanted)
    return {
        **jobs,
        "board": {**jobs["board"], **board},
        "jobs": [job for job in jobs["jobs"] if job["id"] in left],
    }
