"""The memory of many jobs at once, from the rungs of their processes, and what its figures are warned of."""

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import compress
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.record.readings import Rung
from orchestrate.analysis import memory, statistics

WARNED = ("swapped", "negative_memory")  # pages went to swap meanwhile; the model seems to free memory


class OfJob(NamedTuple):
    """Bytes under each definition and of each process, NaN unless known of all; the median ladder.

    warnings: those of WARNED that hold of any process.
    """

    sizes: NDArray[np.float64]
    steps: tuple[float | None, ...]
    warnings: tuple[str, ...]


def ladders(rungs: Sequence[Rung]) -> list[dict[str, Rung]]:
    """Return the ladder of each process, rung -> its readings, in the order of the processes."""
    found: dict[int, dict[str, Rung]] = defaultdict(dict)
    for rung in rungs:
        found[rung["process"]][rung["rung"]] = rung
    return [found[process] for process in sorted(found)]


def readings(rungs: Sequence[Rung]) -> list[tuple[Any, ...]]:
    """Return memory.READINGS at every rung of memory.ORDER of each process, in the order of the processes."""
    processes = [rung["process"] for rung in rungs[:: len(memory.ORDER)]]
    asked = [(process, rung) for process in sorted(set(processes)) for rung in memory.ORDER]
    if [(rung["process"], rung["rung"]) for rung in rungs] == asked:  # as the runtime writes them
        return memory.rows(rungs)
    return [row for ladder in ladders(rungs) for row in memory.rows_of(ladder)]


def of_jobs(jobs: Sequence[NDArray[np.float64]]) -> list[OfJob]:
    """Return the memory of each job, from the readings at the rungs of all its processes."""
    every = memory.Ladders(np.concatenate(jobs))
    figures = np.stack([every.under(definition) for definition in memory.DEFINITIONS.values()])
    counts = np.array([len(each) // len(memory.ORDER) for each in jobs], dtype=int)
    ends = np.cumsum(counts)
    lacking = _any(np.isnan(figures), counts)
    known = np.where(np.repeat(lacking, counts, axis=1), np.nan, figures)
    steps = _medians(every.steps(), counts).tolist()
    places = zip((ends - counts).tolist(), ends.tolist(), steps, strict=True)
    model = known[list(memory.DEFINITIONS).index(memory.MODEL)]
    warned = _any(np.stack((every.swapped(), model < 0)), counts)
    notes = [tuple(compress(WARNED, each)) for each in warned.T.tolist()]
    return [
        OfJob(known[:, start:end].copy(), tuple(None if math.isnan(step) else step for step in of_job), note)
        for (start, end, of_job), note in zip(places, notes, strict=True)
    ]


def _any(flags: NDArray[np.bool_], counts: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether a row of flags, (rows, processes), holds of any process of each job: (rows, jobs)."""
    ends = np.cumsum(counts)
    before = np.concatenate((np.zeros((len(flags), 1), dtype=int), flags.cumsum(axis=1)), axis=1)
    found: NDArray[np.bool_] = before[:, ends] > before[:, ends - counts]
    return found


def _medians(values: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """The median over each job's processes of (processes, rungs), of those known: (jobs, rungs)."""
    padded = np.full((len(counts), max(1, counts.max(initial=1)), values.shape[1]), np.nan)
    padded[np.arange(padded.shape[1]) < counts[:, None]] = values
    apart = padded.transpose(0, 2, 1).reshape(-1, padded.shape[1])
    return statistics.median_rows(apart).reshape(len(counts), -1)
