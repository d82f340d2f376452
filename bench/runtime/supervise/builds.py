"""Engine builds: each in a process and under a limit of its own, before the first process that measures it.

Built within a measuring process, an engine would have to fit that process's time, and a build that was killed
would be repeated by every attempt.
"""

from typing import Callable, Dict, Optional, Tuple

from bench.record import backends, measure
from bench.record.types import Build, Job, Part, Task
from bench.runtime.machine.clock import now_ns
from bench.runtime.supervise import supervisor


def build_of(job: Job, process: int) -> Optional[int]:
    """Return which engine the process of the job measures; None where its backend builds none."""
    return measure.build_number(job["measure"], process) if backends.find(job["backend"]).builds else None


class Builds(object):
    """The builds of one run, by job and number."""

    def __init__(self, say: Callable[[Dict[str, object]], None]) -> None:
        self.say = say
        self.made: Dict[Tuple[str, Optional[int]], Build] = {}

    def ensure(self, task: Task, watch: Callable[[int], None]) -> Optional[Part]:
        """Build what `task` measures, unless it is there already; the failed part where that cannot be."""
        job, number = task["job"], task["build"]
        if number is None or (job["id"], number) in self.made:
            return None
        event = {"event": "build", "job": job["id"], "build": number, "of": measure.builds(job["measure"])}
        self.say(dict(event, status="started"))
        limit, began = job["measure"]["build_timeout_seconds"], now_ns()
        alone: Task = {**task, "only_build": True}
        part = supervisor.run_child(alone, limit, watch)
        event.update(status=part["status"], seconds=(now_ns() - began) * 1e-9)
        if part["error"]:
            part = _explained(part, limit)
            self.say(dict(event, error=part["error"]))
            return part
        self.made[job["id"], number] = part.get("build") or {}
        self.say(dict(event, cached=bool(self.made[job["id"], number].get("cached"))))
        return None

    def described(self, task: Task, part: Part) -> Part:
        """Return the measured part with how its engine was built, which the process itself only loaded."""
        made = self.made.get((task["job"]["id"], task["build"]))
        loaded = part.get("environment", {}).get("build")
        if not (made and loaded and loaded.get("cached")):
            return part
        build = dict(made, warnings=made["warnings"] + loaded["warnings"])
        return {**part, "environment": dict(part["environment"], build=build)}


def _explained(part: Part, limit: float) -> Part:
    """The part, with a limit of builds named as such."""
    if not part["error"] or part["error"]["kind"] != "timeout":
        return part
    message = "the engine build gave no result within {:g} s and was killed".format(limit)
    advice = "raise build_timeout_seconds; the tactics timed by earlier builds are kept, so try again"
    return supervisor.failed("timeout", message, advice)
