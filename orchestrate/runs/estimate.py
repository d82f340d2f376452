"""How long a run takes, before it starts: pure arithmetic over the plan."""

from bench.record import backends, measure
from bench.record.bundle import PlannedExperiment
from bench.record.types import Job, Measure
from orchestrate.quantities import counted
from orchestrate.runs.types import Plan

START_SECONDS = (1.0, 10.0)  # of a process: interpreter, library, loading the model; a PC, a slow board
BUILD_SECONDS = (60.0, 300.0)  # of a TensorRT engine on a Jetson, as published builds of such networks take


def lines(planned: Plan) -> list[str]:
    """Return one line a device: processes, engine builds, and how long both take."""
    return [_line(name, part["jobs"], planned["experiment"]) for name, part in planned["devices"].items()]


def _line(name: str, jobs: list[Job], experiment: PlannedExperiment) -> str:
    plans = [measure.complete(experiment.get("measure") or {}, job["measure"]) for job in jobs]
    processes = sum(map(measure.steps, plans))
    shortest = sum(_seconds(plan, plan["min_seconds"], START_SECONDS[0]) for plan in plans)
    longest = sum(_seconds(plan, plan["max_seconds"], START_SECONDS[1]) for plan in plans)
    line = f"{name}: {counted(processes, 'process')}, about {spoken(shortest)} to {spoken(longest)}"
    pairs = zip(jobs, plans, strict=True)
    built = [plan for job, plan in pairs if backends.find(job["backend"]).builds]
    if built:
        count = sum(map(measure.builds, built))
        low, high = (spoken(count * seconds) for seconds in BUILD_SECONDS)
        limit = spoken(max(plan["build_timeout_seconds"] for plan in built))
        line += f", and {counted(count, 'engine build')}, about {low} to {high} (at most {limit} each)"
    return line


def _seconds(plan: Measure, sampling: float, start: float) -> float:
    """How long all processes of a job take, each of which starts, warms up and samples."""
    return measure.steps(plan) * (start + plan["warmup_seconds"] + sampling)


def spoken(seconds: float) -> str:
    """Return `40 s`, `12 min`, `5.3 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
