"""The shapes of what a process measures of a model: series, durations, the profile; parts of a record."""

from typing import List, Optional

from bench.record.typed_dict import TypedDict


class Series(TypedDict):
    """Packed durations (samples.py)."""

    n: int
    unit: str
    encoding: str
    data: str


class Cold(TypedDict, total=False):
    """Seconds of a process that loads its model from a file out of the page cache."""

    cold_load_seconds: float
    cold_first_seconds: float
    cold_warmup: Series


class _OneProcess(TypedDict):
    process: int
    order: int  # in which it ran among all processes of the run
    started: str  # ISO 8601
    build: Optional[int]  # number of its engine
    warmup: Series
    samples: Series
    compute: Optional[Series]  # on the device alone
    stopped_by: str
    cpu_seconds: float
    wall_seconds: float


class _UnderLoad(TypedDict, total=False):
    streams: int  # of an offline job
    seconds: float  # from the start of all streams to the end of the last
    response: Series  # of a paced job: from when a request was due to its answer


class ProcessLatency(_OneProcess, _UnderLoad, Cold, total=False):
    """What a record's `latency` holds of one process."""

    load_seconds: float
    first_seconds: float
    overhead: Series  # of the timing loop itself
    turns: List[List[int]]  # ns of this model and of its reference, a pair of turns each
    drift: Optional[float]


class UnexplainedMemory(TypedDict):
    """Bytes by which a model has grown, and what its weights and activations leave unexplained."""

    process: int
    growth: int
    weights: int
    activations: int
    residual: int


class ProfiledOperator(TypedDict):
    """An operator of the model's graph: seconds of one inference, and what it does in that time."""

    name: str
    operator: str
    seconds: float
    calls: int
    macs: Optional[int]
    bytes: Optional[int]


class OtherOperators(TypedDict):
    """The quickest operators, beyond what a profile lists."""

    count: int
    seconds: float


class SelfTest(TypedDict):
    """Relative errors of the instruments for a known allocation and a known time."""

    memory_error: float
    time_error: float
    ok: bool
    tolerance: float
