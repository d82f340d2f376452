"""The parent: works through a job list, one fresh process after another, and leaves a record a job."""

import json
import os
import sys
import time
from typing import Any, Callable, Dict, List, Optional

from bench.record import schema
from bench.record.files import BadFileError, read_json, write_json
from bench.runtime import assemble, launch
from bench.runtime.clock import now_ns
from bench.runtime.environment import describe
from bench.runtime.jobs import JobList, Step, file_problem, order, sha256_of
from bench.runtime.selftest import self_test
from bench.runtime.sensors import Sensors, names

Emit = Callable[[Dict[str, Any]], None]


def emit(event: Dict[str, Any]) -> None:
    """One JSON object, one line, at once."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


class Scheduler(object):
    """One run of a job list into a folder; `run` may be called again after any death and goes on."""

    def __init__(self, jobs: JobList, out_dir: str, say: Emit = emit) -> None:
        self.jobs, self.out, self.say = jobs, out_dir, say
        self.sensors = Sensors()
        self.environment = describe(jobs.board)
        self.environment["sensors"] = names(self.sensors)
        self.steps = order(jobs.jobs, jobs.seed)
        self.spent: List[float] = []
        for folder in ("parts", "records"):
            os.makedirs(os.path.join(out_dir, folder), exist_ok=True)

    def run(self) -> int:
        """Work through everything that is not there yet. Exit code 0: all records ok, 1: some are not."""
        done = sum(self._done(step) for step in self.steps)
        header = {"event": "start", "time": time.time(), "jobs": len(self.jobs.jobs)}
        self.say(dict(header, processes=len(self.steps), done=done))
        test = self_test()
        self.environment["self_test"] = test
        self.say(dict(event="self_test", **test))
        for step in self.steps:
            if not self._done(step):
                self._step(step, test)
        return self._end()

    def _path(self, folder: str, name: str) -> str:
        return os.path.join(self.out, folder, name + ".json")

    def _part_path(self, job: Dict[str, Any], process: int) -> str:
        return self._path("parts", "{}.{}".format(job["id"], process))

    def _done(self, step: Step) -> bool:
        record = os.path.exists(self._path("records", step.job["id"]))
        return record or os.path.exists(self._part_path(step.job, step.process))

    def _step(self, step: Step, test: Dict[str, Any]) -> None:
        if not test["ok"]:
            message = "the self-test missed: memory {memory_error:+.1%}, time {time_error:+.1%}".format(
                **test
            )
            advice = "stop what else runs on the device and run again"
            reason = {"kind": "self_test_failed", "message": message, "advice": advice}
            self._record(step.job, assemble.skipped(self.jobs, step.job, self.environment, reason))
            return
        began = now_ns()
        part = self._measure(step)
        self.spent.append((now_ns() - began) * 1e-9)
        self._tell(step, part)
        self._keep(step, part)

    def _measure(self, step: Step) -> Dict[str, Any]:
        """Run one process; the finished part."""
        problem = self._file_problem(step.job)
        readings: List[Dict[str, Any]] = []

        def watch(pid: int) -> None:
            readings.append(dict(self.sensors.read(), t=time.perf_counter()))

        if problem:
            part = launch.failed(**problem)
        else:
            part = launch.run_child(self._task(step), step.job["measure"]["timeout_seconds"], watch)
        part["process"] = step.process
        return assemble.finish_part(part, step.job, self.environment, readings)

    def _file_problem(self, job: Dict[str, Any]) -> Optional[Dict[str, str]]:
        files = [job["model"], job["model"].get("reference")]
        found = (file_problem(self.jobs.bundle, f["file"], f["sha256"]) for f in files if f)
        return next((problem for problem in found if problem), None)

    def _task(self, step: Step) -> Dict[str, Any]:
        model, reference = step.job["model"], step.job["model"].get("reference")
        cache = os.path.join(self.out, "cache")
        return {
            "job": step.job,
            "process": step.process,
            "order": step.order,
            "model": os.path.join(self.jobs.bundle, model["file"]),
            "reference": os.path.join(self.jobs.bundle, reference["file"]) if reference else None,
            "measure": step.job["measure"],
            "seed": self.jobs.seed,
            "cache_dir": cache,
        }

    def _tell(self, step: Step, part: Dict[str, Any]) -> None:
        entry, rungs = part.get("latency"), part.get("rungs") or [{}]
        done = sum(self._done(s) for s in self.steps) + 1
        heat = [s["temperature"] for s in part["sensors"] if s["temperature"] is not None]
        event = {"event": "process", "job": step.job["id"], "process": step.process, "done": done}
        event.update(of=step.job["measure"]["processes"], total=len(self.steps), status=part["status"])
        event.update(
            p50=assemble.p50(entry), rss=rungs[-1].get("rss"), temperature=heat[-1] if heat else None
        )
        event.update(eta=sum(self.spent) / len(self.spent) * (len(self.steps) - done))
        if part["error"]:
            event["error"] = part["error"]
        self.say(event)

    def _keep(self, step: Step, part: Dict[str, Any]) -> None:
        """Store the part, and the record when it was the job's last; a failure ends its job at once."""
        job = step.job
        if part["error"] is None:
            self._write(self._part_path(job, step.process), part, job)
            if step.process + 1 < job["measure"]["processes"]:
                return
        parts = [self._read_part(job, k) for k in range(step.process)]
        self._record(job, assemble.record(self.jobs, job, [p for p in parts if p] + [part]))

    def _read_part(self, job: Dict[str, Any], process: int) -> Optional[Dict[str, Any]]:
        try:
            return dict(read_json(self._part_path(job, process)))
        except BadFileError:
            return None

    def _record(self, job: Dict[str, Any], record: Dict[str, Any]) -> None:
        wrong = schema.problems(record)
        if wrong:  # cannot happen; if it does, it must not look like a result
            raise AssertionError("record of {}: {}".format(job["id"], wrong[:3]))
        path = self._path("records", job["id"])
        self._write(path, record, job)
        event = {"event": "record", "job": job["id"], "status": record["status"]}
        self.say(dict(event, file="records/{}.json".format(job["id"]), sha256=sha256_of(path)))

    def _write(self, path: str, value: Any, job: Dict[str, Any]) -> None:
        write_json(path, value)

    def _end(self) -> int:
        counts = {"ok": 0, "failed": 0, "skipped": 0}
        for job in self.jobs.jobs:
            counts[schema.load(self._path("records", job["id"]), "record")["status"]] += 1
        self.say(dict(event="end", **counts))
        return 0 if counts["ok"] == len(self.jobs.jobs) else 1
