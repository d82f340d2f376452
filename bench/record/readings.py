"""The shapes of what is read around a measurement: memory, clocks, sensors; parts of a record."""

from typing import Dict, Optional

from bench.record.typed_dict import TypedDict


class Rung(TypedDict, total=False):
    """What was held at a step of a model's life, in bytes; None where a source cannot be read."""

    process: int
    rung: str
    rss: Optional[int]
    pss: Optional[int]
    uss: Optional[int]
    swap: Optional[int]
    peak_rss: Optional[int]
    cgroup_current: Optional[int]
    cgroup_peak: Optional[int]
    gpu_free: Optional[int]
    gpu_total: Optional[int]
    nvmap: Optional[int]
    nvmap_total: Optional[int]
    nvmap_source: Optional[str]
    backend: Dict[str, int]


class SpanFacts(TypedDict, total=False):
    """What happened around the samples of a process: seconds; None where unknown."""

    begin: float  # of the span, on the samples' clock
    end: float
    span: float
    cpu: float
    waiting: Optional[float]
    others: Optional[float]
    steal: Optional[float]
    wall_gap: float  # by which each clock differs from the monotonic one
    raw_gap: float
    boot_gap: float
    oversubscribed: int
    process: int


class Slowing(TypedDict, total=False):
    """Signs that the board slows itself down (machine/throttling.py)."""

    throttled: Optional[int]
    undervoltage: Optional[int]
    over_current: Optional[int]
    cooling: Optional[Dict[str, int]]
    clocks: Optional[Dict[str, int]]


class Sensed(Slowing, total=False):
    """What the board's sensors read: hertz, degrees Celsius, watts; None where there is none."""

    cpu_hz: Optional[int]
    cpu_hz_min: Optional[int]
    gpu_hz: Optional[int]
    temperature: Optional[float]
    load: Optional[float]
    power: Optional[float]
    rails: Optional[Dict[str, Optional[float]]]


class Reading(Sensed, total=False):
    """The same at a moment, beside the size of the measuring process (bytes)."""

    t: float
    timed: bool
    process: int
    rss: Optional[int]
