"""Offline and paced load: the timed loops beside the single stream of `timing`."""

import threading
import time
from array import array
from contextlib import contextmanager
from typing import Callable, Iterator, List

from bench.record import loads
from bench.record.measure import MIN_SAMPLES
from bench.record.types import Measure, Task
from bench.runtime.backends import create_backend
from bench.runtime.backends.base import Backend, Settings
from bench.runtime.machine.clock import now_ns
from bench.runtime.measure import timing
from bench.runtime.measure.model_io import Arrays

LOOK_SECONDS = 0.02  # between two looks of the thread that ends the streams

Infer = Callable[[], None]


@contextmanager
def streams(task: Task, settings: Settings, inputs: Arrays) -> Iterator[List[Infer]]:
    """The further streams of an offline job: each a session of its own on the same model and inputs."""
    load = task["job"].get("load") or {}
    count = load["streams"] - 1 if load.get("kind") == loads.OFFLINE else 0
    opened: List[Backend] = []
    try:
        for _ in range(count):
            backend = create_backend(task["job"], settings)
            backend.import_library()
            backend.__enter__()
            opened.append(backend)
            backend.load(task["model"])
            backend.bind({name: value.copy() for name, value in inputs.items()})
        yield [backend.infer for backend in opened]
    finally:
        for backend in reversed(opened):
            backend.__exit__(None, None, None)


class Offline(object):
    """Streams that work side by side until the time is up or the samples are full."""

    def __init__(self, infers: List[Infer], out: "array[int]") -> None:
        self.infers, self.out = infers, out
        self.counts = [0] * len(infers)
        self.errors: List[BaseException] = []
        self.stop = False

    def _work(self, stream: int, barrier: threading.Barrier) -> None:
        """Sample i of a stream lies at out[i * streams + stream]: neighbours are of about one time."""
        clock, infer, out, step = now_ns, self.infers[stream], self.out, len(self.infers)
        try:
            barrier.wait()
            for i in range(stream, len(out) // step * step, step):
                if self.stop:
                    break
                start = clock()
                infer()
                out[i] = clock() - start
                self.counts[stream] += 1
        except Exception as error:  # raised again in the main thread
            self.errors.append(error)
        self.stop = True

    def run(self, plan: Measure) -> timing.Outcome:
        """Fill `out`, without gaps, until the plan's `max_seconds`; a slow model gets three times as long."""
        barrier = threading.Barrier(len(self.infers) + 1)
        threads = [
            threading.Thread(target=self._work, args=(k, barrier), daemon=True)
            for k in range(len(self.infers))
        ]
        for thread in threads:
            thread.start()
        barrier.wait()
        cpu, begin = time.process_time(), now_ns()
        stopped_by = self._watch(plan, begin)
        self.stop = True
        for thread in threads:
            thread.join()
        wall, spent = (now_ns() - begin) * 1e-9, time.process_time() - cpu
        if self.errors:
            raise self.errors[0]
        return timing.Outcome(self._close(), stopped_by, spent, wall)

    def _watch(self, plan: Measure, begin: int) -> str:
        while not self.stop:
            elapsed = (now_ns() - begin) * 1e-9
            if elapsed >= plan.get("time_left", float("inf")):
                return "time_left"
            patience = 1 if sum(self.counts) >= MIN_SAMPLES else 3
            if elapsed >= patience * plan["max_seconds"]:
                return "enough"
            time.sleep(min(LOOK_SECONDS, max(0.001, plan["max_seconds"] - elapsed)))
        return "max_samples"

    def _close(self) -> int:
        """Move the samples together; how many there are."""
        step, n = len(self.infers), 0
        for row in range(max(self.counts)):
            for stream in range(step):
                if row < self.counts[stream]:
                    self.out[n] = self.out[row * step + stream]
                    n += 1
        return n


def paced(
    infer: Infer, out: "array[int]", response: "array[int]", rate: float, plan: Measure
) -> timing.Outcome:
    """Send one request every 1/rate s: its own time into `out`, from due to answered into `response`."""
    period, left = 1e9 / rate, plan.get("time_left", float("inf"))
    count = min(len(out), max(MIN_SAMPLES, plan["min_samples"], int(plan["min_seconds"] * rate)))
    clock, cpu, stopped_by, n = now_ns, time.process_time(), "enough", 0
    begin = clock()
    while n < count:
        due = begin + int((n + 1) * period)
        if (due - begin) * 1e-9 > left or (clock() - begin) * 1e-9 > left:
            stopped_by = "time_left"
            break
        wait = due - clock()
        if wait > 0:
            time.sleep(wait * 1e-9)
        start = clock()
        infer()
        end = clock()
        out[n], response[n] = end - start, end - due
        n += 1
    return timing.Outcome(n, stopped_by, time.process_time() - cpu, (clock() - begin) * 1e-9)
