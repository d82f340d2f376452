"""Many searches as tasks of `bench.work.cluster`; `out` must be the same folder on every node."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from bench.scaling.fits import Fit
from bench.search.task import SearchTask, most_work, search
from bench.work import cluster
from bench.work.cluster import Outcome, Share
from bench.work.resumable import Place

Searched = Outcome[SearchTask, Fit]


def sweep(
    tasks: Sequence[SearchTask], place: Place, share: Share, address: str | None = None
) -> Iterator[Searched]:
    """Search, and yield how each task ended, as it ends: with its fit, or the reason why there is none."""
    work = partial(_search, replace(place, out=place.out.resolve()))
    yield from cluster.run(tasks, work, share, address)


def most_gpu_hours(task: SearchTask, tflops: float) -> float:
    """Estimate what one search takes at most: a round ends early when a layer runs out of units."""
    return cluster.training_hours(*most_work(task), tflops)


def _search(place: Place, task: SearchTask, threads: int) -> Fit:
    return search(task, task.folder(place.out), replace(place, threads=threads))
