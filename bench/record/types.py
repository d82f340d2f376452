"""The shapes of what the runtime passes on as JSON, for the type checker; `schema` checks them as data."""

from typing import Any, Dict, List, Mapping, Optional

from bench.record.measured import Cold, OtherOperators, ProcessLatency, ProfiledOperator, UnexplainedMemory
from bench.record.readings import Reading, Rung, SpanFacts
from bench.record.stated import StatedModel
from bench.record.typed_dict import TypedDict

Json = Dict[str, Any]  # an object whose fields are checked where it is read, or are nobody's but its reader's
Environment = Dict[str, Any]  # what may explain a figure; a backend or a board may report more than we know
Build = Mapping[str, object]  # how an engine was built, as its backend reports it


class Error(TypedDict):
    """Why a job failed: a word for programs, a line for people, and what to do."""

    kind: str
    message: str
    advice: str


class Note(TypedDict, total=False):
    """A reason against a measurement, or a warning; `process` once it is in a record."""

    code: str
    message: str
    process: int


class Validity(TypedDict):
    """Whether timings count. They do where there is no reason against them."""

    valid: bool
    reasons: List[Note]
    warnings: List[Note]


class BundleFile(TypedDict):
    """A file of the bundle: relative path and SHA-256."""

    file: str
    sha256: str


class LabelledSet(BundleFile, total=False):
    """Labelled images, and by which metric they are judged (top1 by default)."""

    metric: str


class _RequiredReference(BundleFile):
    tolerance: float


class Reference(_RequiredReference, total=False):
    """Input and output of the original network, and how far (absolute) an output may be from it."""

    made_by: str


class Against(BundleFile):
    """A model that another is measured in turns with, for `seconds`, `turn_seconds` a turn."""

    seconds: float
    turn_seconds: float


class Load(TypedDict, total=False):
    """A load shape: `kind`, and what belongs to it (loads.py)."""

    kind: str
    streams: int
    rate: float


class Measure(TypedDict, total=False):
    """How a job is measured (measure.py has the defaults); seconds, and counts."""

    processes: int
    warmup: int
    warmup_seconds: float
    min_samples: int
    max_samples: int
    min_seconds: float
    max_seconds: float
    target_ci: float
    timeout_seconds: float
    max_waiting: float
    repeats: int
    cold_loads: int
    builds: int
    build_timeout_seconds: float
    profile: bool
    time_left: float  # once the first inference is known: until a process must end


class InputShape(TypedDict):
    """An input of a model; dtype: numpy's name."""

    name: str
    shape: List[int]
    dtype: str


class ModelFacts(StatedModel, total=False):
    """What is stated of a model, with what belongs to it."""

    reference: Optional[Reference]
    test_set: Optional[LabelledSet]
    against: Optional[Against]
    inputs: List[InputShape]
    part: Optional[str]  # of a tuning: the part of the architecture that it is, None for the whole
    tuned_widths: List[int]


class _ModelFile(BundleFile):
    id: str


class Model(_ModelFile, ModelFacts, total=False):
    """A model of the bundle."""


def files_of(model: Model) -> List[BundleFile]:
    """Return the files that a model needs on a device, each with `file` and `sha256`."""
    found = (model, model.get("reference"), model.get("test_set"), model.get("against"))
    return [part for part in found if part]


def macs_of_inference(model: Mapping[str, Any]) -> Optional[int]:
    """Return the multiply-accumulates of one inference, of all images of the batch; None where unknown.

    A model of the zoo has those of one image in `macs`, a user's own file those of its graph as it runs.
    """
    macs: Optional[int] = model.get("macs")
    return macs * (model.get("batch") or 1) if macs and model.get("architecture") else macs


class _RequiredJob(TypedDict):
    id: str
    model: Model
    backend: str
    precision: str
    threads: int
    batch: int


class Job(_RequiredJob, total=False):
    """One (model, backend, precision, threads, batch). `measure` is complete once the list is loaded."""

    options: Dict[str, Any]
    measure: Measure
    load: Load


class _RequiredTask(TypedDict):
    job: Job
    process: int
    order: int
    model: str
    reference: Optional[str]
    test_set: Optional[str]
    measure: Measure
    seed: int
    nvmap_before: Optional[int]
    cache_dir: Optional[str]
    build: Optional[int]


class Task(_RequiredTask, total=False):
    """What one measuring process is to do: a job, with absolute paths and the number of the process.

    build: number of its engine; None where its backend builds none. only_build: measure nothing.
    only_load: measure loading and the first inference with the model's files out of the page cache.
    profile: nothing but where the time goes; `folder` is where its library may write.
    """

    only_build: bool
    against: Optional[str]
    only_load: bool
    profile: bool
    folder: str
    cpu: Optional[int]  # of a duel: where both models run


class Findings(TypedDict, total=False):
    """What is measured of a model, in the order in which it becomes known."""

    rungs: List[Rung]
    facts: SpanFacts
    latency: ProcessLatency
    residual: List[UnexplainedMemory]
    environment: Environment
    output_check: "OutputCheck"
    accuracy: "Accuracy"
    cold: Cold


class _RequiredPart(TypedDict):
    status: str
    error: Optional[Error]


class Part(_RequiredPart, Findings, total=False):
    """What one measuring process answers, and from `process` on what its parent adds.

    A failed part has what was known before the failure.
    """

    build: Optional[Build]
    profile: "OperatorProfile"
    process: int
    run: str
    job: Job
    sensors: List[Reading]
    validity: Validity
    disturbed: List["Disturbed"]


class _RequiredOutputCheck(TypedDict):
    max_abs_error: Optional[float]
    max_rel_error: Optional[float]
    tolerance: Optional[float]
    ok: bool
    message: str
    arithmetic: str


class OutputCheck(_RequiredOutputCheck, total=False):
    """How far the output is from the reference's; the last two for int8 and mixed precision."""

    unequal: float
    top1_agreement: Optional[float]
    correlation: Optional[float]


class Accuracy(TypedDict):
    """The share of a test set that this model classified rightly, in percent.

    non_finite: images whose outputs were NaN or infinite; where all were, the value is None.
    """

    value: Optional[float]
    unit: str
    metric: str
    source: str
    n: int
    non_finite: int
    model_sha256: str
    test_set_sha256: str


class Disturbed(ProcessLatency):
    """An attempt that does not count, and why."""

    reasons: List[Note]


class OperatorProfile(TypedDict):
    """Where the time of an inference goes, by the library's own profiler; `error` where it failed."""

    source: str
    runs: int
    layers: List[ProfiledOperator]
    others: Optional[OtherOperators]
    error: Optional[Error]


class Latency(TypedDict):
    """Series of each process, in seconds once decoded; `disturbed` holds attempts that do not count."""

    unit: str
    processes: List[ProcessLatency]
    disturbed: List[Disturbed]


class Memory(TypedDict):
    """The memory ladder of each process, in bytes."""

    unit: str
    rungs: List[Rung]
    residual: List[UnexplainedMemory]


class Record(TypedDict):
    """What a job leaves."""

    schema: int
    kind: str
    run: str
    device: str
    job: Job
    status: str
    error: Optional[Error]
    validity: Validity
    latency: Latency
    memory: Memory
    output_check: Optional[OutputCheck]
    accuracy: Optional[Accuracy]
    profile: Optional[OperatorProfile]
    sensors: List[Reading]
    environment: Environment
