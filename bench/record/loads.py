"""Load shapes, by MLPerf's names: how requests come while a job is measured; a record kind for each.

single-stream: the next inference begins when the last has ended. offline: everything is there at once, and
`streams` work on it side by side; what counts is throughput. paced: one request every 1/`rate` seconds,
whether the last is answered or not; what counts is when the answer comes.
"""

from typing import Optional

from bench.record import backends
from bench.record.types import Job, Load

SINGLE, OFFLINE, PACED = "single-stream", "offline", "paced"
KINDS = {SINGLE: "orbitbench.record", OFFLINE: "orbitbench.offline", PACED: "orbitbench.paced"}
MAX_STREAMS = 64
LOWEST_RATE, HIGHEST_RATE = 0.01, 100000.0  # requests a second


def of(job: Job) -> str:
    """Return the load shape of a job; one without `load` is single-stream."""
    load = job.get("load") or {}
    return str(load.get("kind", SINGLE))


def record_kind(job: Job) -> str:
    """Return the `kind` of the record that a job leaves."""
    return KINDS[of(job)]


def suffix(load: Load) -> str:
    """Return what a job's id ends in: `-offline4`, `-paced10`; nothing for single-stream."""
    if load.get("kind") == OFFLINE:
        return "-offline{}".format(load["streams"])
    return "-paced{:g}".format(load["rate"]) if load.get("kind") == PACED else ""


def problem(backend: str, load: Load) -> Optional[str]:
    """Return why a backend cannot serve a load; None where it can. ValueError for an unknown backend."""
    one = load.get("kind") != OFFLINE or load["streams"] == 1
    if one or backends.find(backend).device == "cpu":
        return None
    reason = "backend {} runs one stream (asked for: {}): on a GPU each would hold an engine of its own; "
    return (reason + "--batch 8 fills a GPU").format(backend, load["streams"])
