"""Many trainings as tasks of `bench.work.cluster`; `out` must be the same folder on every node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from bench.train.result import Result
from bench.train.run import read_finished, refuse_layout, train
from bench.train.task import TrainingTask
from bench.work import cluster
from bench.work.cluster import Outcome, Share
from bench.work.resumable import Place
from bench.zoo import dataset

Trained = Outcome[TrainingTask, Result]


def sweep(
    tasks: Sequence[TrainingTask], place: Place, share: Share, address: str | None = None
) -> Iterator[Trained]:
    """Train, and yield how each task ended, as it ends; those with a result come first and cost nothing.

    Raises TrainInputError and ClusterError before anything is trained.
    """
    open_tasks = []
    for task in tasks:
        refuse_layout(task.recipe, place.device)
        done = read_finished(task, task.folder(place.out))
        if done is None:
            open_tasks.append(task)
        else:
            yield Outcome(task, done)
    work = partial(_train, replace(place, out=place.out.resolve()))
    yield from cluster.run(open_tasks, work, share, address)


def gpu_hours(task: TrainingTask, tflops: float) -> float:
    """Return an estimate of one training."""
    return cluster.training_hours(task.macs, dataset(task.dataset).examples * task.recipe.epochs, tflops)


def _train(place: Place, task: TrainingTask, threads: int) -> Result:
    return train(task, replace(place, threads=threads))
