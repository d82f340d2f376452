"""Two models in turns in one process: their ratio is free of the machine's own ups and downs.

Neighbouring turns of some milliseconds meet nearly the same moment of a shared machine (bench/runtime/duel
shows more). Here one of the two is a reference that every job of a list is compared with. What one thread
computes on a CPU is timed by the process's CPU time: a long inference on a busy machine nearly always waits
for a CPU somewhere, a short one seldom, which would distort their ratio. All else is timed by the clock.
"""

import random
from array import array
from statistics import median
from typing import Callable, List

from bench.record.types import Task
from bench.runtime.backends import create_backend
from bench.runtime.backends.base import Settings
from bench.runtime.machine.clock import cpu_ns, now_ns
from bench.runtime.measure import timing
from bench.runtime.measure.model_io import make_inputs

Clock = Callable[[], int]
LEAST = 3  # samples a turn, however long they take
ROOM = 100000  # samples a turn, at most
PAIRS = 5  # pairs of turns at least


def turn(
    infer: Callable[[], None], length: int, out: "array[int]", least: int = LEAST, clock: Clock = now_ns
) -> List[int]:
    """Return the samples of a turn of `length` ns; one inference before them, for the caches that the other
    one has filled, is not timed."""
    infer()
    end, n = now_ns() + length, 0
    while n < least or (n < len(out) and now_ns() < end):
        start = clock()
        infer()
        out[n] = clock() - start
        n += 1
    return list(out[:n])


def against(task: Task, settings: Settings, infer: Callable[[], None]) -> List[List[int]]:
    """Measure neighbouring turns of `infer` and of the reference that the task names, in ns an inference."""
    plan = task["job"]["model"]["against"]
    assert plan
    other = create_backend(task["job"], settings._replace(options=dict(settings.options, input_shapes={})))
    other.import_library()
    alone = other.device == "cpu" and settings.threads == 1
    with other:
        other.bind(make_inputs(other.load(task["against"] or ""), None, task["seed"]))
        clock, sides = cpu_ns if alone else now_ns, [infer, other.infer]
        return alternate(sides, plan["seconds"], plan["turn_seconds"], task["seed"], clock)


def alternate(
    infers: List[Callable[[], None]], seconds: float, length: float, seed: int, clock: Clock = now_ns
) -> List[List[int]]:
    """Turns of `length` s in random order for `seconds`; the median (ns) of each side, a pair a time."""
    order, out = random.Random(seed), timing.buffer(ROOM)
    pairs: List[List[int]] = []
    until = now_ns() + seconds * 1e9
    while len(pairs) < PAIRS or now_ns() < until:
        took = [0, 0]
        for side in order.sample([0, 1], 2):
            samples = turn(infers[side], int(length * 1e9), out, 1, clock)
            took[side] = max(1, int(median(samples)))
        pairs.append(took)
    return pairs
