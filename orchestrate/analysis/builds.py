"""Processes that measured one engine are no replicates of each other: its builds are.

Two engines of one model differ by more than two processes of one engine do. Where processes share builds
(`builds` below `processes`), an interval over processes as if they were independent covers 80 % of truths
with five processes of three builds, 64 % with nine.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def shared(processes: Iterable[Mapping[str, Any]]) -> tuple[int, ...]:
    """Return the number of each process's engine, 0, 1, ...; () where none measured the engine of another.

    processes: of a record's `latency`.
    """
    builds = [process.get("build") for process in processes]
    if all(build is None for build in builds):
        return ()
    names = [repr(build) for build in builds]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return tuple(numbers[name] for name in names) if len(numbers) < len(names) else ()


def means(values: Floats, builds: Sequence[int]) -> Floats:
    """Return (..., builds), the mean of each build's processes, of values (..., processes).

    Geometric where all are positive, as everywhere over processes; without `builds` the values themselves.
    """
    if not builds or values.shape[-1] != len(builds):
        return values
    of = np.array(builds)
    apart = [values[..., of == build] for build in range(max(builds) + 1)]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [np.exp(np.log(each).mean(axis=-1)) for each in apart]
    plain = [each.mean(axis=-1) for each in apart]
    positive = (values > 0).all(axis=-1)
    return np.stack([np.where(positive, a, b) for a, b in zip(found, plain, strict=True)], axis=-1)


def listed(values: Sequence[float], builds: Sequence[int]) -> list[float]:
    """Return `means` of one figure: a value per build, or per process where none is shared."""
    return means(np.array(values, dtype=float), builds).tolist() if builds else list(values)
