"""Experiments: which models are to be made, and how they are to be measured (`manifests/experiments/*.yaml`).

    experiment = load(find("demo"))
    for request in requests(experiment): ...

Expansion is pure: nothing is scaled, built or written here. One request is one model; its id is the name that
it keeps in bundles, records and reports (docs/formats.md).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Literal, cast

from pydantic import Field, StrictBool, model_validator

from bench.manifests import reader, search_path
from bench.manifests.accuracies import SOURCES, Source
from bench.manifests.methods import canonical
from bench.record.measure import DEFAULTS
from bench.zoo import ARCHITECTURES, DATASETS

RATIO_LETTER = {"width": "w", "params": "p", "macs": "m", "latency": "t", "memory": "r"}

ID = re.compile(
    rf"(?P<architecture>{'|'.join(ARCHITECTURES)})-(?P<dataset>{'|'.join(DATASETS)})"
    r"-(?P<method>uniform|neuralscale|aligned|device)(?P<align>\d+)?-(?P<letter>[wpmtr])(?P<ratio>\d+(\.\d+)?(e-?\d+)?)"
    r"(-(?P<fit>(?!b\d+$|on-)[A-Za-z0-9._-]+?))?(-on-(?P<profile>[A-Za-z0-9._-]+?))?(-b(?P<batch>\d+))?"
)

Method = Literal["uniform", "neuralscale", "device"]
RatioOf = Literal["params", "width", "macs", "latency", "memory"]
ON_DEVICE = ("latency", "memory")  # targets that only a device's profile knows
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]


ArchitectureName = Annotated[
    str, reader.one_of(ARCHITECTURES), Field(json_schema_extra={"enum": [*ARCHITECTURES]})
]
DatasetName = Annotated[str, reader.one_of(DATASETS), Field(json_schema_extra={"enum": [*DATASETS]})]
Ratio = Annotated[float, Field(gt=0, le=4)]
Align = Annotated[int, Field(ge=1, le=64)]


class MeasureSection(reader.Section):
    """How long and how often one job is measured; the fields of a job list's `measure` (docs/formats.md)."""

    processes: int = Field(default=DEFAULTS["processes"], ge=1, le=100, description="fresh processes a job")
    warmup: int = Field(
        default=DEFAULTS["warmup"], ge=0, le=100_000, description="inferences before the first sample"
    )
    min_samples: int = Field(default=DEFAULTS["min_samples"], ge=1, le=1_000_000)
    max_samples: int = Field(default=DEFAULTS["max_samples"], ge=1, le=1_000_000)
    min_seconds: float = Field(default=DEFAULTS["min_seconds"], ge=0, le=3600)
    max_seconds: float = Field(
        default=DEFAULTS["max_seconds"],
        gt=0,
        le=3600,
        description="sampling ends here even below min_samples",
    )
    target_ci: float = Field(
        default=DEFAULTS["target_ci"],
        gt=0,
        lt=1,
        description="half-width of the 95% interval over the median",
    )
    timeout_seconds: float = Field(
        default=DEFAULTS["timeout_seconds"],
        gt=0,
        le=86_400,
        description="a process that takes longer has failed",
    )
    builds: int = Field(
        default=DEFAULTS["builds"], ge=1, le=100, description="engines a job, where its backend builds any"
    )
    build_timeout_seconds: float = Field(
        default=DEFAULTS["build_timeout_seconds"],
        gt=0,
        le=86_400,
        description="an engine build that takes longer has failed",
    )
    cold_loads: int = Field(
        default=DEFAULTS["cold_loads"],
        ge=0,
        le=100,
        description="more processes that load the model from a file out of the cache",
    )
    repeats: int = Field(
        default=DEFAULTS["repeats"],
        ge=0,
        le=10,
        description="times a process is measured again after other load or throttling",
    )
    profile: StrictBool = Field(
        default=False, description="one more process a job, watched by the library's profiler"
    )

    @model_validator(mode="after")
    def _ordered(self) -> "MeasureSection":
        for low, high in (("min_samples", "max_samples"), ("min_seconds", "max_seconds")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} ({getattr(self, low)}) is above {high} ({getattr(self, high)})")
        return self


class Group(reader.Section):
    """Every combination of these architectures, methods and ratios on one data set."""

    architectures: list[ArchitectureName] = Field(min_length=1)
    dataset: DatasetName
    methods: list[Literal["uniform", "neuralscale", "aligned", "device"]] = Field(
        min_length=1, description="aligned is neuralscale with align: 8, where align is not given"
    )
    ratios: list[Ratio] = Field(min_length=1)
    ratio_of: RatioOf
    fit: Name | None = Field(None, description="a file of manifests/scaling, when not the default one")
    stand_in: Name | None = Field(
        None, description="a file of manifests/scaling, for as long as there is no fit of the architecture"
    )
    profile: Name | None = Field(
        None, description="of a device (`orchestrate tune`): for ratio_of latency and memory, and for device"
    )
    align: Align | Annotated[list[Align], Field(min_length=1)] | None = Field(
        None, description="all widths are multiples of it, whatever the method; [1, 8]: with and without"
    )

    @model_validator(mode="after")
    def _one_source_of_fits(self) -> "Group":
        if self.fit and self.stand_in:
            raise ValueError("fit and stand_in exclude each other: a fit that is named is taken in any case")
        return self

    @model_validator(mode="after")
    def _profile_where_needed(self) -> "Group":
        if self.ratio_of in ON_DEVICE and not self.profile:
            raise ValueError(f"ratio_of {self.ratio_of} needs a profile: the name that orchestrate tune gave")
        return self

    @property
    def aligns(self) -> list[int | None]:
        """The alignments to expand, None where none is given."""
        return [*self.align] if isinstance(self.align, list) else [self.align]


class Training(reader.Section):
    """How `bench sweep` trains the models, unless its options differ."""

    recipe: Literal["published", "reduced"] = "published"
    epochs: int | None = Field(default=None, ge=1, le=10_000, description="the recipe's own where absent")
    seeds: int = Field(default=1, ge=1, le=100, description="trainings a model, from seeds 0, 1, ...")


class Experiment(reader.Manifest):
    """A whole experiment: groups of models, the batch size, and how to measure."""

    name: Name
    description: str = ""
    groups: list[Group] = Field(min_length=1)
    batch: int = Field(default=1, ge=1, le=1024)
    measure: MeasureSection = MeasureSection()
    training: Training = Training()
    test_set: StrictBool | Annotated[int, Field(strict=True, ge=1)] = Field(
        False, description="measure accuracy on the device: true, or on at most so many test images"
    )
    accuracy: list[Source] = Field([*SOURCES], description="accepted sources, preferred first")


@dataclass(frozen=True)
class Request:
    """One model that is wanted: not yet scaled."""

    architecture: str
    dataset: str
    method: Method
    ratio: float
    ratio_of: RatioOf
    fit: str | None = None
    align: int | None = None
    batch: int = 1
    stand_in: str | None = None  # a fit's name, for the time until there is one of this architecture
    profile: str | None = None  # of a device, where widths depend on one

    @property
    def id(self) -> str:
        """The model's name, such as `vgg11-cifar10-neuralscale-w0.25`."""
        method = f"{self.method}{self.align}" if self.align else self.method
        parts = [self.architecture, self.dataset, method, f"{RATIO_LETTER[self.ratio_of]}{self.ratio:g}"]
        parts += [self.fit] if self.fit else []
        parts += [f"on-{self.profile}"] if self.profile else []
        parts += [f"b{self.batch}"] if self.batch != 1 else []
        return "-".join(parts)

    @property
    def of_one_image(self) -> "Request":
        """The same network for one image at a time: its training does not depend on the batch."""
        return replace(self, batch=1)


def parse_model_id(model: str) -> Request:
    """Return the request that an id such as `vgg11-digits-uniform-p0.25` stands for, or ManifestError."""
    parts = ID.fullmatch(model)
    if parts is None:
        what = (
            "not a model's id; give one such as vgg11-digits-uniform-p0.25 (w: of width, p: params, m: MACs)"
        )
        raise reader.ManifestError([reader.Problem(model, None, "", what)])
    found = parts.groupdict()
    method, align = canonical(found["method"], int(found["align"]) if found["align"] else None)
    return Request(
        found["architecture"],
        found["dataset"],
        cast(Method, method),
        float(found["ratio"]),
        cast(RatioOf, {letter: of for of, letter in RATIO_LETTER.items()}[found["letter"]]),
        found["fit"],
        align,
        int(found["batch"] or 1),
        profile=found["profile"],
    )


def load(path: Path | str) -> Experiment:
    """Read an experiment; raises manifest.ManifestError with every mistake of the file."""
    return reader.load(path, Experiment)


def find(experiment: str) -> Path:
    """Lead a name such as `demo`, or a path, to its file; raises ManifestError that lists the known names."""
    path = Path(experiment)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return path
    known = search_path.files("experiments")
    if experiment in known:
        return known[experiment]
    what = f"unknown experiment {reader.choices(experiment, sorted(known))}, or give the path of a YAML file"
    raise reader.ManifestError([reader.Problem(experiment, None, "", what)])


def requests(experiment: Experiment, batch: int | None = None) -> list[Request]:
    """Expand the groups, in their order and each model once; `batch` overrides the experiment's."""
    size = experiment.batch if batch is None else batch
    wanted = (request for group in experiment.groups for request in _combinations(group, size))
    return list(dict.fromkeys(wanted))


def _combinations(group: Group, batch: int) -> Iterator[Request]:
    for architecture, ratio, written, multiple in product(
        group.architectures, group.ratios, group.methods, group.aligns
    ):
        method, align = canonical(written, multiple)
        fit, stand_in = (None, None) if method == "uniform" else (group.fit, group.stand_in)
        yield Request(
            architecture,
            group.dataset,
            cast(Method, method),
            ratio,
            group.ratio_of,
            fit,
            align,
            batch,
            stand_in,
            group.profile if method == "device" or group.ratio_of in ON_DEVICE else None,
        )
