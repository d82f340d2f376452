"""The defaults of how a job is measured, and how much is enough: what both sides know."""

from typing import Optional

from bench.record.types import Measure

DEFAULTS: Measure = {
    "processes": 3,
    "warmup": 20,  # inferences at least
    "warmup_seconds": 0.2,  # and seconds at least: clocks ramp in time, not in inferences (trtexec's default)
    "min_samples": 100,
    "max_samples": 20000,
    "min_seconds": 0.5,
    "max_seconds": 3.0,
    "target_ci": 0.02,  # half width of the 95 % interval of the median, relative
    "timeout_seconds": 120,
    "builds": 3,  # engines of a job, where its backend builds any: process p measures engine p modulo builds
    "build_timeout_seconds": 1800,  # of one build: TensorRT takes minutes on a Jetson
    "cold_loads": 1,  # further processes of a job that load its model from a file out of the page cache
    "repeats": 2,  # times that a process is measured again after other load, throttling or a moved clock
    "max_waiting": 0.05,  # share of the timed span that a thread may wait for a CPU; more: `other_load`
}

MIN_SAMPLES = 11  # fewer bound no median with confidence 0.99 (the early-stopping rule with p = 0.5)
MAX_DRIFT = 0.05  # relative change of the median from the first third to the last, above which a record warns


def complete(of_list: Measure, of_job: Optional[Measure]) -> Measure:
    """Return the whole plan of a job: its own over the list's over the defaults."""
    plan = DEFAULTS.copy()
    plan.update(of_list)
    plan.update(of_job or {})
    return plan


def build_number(plan: Measure, process: int) -> int:
    """Return which engine of a job its process measures; the profile is of the first. plan: complete."""
    return int(process % plan["builds"]) if process < plan["processes"] else 0


def steps(plan: Measure) -> int:
    """Return how many processes a job takes: those that measure, and after them the profile's. plan:
    complete.

    `profile` is in a plan only where it is asked for: one more process, watched by the library's profiler.
    """
    return int(plan["processes"]) + bool(plan.get("profile"))


def builds(plan: Measure) -> int:
    """Return how many engines are built for a job. plan: complete."""
    return int(min(plan["builds"], plan["processes"]))
