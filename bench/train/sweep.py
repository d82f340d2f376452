"""Many trainings as tasks on Ray: on this machine without any set-up, or on a cluster.

A task that dies with its node is started again elsewhere by Ray, and goes on from its checkpoint: `out` must
be the same folder on every node. A task that fails by itself is reported and not repeated.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from logging import ERROR
from typing import Any

from bench.errors import InputError, JobError
from bench.train.errors import TrainInputError
from bench.train.run import Place, finished, train
from bench.train.task import Task

RETRIES = 20  # times that a task may lose its node
EXAMPLES = {"cifar10": 50_000, "cifar100": 50_000, "tinyimagenet": 100_000, "digits": 1437}


@dataclass(frozen=True)
class Share:
    """What a task takes of a node; `gpus` may be a fraction, so that several share one."""

    cpus: float = 1
    gpus: float = 0


@dataclass(frozen=True)
class Outcome:
    """How a task ended: its result, or the line that says why there is none."""

    task: Task
    result: dict[str, Any] | None
    error: str | None = None

    def __str__(self) -> str:
        if self.result is None:
            return str(self.error)
        return f"{self.task.model} seed {self.task.seed}: {self.result['accuracy']:.2f}%"


def sweep(tasks: Sequence[Task], place: Place, share: Share, address: str | None = None) -> Iterator[Outcome]:
    """Run the tasks and yield how each ended, as it ends; those with a result come first and cost nothing.

    `address` is a Ray cluster's; None starts one on this machine and ends it. Interrupted, running tasks
    write their checkpoints.
    """
    open_tasks = []
    for task in tasks:
        done = finished(task, task.folder(place.out))
        if done is None:
            open_tasks.append(task)
        else:
            yield Outcome(task, done)
    if open_tasks:
        yield from _on_ray(open_tasks, replace(place, out=place.out.resolve()), share, address)


def gpu_hours(task: Task, tflops: float) -> float:
    """An estimate: 6 floating-point operations a MAC, image and epoch (forward once, backward twice)."""
    operations = 6.0 * task.macs * EXAMPLES[task.dataset] * task.recipe.epochs
    return operations / (tflops * 1e12) / 3600


def _on_ray(tasks: list[Task], place: Place, share: Share, address: str | None) -> Iterator[Outcome]:
    import ray

    owned = not ray.is_initialized()
    if owned:
        _connect(address)
    try:
        remote = ray.remote(num_cpus=share.cpus, num_gpus=share.gpus, max_retries=RETRIES)(_run)
        _refuse_too_large(ray.cluster_resources(), share)  # type: ignore[no-untyped-call]
        waiting = {remote.remote(task, place, share): task for task in tasks}
        yield from _as_they_end(waiting)
    finally:
        if owned:
            ray.shutdown()


def _as_they_end(waiting: dict[Any, Task]) -> Iterator[Outcome]:
    import ray

    try:
        while waiting:
            (ready,), _ = ray.wait(list(waiting), num_returns=1)
            task = waiting.pop(ready)
            try:
                yield Outcome(task, *ray.get(ready))
            except ray.exceptions.RayError as error:
                yield Outcome(task, None, f"{task.model}: lost: {str(error).splitlines()[0]}")
    finally:  # also where the consumer stops listening
        for reference in waiting:
            ray.cancel(reference)  # raises KeyboardInterrupt there, upon which a checkpoint is written
        ray.wait(list(waiting), num_returns=len(waiting), timeout=10) if waiting else None


def _run(task: Task, place: Place, share: Share) -> tuple[dict[str, Any] | None, str | None]:
    """On a worker: train; what is wrong comes back as text, so that one task cannot end the sweep."""
    try:
        return train(task, replace(place, threads=max(1, int(share.cpus)))), None
    except (InputError, JobError) as error:
        return None, f"{task.model} seed {task.seed}: {error}"
    except Exception as error:
        return None, f"{task.model} seed {task.seed}: {type(error).__name__}: {error}"


def _connect(address: str | None) -> None:
    import ray

    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        ray.init(
            address=address or "local", include_dashboard=False, log_to_driver=False, logging_level=ERROR
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise TrainInputError(f"Ray at {address or 'this machine'} cannot be reached: {reason}") from None


def _refuse_too_large(resources: dict[str, float], share: Share) -> None:
    """A task that no node can hold would wait for ever."""
    for name, wanted in (("CPU", share.cpus), ("GPU", share.gpus)):
        if wanted > resources.get(name, 0):
            raise TrainInputError(
                f"a task wants {wanted:g} {name}, but the cluster has {resources.get(name, 0):g}: "
                f"give a smaller --{name.lower()}s"
            )
