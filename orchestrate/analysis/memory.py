"""Every honest definition of 'the memory of a model', side by side, so that none can be picked to please.

A definition is a base (what is counted from), a reading (how the kernel counts) and a moment (before or after
`malloc_trim(0)`). `process` is the whole cost to the board, `model` what this model adds to a process whose
device is ready, `peak` the highest resident size that the kernel saw. These three hold the GPU memory of the
process, and are unknown where a GPU's part is; what the kernel counts (RSS, PSS, USS) is the host's alone.
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
READINGS = ("rss", "pss", "uss", "swap", "peak_rss", "gpu_free", "nvmap")
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
                key, name = f"{base}_{reading}_{moment}", NAMES[reading]
                whose = name if reading == "own" else f"{name} on the host"
                found.append(Definition(key, f"{meaning}, {whose}, {moment}", base, reading, rung))
    found.append(Definition("peak", "peak of the process", "peak", "own_peak", "steady"))
    found.append(Definition("peak_model", "peak above the ready device", "peak_model", "own_peak", "steady"))
    found.append(Definition("peak_rss", "peak on the host, VmHWM", "peak", "peak_rss", "steady"))
    found.append(Definition("gpu_free", "GPU memory taken (cudaMemGetInfo)", "taken", "gpu_free", "steady"))
    found.append(Definition("nvmap", "GPU pages of the process (nvmap)", "process", "nvmap", "steady"))
    return {each.key: each for each in found}


DEFINITIONS = _definitions()
PROCESS, MODEL, PEAK = "process_own_trimmed", "model_own_trimmed", "peak"  # docs: memory.process, ...


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
        gpu = self._gpu()
        self._sizes["own"] = self._own() + gpu
        self._sizes["resident"] = self._sizes["rss"] + gpu
        # Where VmHWM could be reset, a later rung may read less than an earlier one.
        self._peaks = {
            "peak_rss": np.fmax.reduce(self._sizes["peak_rss"], axis=1),
            "own_peak": _highest(self._sizes["peak_rss"], gpu),
        }

    def _gpu(self) -> Bytes:
        """GPU memory of the process at each rung, (processes, rungs): on a Jetson nvmap, the process's pages.

        0 where the ladder shows no GPU; NaN where it shows one but not the process's part: the memory of the
        host alone must not pass for the whole.
        """
        nvmap = self._sizes["nvmap"]
        shown = (np.isfinite(nvmap) | np.isfinite(self._sizes["gpu_free"])).any(axis=1, keepdims=True)
        gpu: Bytes = np.where(shown, nvmap, 0)
        return gpu

    def _own(self) -> Bytes:
        """RSS and swap without what was shared at the start (interpreter, C library), (processes, rungs).

        What the kernel swapped out is still the process's: without it a model seemed to free memory.
        It is the USS of a process that has its libraries for itself. The kernel's USS drops by megabytes when
        an unrelated process maps the same library.
        """
        rss, uss = self._sizes["rss"], self._sizes["uss"]
        own: Bytes = rss + self._swap() - (rss[:, :1] - uss[:, :1])
        return own

    def _swap(self) -> Bytes:
        """Bytes swapped out at each rung, (processes, rungs); 0 where the kernel does not say."""
        swap: Bytes = np.nan_to_num(self._sizes["swap"])
        return swap

    def swapped(self) -> NDArray[np.bool_]:
        """Whether more was in swap at some rung than at the start, one per process.

        RSS, PSS, USS and the peak are then of what was left in memory; `own` holds both.
        """
        swap = self._swap()
        grown: NDArray[np.bool_] = np.logical_or.reduce(swap > swap[:, :1], axis=1)
        return grown

    def read(self, rung: str, reading: str) -> Bytes:
        """Return bytes of a reading (one of READINGS, or own) at a rung, one per process."""
        return self._sizes[reading][:, ORDER.index(rung)]

    def under(self, definition: Definition) -> Bytes:
        """Return bytes under `definition`, one per process."""
        peak = definition.reading in self._peaks
        here = self._peaks[definition.reading] if peak else self.read(definition.rung, definition.reading)
        if definition.base == "taken":
            return self.read("start", definition.reading) - here
        if definition.base in ("model", "peak_model"):
            return here - self.read("device_initialised", "resident" if peak else definition.reading)
        return here

    def steps(self, reading: str = "own") -> Bytes:
        """Return growth in bytes from rung to rung of ORDER, (processes, rungs), the first from nothing."""
        return np.diff(self._sizes[reading], axis=1, prepend=0)


def _highest(host: Bytes, gpu: Bytes) -> Bytes:
    """The largest sum over the rungs, (processes,); NaN where the GPU's part of any is unknown."""
    lacking = (np.isfinite(host) & np.isnan(gpu)).any(axis=1)
    peak: Bytes = np.where(lacking, np.nan, np.fmax.reduce(host + gpu, axis=1))
    return peak


def values(rungs: Rungs) -> dict[str, float]:
    """Return bytes under every definition that the ladder of one process allows."""
    ladders = Ladders(rows_of(rungs))
    found = {key: float(ladders.under(definition)[0]) for key, definition in DEFINITIONS.items()}
    return {key: size for key, size in found.items() if not np.isnan(size)}
