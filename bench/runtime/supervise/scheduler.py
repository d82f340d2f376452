"""The parent: works through a job list, one fresh process after another, and leaves a record a job."""

import json
import os
import sys
import time
from collections import deque
from typing import Callable, Deque, Dict, List, Optional, Tuple

from bench.record import files, measure, schema
from bench.record.measured import SelfTest
from bench.record.readings import Reading
from bench.record.types import BundleFile, Disturbed, Error, Job, Part, Record, Task, files_of
from bench.runtime.machine.clock import now_ns
from bench.runtime.machine.environment import describe
from bench.runtime.machine.nvmap import total_bytes
from bench.runtime.machine.sensors import Sensors, names
from bench.runtime.measure.selftest import self_test
from bench.runtime.measure.validity import disturbances
from bench.runtime.supervise import record_builder, supervisor
from bench.runtime.supervise.builds import Builds, build_of
from bench.runtime.supervise.job_list import JobList, Step, file_problem, is_profile, order
from bench.runtime.supervise.store import Store

Event = Dict[str, object]  # a line of JSON on standard output
Emit = Callable[[Event], None]


def emit(event: Event) -> None:
    """One JSON object, one line, at once. Whoever listened may be gone: the work goes on."""
    try:
        sys.stdout.write(json.dumps(event) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  for the rest of the run


class Scheduler(object):
    """One run of a job list into a folder; a second one there goes on where the first was stopped."""

    def __init__(self, jobs: JobList, store: Store, say: Emit = emit) -> None:
        self.jobs, self.store, self.say = jobs, store, say
        self.sensors = Sensors()
        self.environment = describe(jobs.board)
        self.environment["sensors"] = names(self.sensors)
        self.steps = order(jobs.jobs, jobs.seed)
        self.spent: List[float] = []
        self.builds = Builds(say)
        self.disturbed: Dict[Tuple[str, int], List[Disturbed]] = {}

    def run(self) -> int:
        """Work through everything that is not there yet. Exit code 0: all records ok, 1: some are not."""
        self.store.sweep(self.jobs)
        self.environment["resumed"] = self._count() > 0
        header = {"event": "start", "time": time.time(), "jobs": len(self.jobs.jobs)}
        numbered = {(step.job["id"], build_of(step.job, step.process)) for step in self.steps}
        builds = sum(number is not None for _, number in numbered)
        self.say(dict(header, processes=len(self.steps), builds=builds, done=self._count()))
        test = self.environment["self_test"] = self_test()
        self.say(dict(test, event="self_test"))
        left: Deque[Step] = deque(self.steps)
        while left:
            step = left.popleft()
            if self.store.done(step.job, step.process):
                self._complete(step.job)
            elif not test["ok"]:
                self._skip(step.job, test)
            elif not self._step(step._replace(order=len(self.spent))):
                left.insert(sum(not is_profile(each) for each in left), step)  # profiles stay the last
        return self._end()

    def _count(self) -> int:
        return sum(self.store.done(step.job, step.process) for step in self.steps)

    def _skip(self, job: Job, test: SelfTest) -> None:
        message = "the self-test missed: memory {memory_error:+.1%}, time {time_error:+.1%}".format(**test)
        advice = "stop what else runs on the device and run again"
        reason: Error = {"kind": "self_test_failed", "message": message, "advice": advice}
        self._record(job, record_builder.skipped(self.jobs, job, self.environment, reason))

    def _step(self, step: Step) -> bool:
        """Measure one process and keep its part; False when it was disturbed and is to be measured again."""
        began = now_ns()
        part = self._measure(step)
        self.spent.append((now_ns() - began) * 1e-9)
        attempts = self.disturbed.setdefault((step.job["id"], step.process), [])
        if disturbances(part) and self._may_repeat(step.job, attempts):
            attempts.append(record_builder.attempt(part))
            self._tell(step, {**part, "status": "disturbed"})
            return False
        part["disturbed"] = attempts
        if part["error"] is None:
            self.store.write(self.store.part_path(step.job, step.process), part)
            self._tell(step, part)
            self._complete(step.job)
        else:  # a failure ends its job at once: the other processes would fail as well
            self._tell(step, part)
            self._record(
                step.job, record_builder.record(self.jobs, step.job, self.store.parts(step.job) + [part])
            )
        return True

    def _may_repeat(self, job: Job, attempts: List[Disturbed]) -> bool:
        """Within the job's `repeats`, and within half of the run's steps: a load that stays wins nothing."""
        repeated = sum(len(made) for made in self.disturbed.values())
        return len(attempts) < job["measure"]["repeats"] and repeated < (len(self.steps) + 1) // 2

    def _measure(self, step: Step) -> Part:
        """Run one process; the finished part."""
        problem = self._file_problem(step.job)
        readings: List[Reading] = []

        def watch(pid: int) -> None:
            readings.append(self._reading(supervisor.resident(pid)))

        if not problem:
            part = self._run(step, readings, watch)
            readings.append(self._reading(None))
            problem = self._file_problem(step.job)  # again: what was measured must be what was promised
        if problem:
            part = supervisor.failed(**problem)
        whole: Part = {**part, "process": step.process, "run": self.jobs.run, "job": step.job}
        return record_builder.finish_part(whole, self.environment, readings)

    def _reading(self, rss: Optional[int]) -> Reading:
        sensed: Reading = {**self.sensors.read()}  # type: ignore[typeddict-item] # the other keys come now
        sensed["t"], sensed["rss"] = time.perf_counter(), rss
        return sensed

    def _run(self, step: Step, readings: List[Reading], watch: Callable[[int], None]) -> Part:
        """Build the step's engine where it needs one, then measure."""
        failed = self.builds.ensure(self._task(step), watch)
        if failed:
            return failed
        del readings[:]  # those taken while building say nothing of the measurement
        task = self._task(step)
        limit = step.job["measure"]["timeout_seconds"]
        part = supervisor.run_child(task, limit, watch)
        if task["profile"]:
            return record_builder.of_profile(part)
        part = self.builds.described(task, part)
        if part["error"] is None and self._loads_cold(step):
            alone: Task = {**task, "only_load": True}
            cold = supervisor.run_child(alone, limit, lambda pid: None)
            part = {**part, "latency": {**part["latency"], **cold.get("cold", {})}}
        return part

    def _loads_cold(self, step: Step) -> bool:
        is_real = step.job["backend"] not in schema.FAKE_BACKENDS
        return bool(is_real and step.process < step.job["measure"]["cold_loads"])

    def _file_problem(self, job: Job) -> Optional[Error]:
        found = (file_problem(self.jobs.bundle, f["file"], f["sha256"]) for f in files_of(job["model"]))
        return next((problem for problem in found if problem), None)

    def _task(self, step: Step) -> Task:
        model = step.job["model"]
        return {
            "job": step.job,
            "process": step.process,
            "order": step.order,
            "model": os.path.join(self.jobs.bundle, model["file"]),
            "reference": self._inside(model.get("reference")),
            "test_set": self._inside(model.get("test_set")),
            "against": self._inside(model.get("against")),
            "measure": step.job["measure"],
            "seed": self.jobs.seed,
            "nvmap_before": total_bytes(),
            "cache_dir": os.path.join(self.store.out, "cache"),
            "build": build_of(step.job, step.process),
            "profile": is_profile(step),
            "folder": self.store.out,
        }

    def _inside(self, described: Optional[BundleFile]) -> Optional[str]:
        return os.path.join(self.jobs.bundle, described["file"]) if described else None

    def _tell(self, step: Step, part: Part) -> None:
        done = self._count() + (1 if part["error"] else 0)
        heat = [s["temperature"] for s in part["sensors"] if s["temperature"] is not None]
        event: Event = {"event": "process", "job": step.job["id"], "process": step.process, "done": done}
        event.update(of=step.job["measure"]["processes"], total=len(self.steps), status=part["status"])
        event.update(p50=record_builder.p50(part), temperature=heat[-1] if heat else None)
        event.update(eta=sum(self.spent) / len(self.spent) * (len(self.steps) - done))
        if part["status"] == "disturbed":
            event["reasons"] = disturbances(part)
        if part["error"]:
            event["error"] = part["error"]
        self.say(event)

    def _complete(self, job: Job) -> None:
        """Write the record of a job whose last part has come; also after a death between the two."""
        missing = not all(self.store.done(job, k) for k in range(measure.steps(job["measure"])))
        if not missing and not os.path.exists(self.store.record_path(job)):
            self._record(job, record_builder.record(self.jobs, job, self.store.parts(job)))

    def _record(self, job: Job, record: Record) -> None:
        wrong = schema.problems(record)
        if wrong:  # cannot happen; if it does, it must not look like a result, nor end the other jobs
            record = record_builder.unfit(self.jobs, job, self.environment, wrong[0])
        path = self.store.record_path(job)
        self.store.write(path, record)
        event: Event = {"event": "record", "job": job["id"], "status": record["status"]}
        self.say(dict(event, file="records/{}.json".format(job["id"]), sha256=files.sha256_of(path)))

    def _end(self) -> int:
        found = [self.store.status(job) for job in self.jobs.jobs]
        counts = {status: found.count(status) for status in schema.STATUSES}
        self.say(dict(counts, event="end"))
        return 0 if counts["ok"] == len(found) else 1
