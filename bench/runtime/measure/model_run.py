"""The life of one model in one fresh process: the ladder up, the samples, the check of its output."""

import os
import time
import zipfile  # noqa: F401  numpy needs it to read references; loaded now, it is no step of the ladder
from array import array
from typing import Callable, Dict, Generator, Iterator, List, NamedTuple, Optional, Tuple, TypeVar

from bench.record import files, loads, measure, samples
from bench.record.backends import find
from bench.record.measured import Cold, ProcessLatency
from bench.record.types import Build, Environment, Findings, Job, Measure, Task
from bench.runtime.backends import create_backend
from bench.runtime.backends.base import Backend, BackendError, Settings
from bench.runtime.backends.null import NullBackend
from bench.runtime.machine import page_cache, process
from bench.runtime.machine.clock import iso_utc, now_ns
from bench.runtime.measure import load_shapes, timing
from bench.runtime.measure.accuracy import measure_accuracy
from bench.runtime.measure.memory import Ladder, reset_peak, trim
from bench.runtime.measure.model_io import make_inputs, residual
from bench.runtime.measure.output_check import check_outputs
from bench.runtime.measure.turns import against

T = TypeVar("T")

OVERHEAD_SAMPLES = 1000

Buffers = Dict[str, "array[int]"]  # of samples, warm-up and the device's own times, in ns

Taken = NamedTuple(
    "Taken",
    [
        ("started", float),  # s since the epoch
        ("warm", int),  # warm-up inferences
        ("outcome", timing.Outcome),
        ("before", process.Snapshot),
        ("after", process.Snapshot),
        ("compute", bool),  # whether the device's own times lie in the buffer
    ],
)


def settings_of(task: Task) -> Settings:
    """Return the backend's settings of a task; the bundle's input shapes resolve dynamic dimensions."""
    job = task["job"]
    options = dict(job.get("options") or {})
    shapes = {t["name"]: t["shape"] for t in job["model"].get("inputs") or []}
    options.setdefault("input_shapes", shapes)
    return Settings(
        job["precision"], job["threads"], job["batch"], task.get("cache_dir"), task.get("build"), options
    )


def build(task: Task) -> Optional[Build]:
    """Have the engine of `task` in the cache, measuring nothing; return how it was built."""
    backend = create_backend(task["job"], settings_of(task))
    backend.import_library()
    with backend:
        backend.load(task["model"])
    return backend.build_info()


def time_call(work: Callable[[], T]) -> Tuple[T, float]:
    """Return what `work` returns, and the seconds that it took."""
    start = now_ns()
    found = work()
    return found, (now_ns() - start) * 1e-9


def load_cold(task: Task) -> Iterator[Findings]:
    """Yield the seconds of loading and of the first inference, the files of the model dropped from the page
    cache.

    Then the same with the inferences of a warm-up after them, as a series. Nothing where the files cannot be
    dropped. The libraries stay cached.
    """
    plan = measure.complete(task["measure"], None)
    warmup = timing.buffer(plan["max_samples"])
    backend = create_backend(task["job"], settings_of(task))
    backend.import_library()
    kept = (
        page_cache.files_below(task["cache_dir"]) if task["build"] is not None and task["cache_dir"] else []
    )
    with backend:
        if not page_cache.drop([task["model"]] + kept):
            return
        tensors, loaded = time_call(lambda: backend.load(task["model"]))
        backend.bind(make_inputs(tensors, task.get("reference"), task["seed"]))
        first = _first(backend)
        cold: Cold = {"cold_load_seconds": loaded, "cold_first_seconds": first}
        yield {"cold": cold}
        plan = timing.adapt_plan(plan, first, plan["timeout_seconds"] - process.age())
        n = timing.warm_up(backend.infer, plan, warmup)
    yield {"cold": {**cold, "cold_warmup": samples.encode(warmup[:n])}}


def _first(backend: Backend) -> float:
    """Seconds of the first inference of a bound model: `bind` has made it, or it is made now."""
    known = backend.first_seconds()
    return time_call(backend.infer)[1] if known is None else known


def run(task: Task) -> Iterator[Findings]:
    """Measure, and hand over each finding as it becomes known, so that a failure costs no earlier one."""
    plan = measure.complete(task["measure"], None)
    room = {name: timing.buffer(plan["max_samples"]) for name in ("samples", "warmup", "compute")}
    backend = create_backend(task["job"], settings_of(task))
    if backend.fake:
        task = {**task, "reference": None}  # it computes nothing that could be compared
    reset_peak()
    ladder = Ladder(task["process"], task.get("nvmap_before"))
    yield {"rungs": ladder.rungs}  # the list that the ladder extends
    ladder.read("start")
    backend.import_library()
    ladder.read("backend_imported")
    # Every backend has imported numpy; the first median loads what later ones need.
    timing.half_width(room["samples"], timing.BATCHES)
    with backend:
        ladder.read("device_initialised", backend.memory)
        environment = yield from _measure_model(task, plan, backend, ladder, room)
    libraries = _libraries() if task["process"] == 0 else {}
    environment.update(processor=find(task["job"]["backend"]).device, versions=backend.versions())
    yield {"environment": dict(environment, fake=backend.fake, libraries=libraries)}


def _libraries() -> Dict[str, str]:
    """Name -> SHA-256 of the mapped inference libraries; once a job, as hundreds of megabytes take seconds.

    Not their paths, which lead through home folders. Of two of one name the second gets a number.
    """
    found = {}  # type: Dict[str, str]
    for path in filter(os.path.exists, process.mapped_libraries()):
        name = os.path.basename(path)
        key = name if name not in found else "{} ({})".format(name, len(found))
        found[key] = files.sha256_of(path)
    return found


def _measure_model(
    task: Task, plan: Measure, backend: Backend, ladder: Ladder, room: Buffers
) -> Generator[Findings, None, Environment]:
    """Load, measure and check the model; return how the backend ran it."""
    tensors, loaded = time_call(lambda: backend.load(task["model"]))
    ladder.read("model_loaded", backend.memory)
    inputs = make_inputs(tensors, task.get("reference"), task["seed"])
    backend.bind(inputs)
    first = _first(backend)
    ladder.read("first_run", backend.memory)
    with load_shapes.streams(task, backend.settings, inputs) as others:
        plan = timing.adapt_plan(plan, first, plan["timeout_seconds"] - process.age())
        taken = _sample(task, plan, [backend.infer] + others, backend, room)
        ladder.read("steady", backend.memory)
        trim()
        ladder.read("steady_trimmed", backend.memory)  # nothing that allocates comes before this rung
    facts = process.difference(taken.before, taken.after)
    facts["oversubscribed"] = int(_oversubscribed(task["job"], 1 + len(others)))
    latency: ProcessLatency = {**_entry(task, taken, room), "load_seconds": loaded, "first_seconds": first}
    yield {"facts": facts, "latency": latency}
    latency = {**latency, "overhead": samples.encode(overhead(backend.settings))}
    yield {"latency": latency}
    yield {"residual": residual(ladder.rungs, backend.memory())}
    environment = {"backend": backend.configuration(), "build": backend.build_info()}
    yield {"environment": environment}
    check = check_outputs(backend.outputs(), task, backend.arithmetic())
    yield {"output_check": check}
    if not check["ok"]:
        raise BackendError("wrong_output", check["message"], "the timings of a wrong answer do not count")
    if task.get("against"):  # after the rungs: the reference's memory is not the model's
        yield {"latency": {**latency, "turns": against(task, backend.settings, backend.infer)}}
    test_set = task.get("test_set")
    if test_set and task["process"] == 0 and not backend.fake:
        yield {"accuracy": measure_accuracy(backend, inputs, task, test_set)}
    return environment


def _oversubscribed(job: Job, streams: int) -> bool:
    """Whether the streams' own threads wait for each other's CPUs: waiting is then no sign of other load."""
    threads = job["threads"] or len(os.sched_getaffinity(0))
    return streams > 1 and streams * threads > len(os.sched_getaffinity(0))


def _sample(
    task: Task, plan: Measure, infers: List[Callable[[], None]], backend: Backend, room: Buffers
) -> Taken:
    """Warm up, then fill the buffers; the machine's state just before and just after the samples."""
    started, shape, loop = time.time(), loads.of(task["job"]), None
    shared = plan.copy()
    shared["warmup_seconds"] = plan["warmup_seconds"] / len(infers)
    for infer in infers[1:]:
        timing.warm_up(infer, shared, room["warmup"])
    if shape == loads.SINGLE and backend.compute_seconds() is not None:
        loop = timing.with_compute(room["compute"], backend.compute_seconds)
    warm = timing.warm_up(infers[0], plan, room["warmup"])
    before = process.snapshot()
    if shape == loads.OFFLINE:
        outcome = load_shapes.Offline(infers, room["samples"]).run(plan)
    elif shape == loads.PACED:
        rate = task["job"]["load"]["rate"]
        outcome = load_shapes.paced(infers[0], room["samples"], room["compute"], rate, plan)
    else:
        outcome = timing.measure(infers[0], plan, room["samples"], loop)
    return Taken(started, warm, outcome, before, process.snapshot(), loop is not None)


def _entry(task: Task, taken: Taken, room: Buffers) -> ProcessLatency:
    """Return the process's entry in the record's `latency`."""
    n, shape = taken.outcome.n, loads.of(task["job"])
    entry: ProcessLatency = {
        "process": task["process"],
        "order": task["order"],
        "started": iso_utc(taken.started),
        "build": task.get("build"),
        "warmup": samples.encode(room["warmup"][: taken.warm]),
        "samples": samples.encode(room["samples"][:n]),
        "compute": samples.encode(room["compute"][:n]) if taken.compute else None,
        "stopped_by": taken.outcome.stopped_by,
        "cpu_seconds": taken.outcome.cpu_seconds,
        "wall_seconds": taken.outcome.wall_seconds,
    }
    if shape == loads.OFFLINE:
        entry["streams"] = task["job"]["load"]["streams"]
        entry["seconds"] = taken.outcome.wall_seconds
    if shape == loads.PACED:
        entry["response"] = samples.encode(room["compute"][:n])
    return entry


def overhead(settings: Settings) -> List[int]:
    """Return what the timing loop itself costs: samples (ns) of a backend that does nothing."""
    with NullBackend(settings) as null:
        out = timing.buffer(OVERHEAD_SAMPLES)
        timing.sample(null.infer, out, 0, OVERHEAD_SAMPLES)
    return list(out)
