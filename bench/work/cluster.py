"""Tasks of any kind on Ray: on this machine without any set-up, or on a cluster.

A task is plain data, and its text names it. It runs to its end in one call, writes checkpoints as it goes,
and finds them again: one that dies with its node is started again elsewhere by Ray and goes on from there, as
long as its folder is the same on every node. A task that fails by itself is reported and not repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from bench.errors import InputError, JobError
from bench.work.ray_session import ClusterError, session

RETRIES = 20  # times that a task may lose its node

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class Share:
    """What a task takes of a node; `gpus` may be a fraction, so that several share one."""

    cpus: float = 1
    gpus: float = 0

    @property
    def threads(self) -> int:
        """Threads that a task may compute with."""
        return max(1, int(self.cpus))


@dataclass(frozen=True)
class Outcome(Generic[Task, Result]):
    """How a task ended: its result, or the reason why there is none."""

    task: Task
    result: Result | None
    error: str | None = None


def run(
    tasks: Sequence[Task], work: Callable[[Task, int], Result], share: Share, address: str | None = None
) -> Iterator[Outcome[Task, Result]]:
    """Do `work(task, threads)` for every task, and yield how each ended, as it ends.

    `address` is a Ray cluster's; None starts one on this machine that nobody else can use, and ends it. Where
    the caller stops listening, running tasks are asked to stop (KeyboardInterrupt or SIGINT there). Raises
    ClusterError.
    """
    if not tasks:
        return
    import ray

    with nullcontext() if ray.is_initialized() else session(address):
        remote: Any = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_retries=RETRIES)(attempt)
        _refuse_too_large(ray.cluster_resources(), share)
        waiting = {remote.remote(work, task, share.threads): task for task in tasks}
        yield from _as_they_end(waiting)


def attempt(
    work: Callable[[Task, int], Result], task: Task, threads: int
) -> tuple[Result | None, str | None]:
    """On a worker: what is wrong comes back as text, so that one task cannot end the others."""
    try:
        return work(task, threads), None
    except (InputError, JobError) as error:
        return None, f"{task}: {error}"
    except Exception as error:
        return None, f"{task}: {type(error).__name__}: {error}"


def training_hours(macs: float, images: float, tflops: float) -> float:
    """Estimate the hours of a GPU that training takes.

    6 floating-point operations a MAC and image: forward once, backward twice.
    """
    return 6.0 * macs * images / (tflops * 1e12) / 3600


def gpu_time(hours: float) -> str:
    """Return `2.3 GPU seconds`, `5 GPU minutes`, `1.5 GPU hours`, `1,234 GPU hours`."""
    seconds = hours * 3600
    size, unit = next(
        ((size, unit) for size, unit in ((3600, "hours"), (60, "minutes")) if seconds >= size), (1, "seconds")
    )
    amount = seconds / size
    return f"{amount:{',.0f' if amount >= 10 else '.2g'}} GPU {unit}"


def _as_they_end(waiting: dict[Any, Task]) -> Iterator[Outcome[Task, Any]]:
    import ray

    try:
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            task = waiting.pop(ready)
            try:
                yield Outcome(task, *ray.get(ready))
            except ray.exceptions.RayError as error:
                yield Outcome(task, None, f"{task}: lost: {_reason(error)}")
    finally:  # also where the consumer stops listening
        if (
            waiting and ray.is_initialized()
        ):  # a Ray that has ended took its tasks along; no call may start one
            for reference in waiting:
                ray.cancel(reference)  # arrives there as SIGINT does, upon which a checkpoint is written
            ray.wait(list(waiting), num_returns=len(waiting), timeout=10)


def _reason(error: Exception) -> str:
    """One line; a traceback from a worker (which lacks this package, say) has its reason in the last one."""
    from ray.exceptions import RayTaskError

    lines = str(error).strip().splitlines()
    return lines[-1] if isinstance(error, RayTaskError) else lines[0]


def _refuse_too_large(resources: dict[str, float], share: Share) -> None:
    """A task that no node can hold would wait for ever."""
    for name, wanted in (("CPU", share.cpus), ("GPU", share.gpus)):
        if wanted > resources.get(name, 0):
            raise ClusterError(
                f"a task wants {wanted:g} {name}, but the cluster has {resources.get(name, 0):g}: "
                f"give a smaller --{name.lower()}s"
            )
