"""One measuring process: reads a task on standard input, measures, writes one JSON result on standard output.

Task: {"job", "process", "order", "model" and "reference" (paths or null), "measure", "seed", "nvmap_before",
"cache_dir", "build" (number of its engine or null), "only_build", "only_load", "profile", "folder"}.
Result: {"status", "error", "latency", "rungs", "residual", "output_check", "facts", "environment"},
{"status", "error", "cold"} or {"status", "error", "profile"}: a part.
Whatever fails comes back as data; only a killed process leaves no result. The standard output that libraries
see is standard error, so that their chatter cannot spoil the result.
"""

import json
import os
import sys

from bench.record.types import Error, Part, Task
from bench.runtime.backends.base import BackendError
from bench.runtime.machine.process import die_with_parent
from bench.runtime.measure import profile
from bench.runtime.measure.model_run import build, load_cold, run


def failure(error: BaseException) -> Error:
    """Any exception as {kind, message, advice}."""
    if isinstance(error, BackendError):
        return {"kind": error.kind, "message": error.message, "advice": error.advice}
    if isinstance(error, MemoryError):
        advice = "use a smaller model or batch, or free memory on the board"
        return {"kind": "out_of_memory", "message": "memory ran out ({})".format(error), "advice": advice}
    text = "{}: {}".format(type(error).__name__, " ".join(str(error).split())[:400])
    advice = "this is likely a fault of the runtime; please report it with this message"
    return {"kind": "crashed", "message": text, "advice": advice}


def main() -> int:
    """Exit code 0: a result was written."""
    die_with_parent()
    result_pipe = os.dup(1)
    os.dup2(2, 1)
    task: Task = json.loads(sys.stdin.read())
    part: Part = {"status": "ok", "error": None}
    try:
        if task.get("only_build"):
            part["build"] = build(task)
        elif task.get("profile"):
            part["profile"] = profile.run(task)
        else:
            for found in load_cold(task) if task.get("only_load") else run(task):
                part = {**part, **found}
    except (Exception, MemoryError) as error:
        part["status"], part["error"] = "failed", failure(error)
    with os.fdopen(result_pipe, "w") as stream:
        json.dump(part, stream)
    return 0


if __name__ == "__main__":
    sys.exit(main())
