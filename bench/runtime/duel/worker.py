"""A process that holds one model and measures it in turns, on request; `versus` asks two of them.

Standard input: a task (one line, as `supervise.worker` takes it), then lines of one integer each, the
nanoseconds of a turn. Standard output: `{"ready": output check}` or `{"error": {kind, message, advice}}`,
then a line a turn: its samples in nanoseconds. Ends with its standard input.
"""

import gc
import json
import os
import sys
from typing import Callable, Optional

from bench.record import measure
from bench.record.types import Task
from bench.runtime.backends import create_backend
from bench.runtime.machine.process import die_with_parent
from bench.runtime.measure import timing
from bench.runtime.measure.model_io import make_inputs
from bench.runtime.measure.model_run import settings_of
from bench.runtime.measure.output_check import check_outputs
from bench.runtime.measure.turns import ROOM, turn
from bench.runtime.supervise.worker import failure


def _play(task: Task, answer: Callable[[object], None]) -> None:
    """Load, warm up, then answer every line of standard input with a turn."""
    _pin(task.get("cpu"))
    plan, out = measure.complete(task["measure"], None), timing.buffer(ROOM)
    backend = create_backend(task["job"], settings_of(task))
    backend.import_library()
    with backend:
        backend.bind(make_inputs(backend.load(task["model"]), task.get("reference"), task["seed"]))
        timing.warm_up(backend.infer, plan, out)
        check = check_outputs(backend.outputs(), task, backend.arithmetic())
        answer({"ready": check})
        gc.collect()
        gc.disable()
        for line in sys.stdin:
            answer(turn(backend.infer, int(line), out))


def _pin(cpu: Optional[int]) -> None:
    """Both models of a round on one CPU, so that neither has the busier one."""
    if cpu is not None:
        os.sched_setaffinity(0, {cpu})


def main() -> int:
    """Exit code 0, also after an error: it was reported as data."""
    die_with_parent()
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(value: object) -> None:
        pipe.write(json.dumps(value) + "\n")
        pipe.flush()

    try:
        _play(json.loads(sys.stdin.readline()), answer)
    except (Exception, MemoryError) as error:
        answer({"error": failure(error)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
