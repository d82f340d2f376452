"""What a process can know and settle about itself: its parent, its threads' waiting, its clocks."""

import functools
import os
import re
import time
from typing import Callable, Dict, List, NamedTuple, Optional

from bench.record.parent_process import die_with
from bench.record.readings import SpanFacts
from bench.runtime.machine.clock import now_ns, read_together
from bench.runtime.machine.procfs import matching_paths, read_text

PARENT = "ORBITBENCH_PARENT"  # process id, for a child alone: its own children have another
STARTED = now_ns()  # a measuring process imports this before anything large

Snapshot = NamedTuple(
    "Snapshot",
    [
        ("waiting", Optional[float]),  # s
        ("cpu", float),
        ("machine", Dict[str, float]),
        ("clocks", Dict[str, float]),
    ],
)


def age() -> float:
    """Return the seconds since this process began to measure."""
    return (now_ns() - STARTED) * 1e-9


def for_child() -> Dict[str, str]:
    """Return the environment of a child that calls `die_with_parent`: a slow start may outlive a parent."""
    return dict(os.environ, **{PARENT: str(os.getpid())})


def die_with_parent() -> None:
    """Be killed when the parent dies, so that no work goes on that nobody collects (Linux only).

    The parent is who made the environment (`for_child`), else who has us now.
    """
    die_with(int(os.environ.pop(PARENT, os.getppid())))


def waiting_seconds(task_root: str = "/proc/self/task") -> Optional[float]:
    """Return the seconds that our threads were ready but had no CPU: the largest of any thread; None without
    schedstat."""
    waits = []
    for path in matching_paths(task_root + "/*/schedstat"):
        words = (read_text(path) or "").split()
        if len(words) == 3:
            waits.append(int(words[1]) * 1e-9)
    return max(waits) if waits else None


def machine_cpu(path: str = "/proc/stat") -> Dict[str, float]:
    """Return the seconds since boot, over all CPUs: `busy` (user, nice, system, irq, softirq) and `steal`
    (proc(5))."""
    words = (read_text(path) or "").split("\n", 1)[0].split()
    if len(words) < 9 or words[0] != "cpu":
        return {}
    tick = float(os.sysconf("SC_CLK_TCK"))
    user, nice, system, _idle, _iowait, irq, softirq, steal = (int(w) / tick for w in words[1:9])
    return {"busy": user + nice + system + irq + softirq, "steal": steal}


def clocks() -> Dict[str, float]:
    """Return the clocks whose disagreement betrays a step, a suspension or a slewed monotonic clock, in
    seconds, all at one moment."""
    others: Dict[str, Callable[[], float]] = {"wall": time.time}
    for name, clock in (("raw", "CLOCK_MONOTONIC_RAW"), ("boot", "CLOCK_BOOTTIME")):
        number = getattr(time, clock, 7 if name == "boot" else None)  # CLOCK_BOOTTIME has no name before 3.7
        if number is not None:
            others[name] = functools.partial(time.clock_gettime, number)
    values = {"monotonic": time.perf_counter()}
    for name, other in others.items():
        at, there = read_together(time.perf_counter, other)
        values[name] = there - (at - values["monotonic"])
    return values


LIBRARIES = re.compile(r"/lib(nvinfer|nvonnxparser|cudnn|cudart|cublas|cuda|onnxruntime)[^/]*\.so")


def mapped_libraries(maps: str = "/proc/self/maps") -> List[str]:
    """Return paths of the inference libraries that this process has mapped.

    On JetPack 4 they are the host's.
    """
    paths = {line.split(None, 5)[-1] for line in (read_text(maps) or "").splitlines() if "/" in line}
    return sorted(path for path in paths if LIBRARIES.search(path))


def snapshot() -> Snapshot:
    """Return everything whose difference over the timed span shows who else used the machine."""
    return Snapshot(waiting_seconds(), time.process_time(), machine_cpu(), clocks())


def difference(before: Snapshot, after: Snapshot) -> SpanFacts:
    """Return facts about the span between two snapshots; seconds, None where unknown."""
    begin, end = before.clocks["monotonic"], after.clocks["monotonic"]
    span, own = end - begin, after.cpu - before.cpu
    facts: SpanFacts = {"span": span, "cpu": own, "waiting": None, "others": None, "steal": None}
    facts["begin"], facts["end"] = begin, end
    if before.waiting is not None and after.waiting is not None:
        facts["waiting"] = max(0.0, after.waiting - before.waiting)
    if before.machine and after.machine:
        facts["others"] = max(0.0, after.machine["busy"] - before.machine["busy"] - own)
        facts["steal"] = after.machine["steal"] - before.machine["steal"]
    gaps = {name: after.clocks[name] - before.clocks[name] - span for name in before.clocks}
    facts["wall_gap"] = gaps["wall"]
    if "raw" in gaps:
        facts["raw_gap"] = gaps["raw"]
    if "boot" in gaps:
        facts["boot_gap"] = gaps["boot"]
    return facts
