"""From a bundle and some devices to job lists, and what a plan must look like. Pure: reads nothing, writes
nothing, knows no clock."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.record import backends, checks, loads
from bench.record.bundle import Bundle, PlannedExperiment
from bench.record.checks import (
    Problem,
    anything,
    fields,
    identifier,
    listing,
    mapping,
    nullable,
    number,
    sha256,
    text,
)
from bench.record.types import Job, Json, Load, Measure, Model
from orchestrate.device_values import Name
from orchestrate.devices import Device
from orchestrate.errors import BadInput
from orchestrate.runs.types import Content, JobList, Plan, PlannedDevice, RefusedModel, Swept

Split = tuple[list[Model], list[tuple[Model, str]]]  # models that run; others with the reason
OWN_FILES: PlannedExperiment = {"name": "onnx", "sha256": None, "measure": {}}  # without an experiment
MOST_LINES = 10  # of refused models, where none is left
_DEVICE_NAME: TypeAdapter[str] = TypeAdapter(Name)
_SETTINGS = TypeAdapter(Device)


def _device_names(value: Any, path: checks.Path, found: list[Problem]) -> None:
    """Keys that may become folders of a run; a plan's own settings are only ever compared and shown."""
    for name, part in value.items() if isinstance(value, dict) else ():
        for adapter, what in ((_DEVICE_NAME, name), (_SETTINGS, part.get("settings"))):
            try:
                adapter.validate_python(what)
            except ValidationError as error:
                checks.report(found, (path, name), error.errors()[0]["msg"].removeprefix("Value error, "))


_skipped = listing(fields({"id": identifier, "reason": text}, {"command": nullable(text)}))
_refused = listing(fields({"model": text, "reason": text}, {"device": text}), most=100000)
_swept_part = fields(
    {"threads": listing(number(0, integer=True, maximum=256)), "precisions": listing(identifier)}, {}
)
_part = fields({"settings": mapping(anything), "jobs": listing(identifier)}, {"swept": _swept_part})
_plan = fields(
    {
        "run": identifier,
        "hash": sha256,
        "devices": mapping(_part),
        "experiment": fields({"name": text}, {}),
    },
    {"skipped": _skipped, "refused": _refused, "created": text, "orbitbench": text},
)


def problems(document: Json) -> list[Problem]:
    """Return everything that is wrong with a `plan.json` of this version; empty when nothing is."""
    found: list[Problem] = []
    _plan(document, "", found)
    if not found:
        _device_names(document["devices"], "devices", found)
    for name, part in document["devices"].items() if not found else ():
        if len(set(part["jobs"])) < len(part["jobs"]):
            found.append(Problem(f"devices.{name}.jobs", "names a job twice"))
    return found


def refusal(refused: RefusedModel) -> str:
    """Return one line on a model that a run leaves out."""
    where = f" on {refused['device']}" if "device" in refused else ""
    return f"{refused['model']}: refused{where}: {refused['reason']}"


def jobs_of(
    models: list[Model], device: Device, shapes: Sequence[Load] = ({},), typed: bool = False
) -> list[Job]:
    """Return every model x precision x thread count of `device` x load shape (`{}`: a single stream).

    typed: as `_precisions` takes it. BadInput for a file or a load that the device's backend cannot serve.
    """
    for shape in shapes:
        if problem := loads.problem(device.backend, shape):
            raise BadInput(problem)
    return [
        _job(model, device, precision, threads, shape)
        for model in models
        for precision in _precisions(model, device, typed)
        for threads in device.threads
        for shape in shapes
    ]


def _job(model: Model, device: Device, precision: str, threads: int, load: Load) -> Job:
    job: Job = {
        "id": f"{model['id']}--{device.backend}-{precision}-t{threads}{loads.suffix(load)}",
        "model": model,
        "backend": device.backend,
        "precision": precision,
        "threads": threads,
        "batch": model.get("batch") or 1,
        "options": dict(device.options),
        "measure": Measure(**device.measure),  # type: ignore[typeddict-item]  # whole numbers stay whole
    }
    if load:
        job["load"] = load
        job["measure"]["profile"] = False  # a profile is of single inferences
    return job


def _precisions(model: Model, device: Device, typed: bool = False) -> list[str]:
    """In what a model runs there: an fp32 file in all that the device asks for, any other as what it is.

    typed: the device's precisions are those of the command line, which hold for every file.
    """
    if problem := _precision_problem(model, device, typed):
        raise BadInput(f"{model['id']}: {problem}")
    return _asked(model, device, typed)


def _split(models: list[Model], device: Device, typed: bool = False) -> Split:
    """Return the models whose files `device` runs, the others with the reason; typed: as `_precisions`."""
    problems = [(model, _precision_problem(model, device, typed)) for model in models]
    return [m for m, problem in problems if not problem], [(m, found) for m, found in problems if found]


def _asked(model: Model, device: Device, typed: bool) -> list[str]:
    return [*device.precisions] if typed or _file(model) == "fp32" else [_file(model)]


def _file(model: Model) -> str:
    return model.get("precision") or "fp32"


def _precision_problem(model: Model, device: Device, typed: bool) -> str | None:
    asked = _asked(model, device, typed)
    found = [backends.precision_problem(device.backend, each, _file(model)) for each in asked]
    found.append(backends.precision_of_options(device.backend, device.options, asked))
    return next(filter(None, found), None)


def plan(
    bundle: Bundle,
    devices: Mapping[str, Device],
    version: str,
    swept: Mapping[str, Device] | None = None,
    shapes: Sequence[Load] = ({},),
    typed: bool = False,
) -> Plan:
    """Return what is to be done, without when: the same bundle, devices and program give the same plan and
    hash.

    swept: the devices as the command line changes them for this run, where it does; `settings` keep what
    devices.yaml has. shapes: of load, as `jobs_of` takes them. typed: as `_precisions` takes it.
    """
    run_as = swept or devices
    runnable = {name: _split(bundle["models"], run_as[name], typed) for name in devices}
    for name, (models, bad) in runnable.items():
        if bad and not models:
            lines = [f"{name}: {model['id']}: {reason}" for model, reason in bad]
            raise BadInput("\n".join(lines[:MOST_LINES]))
    parts: dict[str, PlannedDevice] = {}
    for name, device in devices.items():
        jobs = jobs_of(runnable[name][0], run_as[name], shapes, typed)
        parts[name] = {"settings": device.model_dump(mode="json"), "jobs": jobs}
        if run_as[name] != device:
            parts[name]["swept"] = _swept(run_as[name])
    content: Content = {
        "experiment": bundle["experiment"] or OWN_FILES,
        "orbitbench": version,
        "devices": parts,
        "skipped": bundle["skipped"],
    }
    if refused := [*_unreadable(bundle), *_unsuited(runnable)]:
        content["refused"] = refused
    return {"schema": 1, "kind": "orbitbench.plan", "hash": _digest(content), **content}


def _unreadable(bundle: Bundle) -> Iterator[RefusedModel]:
    for each in bundle.get("refused", []):
        yield {"model": each["file"], "reason": each["reason"]}


def _unsuited(runnable: Mapping[str, Split]) -> Iterator[RefusedModel]:
    for name, (_, bad) in runnable.items():
        for model, reason in bad:
            yield {"model": model["id"], "device": name, "reason": reason}


def _swept(device: Device) -> Swept:
    return {"threads": [*device.threads], "precisions": [*device.precisions]}


def _digest(content: object) -> str:
    """Return the SHA-256 of a JSON value, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def for_run(plan: Plan, run: str, created: str) -> Json:
    """Return `plan.json` of `run`: the plan with job ids in place of jobs, which jobs.json holds."""
    devices = {
        name: {**part, "jobs": [job["id"] for job in part["jobs"]]} for name, part in plan["devices"].items()
    }
    return {**plan, "run": run, "created": created, "devices": devices}


def job_list(plan: Plan, run: str, device: str) -> JobList:
    """Return `jobs.json` of one device.

    The order of work is drawn from `seed`, which the run's name decides.
    """
    part = plan["devices"][device]
    return {
        "schema": 1,
        "kind": "orbitbench.jobs",
        "run": run,
        "device": device,
        "bundle": "../bundle",
        "seed": int(_digest({"run": run, "device": device})[:8], 16),
        "measure": plan["experiment"].get("measure", {}),
        "board": {},
        "jobs": part["jobs"],
    }


def differing_field(planned: Mapping[str, Any], found: Mapping[str, Any]) -> str | None:
    """Return the first field in which a record's job is not the planned one, or None.

    A record's `measure` is all that the runtime went by: it must hold what was planned, and may hold more.
    """
    for name in sorted({*planned, *found} - {"measure"}):
        if planned.get(name) != found.get(name):
            return name
    return None if planned["measure"].items() <= found.get("measure", {}).items() else "measure"


def restrict(jobs: JobList, wanted: list[str], board: Json) -> JobList:
    """Return the job list with the jobs in `wanted` only, and with what is now known of the board."""
    left = set(wanted)
    return {
        **jobs,
        "board": {**jobs["board"], **board},
        "jobs": [job for job in jobs["jobs"] if job["id"] in left],
    }
