"""Two models against each other, in turns: a difference far below what the machine's own noise hides.

A shared machine's speed moves by tens of per cent within seconds, and two runs one after the other meet
different moments of it. Here both models are loaded, each in a fresh process, and run alternately for some
milliseconds each; neighbouring turns meet nearly the same moment, so their ratio is nearly free of it. The
idea is that of duet benchmarking (Bulej et al., ICPE 2020), with turns instead of both models at once, which
would disturb each other. A round is one pair of fresh processes: what repeats, and makes the interval.
"""

import json
import os
import random
import select
import sys
import tempfile
from statistics import median
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

from bench.runtime.backends.base import BackendError
from bench.runtime.machine.clock import now_ns
from bench.runtime.supervise.supervisor import end, start

Turn = Tuple[float, float]  # median duration of the neighbouring turns of a and of b, s
Task = Dict[str, Any]  # as `bench.runtime.supervise.worker` takes it, without what a duel has no use for
COMMAND = ["-m", "bench.runtime.duel.worker"]


class Player(object):
    """A process that holds one model; BackendError when it fails, dies, or does not answer in time."""

    def __init__(self, task: Task, command: Optional[List[str]] = None) -> None:
        self.task, self.command = task, command or COMMAND
        self.timeout = float(task["measure"]["timeout_seconds"])

    def __enter__(self) -> "Player":
        self._errors = tempfile.TemporaryFile()
        self._process = start([sys.executable] + self.command, self._errors)
        try:
            check = self._ask(json.dumps(self.task))["ready"]
            if not check["ok"]:
                advice = "the timings of a wrong answer do not count"
                raise self._error("wrong_output", check["message"], advice)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        end(self._process)
        self._errors.close()

    def turn(self, length: int) -> float:
        """Return the median duration of the inferences of a turn of `length` ns, in seconds."""
        return float(median(self._ask(str(length)))) * 1e-9

    def _ask(self, line: str) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        try:
            self._process.stdin.write((line + "\n").encode("utf-8"))
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._death() from None
        text, deadline, pipe = b"", now_ns() + self.timeout * 1e9, self._process.stdout.fileno()
        while not text.endswith(b"\n"):
            left = (deadline - now_ns()) * 1e-9
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                advice = "raise --timeout, or find out why the model hangs"
                raise self._error("timeout", "gave no answer within {:g} s".format(self.timeout), advice)
            block = os.read(pipe, 65536)
            if not block:
                raise self._death()
            text += block
        answer = json.loads(text.decode("utf-8"))
        if isinstance(answer, dict) and "error" in answer:
            raise self._error(**answer["error"])
        return answer

    def _death(self) -> BackendError:
        self._errors.seek(0)
        last = " ".join(self._errors.read().decode("utf-8", "replace").split())[-300:]
        message = "the process ended with code {}. {}".format(self._process.wait(), last)
        return self._error("crashed", message.strip(), "often memory ran out, or the library crashed")

    def _error(self, kind: str, message: str, advice: str) -> BackendError:
        return BackendError(
            kind, "{}: {}".format(self.task.get("shown", self.task["model"]), message), advice
        )


def rounds(
    tasks: List[Task],
    count: int,
    seconds: float,
    length: float,
    seed: int,
    commands: Optional[List[Optional[List[str]]]] = None,
    watch: Callable[[int], None] = lambda number: None,
) -> Iterator[List[Turn]]:
    """`count` rounds of `seconds` each, of turns of `length` seconds in random order; the pairs of each.

    tasks: of a and of b. With one thread both run on one CPU,
    another one each round. Raises BackendError, which names the model.
    """
    order = random.Random(seed)
    cpus = sorted(os.sched_getaffinity(0))
    for number in range(count):
        watch(number)
        pair = [dict(task, seed=seed, cpu=_cpu(task, cpus, number)) for task in tasks]
        yield _round(pair, seconds, int(length * 1e9), order, commands or [None, None])


def _cpu(task: Task, cpus: List[int], number: int) -> Optional[int]:
    return cpus[number % len(cpus)] if task["job"]["threads"] == 1 else None


def _round(
    tasks: List[Task],
    seconds: float,
    length: int,
    order: random.Random,
    commands: List[Optional[List[str]]],
) -> List[Turn]:
    with Player(tasks[0], commands[0]) as a, Player(tasks[1], commands[1]) as b:
        pairs: List[Turn] = []
        until = now_ns() + seconds * 1e9
        while len(pairs) < 2 or now_ns() < until:
            took = [0.0, 0.0]
            for side in order.sample([0, 1], 2):
                took[side] = (a, b)[side].turn(length)
            pairs.append((took[0], took[1]))
    return pairs
