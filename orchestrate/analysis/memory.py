"""Every honest definition of 'the memory of a model', side by side, so that none can be picked to please.

A definition is a base (what is counted from), a reading (how the kernel counts) and a moment (before or after
`malloc_trim(0)`). `process` is the whole cost to the board, `model` what this model adds to a process whose
device is ready, `peak` the highest resident size that the kernel saw.
"""

from typing import Any, NamedTuple

from bench.record.schema import RUNGS

Rung = dict[str, Any]
Rungs = dict[str, Rung]
ORDER = RUNGS
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


def value(rungs: Rungs, definition: Definition) -> float | None:
    """Bytes under `definition` for one process's ladder; None where the instrument was not there."""
    here = (
        _peak(rungs) if definition.reading == "peak_rss" else read(rungs, definition.rung, definition.reading)
    )
    if here is None:
        return None
    if definition.base == "taken":
        before = read(rungs, "start", definition.reading)
        return None if before is None else float(before - here)
    if definition.base in ("model", "peak_model"):
        reading = "rss" if definition.base == "peak_model" else definition.reading
        before = read(rungs, "device_initialised", reading)
        return None if before is None else float(here - before)
    return float(here)


def read(rungs: Rungs, rung: str, reading: str) -> int | None:
    """Bytes of a reading at a rung; None where it was not read.

    own: RSS without what was shared at the start (interpreter, C library). It is the USS of a process that
    has its libraries for itself. The kernel's USS drops by megabytes when an unrelated process maps the same
    library. On a Jetson, GPU memory is part of it (nvmap, the pages of this process).
    """
    if reading != "own":
        found: int | None = rungs.get(rung, {}).get(reading)
        return found
    here, start = rungs.get(rung, {}), rungs.get("start", {})
    rss, gpu = here.get("rss"), _gpu(rungs, here)
    if rss is None or gpu is None or start.get("rss") is None or start.get("uss") is None:
        return None
    return int(rss - (start["rss"] - start["uss"]) + gpu)


def _gpu(rungs: Rungs, here: Rung) -> int | None:
    """Bytes of GPU memory of the process at a rung: 0 where the ladder shows no GPU, None where it shows one
    but not the process's part. Then the memory of the host alone must not pass for the whole."""
    shown = any(r.get("nvmap") is not None or r.get("gpu_free") is not None for r in rungs.values())
    if not shown:
        return 0
    found: int | None = here.get("nvmap")
    return found


def _peak(rungs: Rungs) -> int | None:
    """The highest VmHWM: where it could be reset, a later rung may read less than an earlier one."""
    peaks = [rung["peak_rss"] for rung in rungs.values() if rung.get("peak_rss") is not None]
    return max(peaks) if peaks else None


def values(rungs: Rungs) -> dict[str, float]:
    """Bytes under every definition that this ladder allows."""
    found = {key: value(rungs, definition) for key, definition in DEFINITIONS.items()}
    return {key: number for key, number in found.items() if number is not None}


def steps(rungs: Rungs, reading: str = "own") -> list[float | None]:
    """Growth in bytes from rung to rung of `ORDER`, the first from nothing; None where one was not read."""
    sizes = [read(rungs, rung, reading) for rung in ORDER]
    before = [0, *sizes[:-1]]
    return [None if a is None or b is None else float(b - a) for a, b in zip(before, sizes, strict=True)]
