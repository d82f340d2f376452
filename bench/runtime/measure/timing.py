"""The timed loop: fixed warm-up, then samples until they are enough, each bracketed by the clock and
nothing else."""

import gc
import time
from array import array
from typing import Callable, NamedTuple, Optional

from bench.record.measure import MIN_SAMPLES
from bench.record.types import Measure
from bench.runtime.machine.clock import now_ns

CHUNK_NS = 20 * 1000 * 1000  # between two looks at the clock and the interval
BATCHES = 20
STUDENT_19 = 2.093  # 97.5 % quantile with 19 degrees of freedom, for the mean of 20 batch medians

Loop = Callable[[Callable[[], None], "array[int]", int, int], None]
Outcome = NamedTuple(
    "Outcome",
    [
        ("n", int),
        ("stopped_by", str),  # target_ci | max_samples | max_time | time_left
        ("cpu_seconds", float),  # of all threads of the process, harness included
        ("wall_seconds", float),
    ],
)


def buffer(count: int) -> "array[int]":
    """Return room for `count` samples whose pages are touched now, so that sampling moves no rung of the
    memory ladder."""
    return array("q", b"\x01" * (8 * count))


def sample(infer: Callable[[], None], out: "array[int]", first: int, last: int) -> None:
    """Time inferences into out[first:last], nanoseconds each."""
    clock = now_ns
    for i in range(first, last):
        start = clock()
        infer()
        out[i] = clock() - start


def with_compute(compute: "array[int]", read: Callable[[], Optional[float]]) -> Loop:
    """Return a `sample` that also stores the device's own time of each inference, read outside the timed
    region."""

    def loop(infer: Callable[[], None], out: "array[int]", first: int, last: int) -> None:
        clock = now_ns
        for i in range(first, last):
            start = clock()
            infer()
            out[i] = clock() - start
            compute[i] = int((read() or 0.0) * 1e9)

    return loop


def adapt_plan(plan: Measure, first: float, left: float) -> Measure:
    """Return the plan for a model whose first inference took `first` s in a process that has `left` s to
    live.

    A slow model warms up and is sampled less often, rather than losing everything at its time limit: a
    quarter of the time left goes to warming up at most, and sampling ends (`time_left`) before it is over.
    """
    warm = left / 4
    slow = plan.copy()
    slow["warmup"] = max(1, min(plan["warmup"], int(warm / max(first, 1e-9))))
    slow["warmup_seconds"] = min(plan["warmup_seconds"], warm)
    slow["time_left"] = left * 0.6
    return slow


def warm_up(infer: Callable[[], None], plan: Measure, out: "array[int]") -> int:
    """Run until both the count and the seconds of the plan are reached; how many samples lie in `out`."""
    start, n = now_ns(), 0
    while n < len(out) and (n < plan["warmup"] or now_ns() - start < plan["warmup_seconds"] * 1e9):
        sample(infer, out, n, n + 1)
        n += 1
    return n


def half_width(out: "array[int]", n: int) -> float:
    """Return the relative half width of the 95 % interval of the median, from the medians of 20 batches in
    order of time.

    Batches rather than single samples, because neighbours resemble each other. numpy, because a sorted copy
    as Python integers would grow the heap that is being measured.
    """
    import numpy

    size = min(n, len(out)) // BATCHES
    if not size:
        return float("inf")  # fewer samples than batches have no interval
    medians = numpy.median(numpy.frombuffer(out, "int64", size * BATCHES).reshape(BATCHES, size), axis=1)
    return float(STUDENT_19 * medians.std(ddof=1) / BATCHES**0.5 / medians.mean())


def measure(
    infer: Callable[[], None],
    plan: Measure,
    out: "array[int]",
    loop: Optional[Loop] = None,
) -> Outcome:
    """Fill `out` by the plan's rule: minimum count and seconds and target interval, or else a maximum."""
    gc.collect()
    gc.disable()
    loop, n, look = loop or sample, 0, plan["min_samples"]
    cpu, start = time.process_time(), now_ns()
    try:
        while True:
            elapsed = now_ns() - start
            stop = _maximum(plan, n, elapsed, len(out))
            if not stop and n >= look and elapsed >= plan["min_seconds"] * 1e9:
                look = n + n // 2  # few looks: each costs, and often looking stops too early
                if half_width(out, n) <= plan["target_ci"]:
                    stop = "target_ci"
            if stop:
                break
            step = max(1, min(int(CHUNK_NS * n / elapsed) if n else 1, len(out) - n))
            loop(infer, out, n, n + step)
            n += step
    finally:
        gc.enable()
    done, spent = now_ns(), time.process_time() - cpu
    return Outcome(n, stop, spent, (done - start) * 1e-9)


def _maximum(plan: Measure, n: int, elapsed: int, room: int) -> str:
    if n >= room:
        return "max_samples"
    if n and elapsed * (n + 1) / n >= plan.get("time_left", float("inf")) * 1e9:
        return "time_left"
    # a slow model is given three times as long to reach the count below which there is no interval
    patience = 1 if n >= MIN_SAMPLES else 3
    return "max_time" if n and elapsed >= patience * plan["max_seconds"] * 1e9 else ""
