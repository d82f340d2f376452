"""Every honest definition of 'the memory of a model', side by side, so that none can be picked to please.

A definition is a base (what is counted from), a reading (how the kernel counts) and a moment (before or after
`malloc_trim(0)`). `process` is the whole cost to the board, `model` what this model adds to a process whose
device is ready, `peak` the highest resident size that the kernel saw.
"""

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bench.record.schema import RUNGS

Rungs = Mapping[str, Mapping[str, object]]  # the ladder of one process: rung -> readings
Bytes = NDArray[np.float64]
ORDER = RUNGS
READINGS = ("rss", "pss", "uss", "peak_rss", "gpu_free", "nvmap")
NOTHING: Mapping[str, object] = {}
MOMENTS = {"trimmed": "steady_trimmed", "untrimmed": "steady"}
NAMES = {"own": "own", "uss": "USS", "pss": "PSS", "rss": "RSS"}


class Definition(NamedTuple):
    """One way to read the ladder of a process. `key` names its column, `label` its row in a table."""

    key: str
    label: str
    base: str
    reading: str
    rung: str


def _definitions() -> dict[str, Definition]:
    found = []
    for base, meaning in (("process", "whole process"), ("model", "what the model adds")):
        for reading in NAMES:
            for moment, rung in MOMENTS.items():
                key = f"{base}_{reading}_{moment}"
                found.append(Definition(key, f"{meaning}, {NAMES[reading]}, {moment}", base, reading, rung))
    found.append(Definition("peak_rss", "peak of the process (VmHWM)", "peak", "peak_rss", "steady"))
    found.append(Definition("peak_model", "peak above the ready device", "peak_model", "peak_rss", "steady"))
    found.append(Definition("gpu_free", "GPU memory taken (cudaMemGetInfo)", "taken", "gpu_free", "steady"))
    found.append(Definition("nvmap", "GPU pages of the process (nvmap)", "process", "nvmap", "steady"))
    return {each.key: each for each in found}


DEFINITIONS = _definitions()
PROCESS, MODEL, PEAK = (
    "process_own_trimmed",
    "model_own_trimmed",
    "peak_rss",
)  # what docs call memory.process, ...


_ALL = itemgetter(*READINGS)


def rows(readings: Sequence[Mapping[str, object]]) -> list[tuple[object, ...]]:
    """Return READINGS of each rung; None where an instrument was not there."""
    try:
        return list(map(_ALL, readings))
    except KeyError:
        return [tuple(map(each.get, READINGS)) for each in readings]


def rows_of(ladder: Rungs) -> list[tuple[object, ...]]:
    """Return READINGS of one process at each rung of ORDER."""
    return rows([ladder.get(rung, NOTHING) for rung in ORDER])


class Ladders:
    """The ladders of many processes at once: bytes, NaN where an instrument was not there.

    rows: READINGS at each rung of ORDER, process after process.
    """

    def __init__(self, rows: Sequence[Sequence[object]] | Bytes) -> None:
        table = np.array(rows, dtype=float).reshape(-1, len(ORDER), len(READINGS))
        self._sizes = {reading: table[:, :, place] for place, reading in enumerate(READINGS)}
        self._sizes["own"] = self._own()
        self._peak: Bytes = np.fmax.reduce(self._sizes["peak_rss"], axis=1)  # where VmHWM could be reset, a
        # later rung may read less than an earlier one

    def _own(self) -> Bytes:
        """RSS without what was shared at the start (interpreter, C library), (processes, rungs).

        It is the USS of a process that has its libraries for itself. The kernel's USS drops by megabytes when
        an unrelated process maps the same library. On a Jetson, GPU memory is part of it (nvmap, the pages of
        this process); where the ladder shows a GPU but not the process's part, the memory of the host alone
        must not pass for the whole.
        """
        rss, uss, gpu = (self._sizes[reading] for reading in ("rss", "uss", "nvmap"))
        shown = (np.isfinite(gpu) | np.isfinite(self._sizes["gpu_free"])).any(axis=1, keepdims=True)
        own: Bytes = rss - (rss[:, :1] - uss[:, :1]) + np.where(shown, gpu, 0)
        return own

    def read(self, rung: str, reading: str) -> Bytes:
        """Return bytes of a reading (one of READINGS, or own) at a rung, one per process."""
        return self._sizes[reading][:, ORDER.index(rung)]

    def under(self, definition: Definition) -> Bytes:
        """Return bytes under `definition`, one per process."""
        peak = definition.reading == "peak_rss"
        here = self._peak if peak else self.read(definition.rung, definition.reading)
        if definition.base == "taken":
            return self.read("start", definition.reading) - here
        if definition.base in ("model", "peak_model"):
            return here - self.read("device_initialised", "rss" if peak else definition.reading)
        return here

    def steps(self, reading: str = "own") -> Bytes:
        """Return growth in bytes from rung to rung of ORDER, (processes, rungs), the first from nothing."""
        return np.diff(self._sizes[reading], axis=1, prepend=0)


def values(rungs: Rungs) -> dict[str, float]:
    """Return bytes under every definition that the ladder of one process allows."""
    ladders = Ladders(rows_of(rungs))
    found = {key: float(ladders.under(definition)[0]) for key, definition in DEFINITIONS.items()}
    return {key: size for key, size in found.items() if not np.isnan(size)}
