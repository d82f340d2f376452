"""Device profiles (`manifests/profiles/*.yaml`): what `orchestrate tune` measured, and where.

A profile holds measurements, not coefficients: what is made of them is code (`fitting`), so that a better
model reads an old profile. It belongs to one environment and is refused in another.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from bench.cost.design import Item, segment_of
from bench.cost.errors import ProfileError
from bench.manifests import reader, search_path
from bench.record import facts, files
from bench.record.quantities import counted
from bench.zoo import Architecture, architecture

KIND = "profiles"
LEAST = 12  # measurements: fewer do not determine the kernels
MOST, MOST_KERNELS = 400, 20_000  # the fit of which takes seconds
Word = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Fact = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Bytes = Annotated[int, Field(ge=0, le=2**44)]
Width = Annotated[int, Field(ge=0, le=20_000)]
Seconds = Annotated[float, Field(ge=0, lt=1e4)]
Operator = Annotated[str, Field(max_length=200)]  # empty where a library does not name it
Network = Literal["vgg11", "mobilenetv2", "preact_resnet18", "resnet50"]


class Environment(reader.Section):
    """Where a profile was measured: what a latency depends on beside the network."""

    device: Name
    backend: Name
    version: Word = Field(description="of the backend's library")
    precision: Literal["fp32", "fp16", "int8"]
    threads: int = Field(ge=0, le=256)
    cpu: Word = Field(description="model of the CPU")
    setup: dict[Fact, Fact] | None = Field(
        None, max_length=200, description="backend options and power mode; null in older profiles: unknown"
    )

    def differences(self, other: Mapping[str, Any]) -> list[str]:
        """Return what of `other` is not as here, each as `threads 1, not 4`; not of what is unknown."""
        return facts.differences(self.model_dump(), other)


class MeasuredMemory(reader.Section):
    """Bytes of a network (docs/measuring.md): memory.process, memory.model, memory.peak."""

    process: Bytes
    model: Bytes
    peak: Bytes


class Measurement(reader.Section):
    """A part or a whole network: how many times as long as the reference it takes."""

    architecture: Network
    dataset: Literal["cifar10", "tinyimagenet"]
    part: Name | None = Field(None, description="a segment of the network; null is all of it")
    widths: list[Width] = Field(
        min_length=1, max_length=64, description="of a part: its entry (0 is the image), then its own"
    )
    ratio: float = Field(ge=1e-6, lt=1e6, description="duration over that of its reference network, in turns")
    memory: MeasuredMemory | None = None
    kernels: list[Seconds] | None = Field(
        None, max_length=1000, description="s of each kernel in its place, by the library's profiler"
    )
    layers: list[tuple[Operator, int | None, int | None, Seconds]] | None = Field(
        None, max_length=1000, description="of which `kernels` are made: operator, MACs, bytes, s"
    )

    @model_validator(mode="after")
    def _of_a_network(self) -> Self:
        item, net = self.item, architecture(self.architecture)
        if self.part is None:
            net.check(self.widths)
            return self
        try:
            segment = segment_of(item)
        except StopIteration:
            raise ValueError(f"{self.architecture} has no part {self.part!r}") from None
        if len(self.widths) != 1 + len(segment.own):
            raise ValueError(f"{self.part} has {1 + len(segment.own)} widths, not {len(self.widths)}")
        if min(self.widths[1:], default=1) < 1 or (self.widths[0] < 1) != (segment.entry is None):
            raise ValueError("widths must be at least 1; only a part that reads the image has entry 0")
        return self

    @property
    def item(self) -> Item:
        """As the design names it."""
        return Item(self.architecture, self.dataset, self.part, tuple(self.widths))


class Fitted(reader.Section):
    """What takes long to find in the measurements, kept beside them."""

    block: Literal[1, 8, 16] = Field(description="channels in a block of the backend; 1 is none")
    stretch: float = Field(gt=0, lt=100, description="deviations that hold 95 of 100 networks left out")
    networks: int = Field(ge=0, description="whole networks, each predicted once by a model not shown it")
    median_error: float | None = Field(None, ge=0, description="relative, of those")
    within_10: float | None = Field(None, ge=0, le=1, description="share of those within 10 %")

    def text(self) -> str:
        """In one line."""
        if self.median_error is None or self.within_10 is None:
            return "no whole network was measured"
        return (
            f"{counted(self.networks, 'whole network')}, each left out in turn: "
            f"median error {self.median_error:.1%}, {self.within_10:.0%} within 10 %"
        )


class Profile(reader.Manifest):
    """What was measured on one device with one backend, precision and thread count."""

    name: Name
    environment: Environment
    emulated: Word | None = Field(None, description="the emulator of the CPU: enters no verdict")
    reference_seconds: dict[Network, Annotated[float, Field(ge=1e-9, lt=1e4)]] = Field(
        description="s of each architecture's reference network there, undisturbed"
    )
    tuning_seconds: float = Field(ge=0, description="what measuring took")
    measured: Word = Field(description="when: a date")
    orbitbench: Word
    fitted: Fitted | None = None
    measurements: list[Measurement] = Field(min_length=LEAST, max_length=MOST)

    @model_validator(mode="after")
    def _one_piece(self) -> Self:
        if (kernels := sum(len(m.kernels or ()) for m in self.measurements)) > MOST_KERNELS:
            raise ValueError(f"has times of {kernels} kernels, at most {MOST_KERNELS}")
        if lacking := {m.architecture for m in self.measurements} - set(self.reference_seconds):
            raise ValueError(f"reference_seconds lacks {', '.join(sorted(lacking))}")
        return self

    def seconds(self, architecture: str, ratio: float) -> float:
        """Return what takes `ratio` times as long as the architecture's reference network, undisturbed."""
        seconds: dict[Any, float] = dict(self.reference_seconds)
        return ratio * seconds[architecture]

    def check(self, **environment: Any) -> None:
        """ProfileError naming everything of `environment` in which this profile differs."""
        if wrong := self.environment.differences(environment):
            raise ProfileError(
                f"profile {self.name} was measured elsewhere: {'; '.join(wrong)}; "
                f"make one with: orchestrate tune --device {environment.get('device') or 'NAME'}"
            )

    def covers(self, architecture: Architecture) -> bool:
        """Return whether the architecture was tuned as a whole: only then its networks' own cost is known."""
        return any(m.part is None and m.architecture == architecture.name for m in self.measurements)


def _known() -> dict[str, Path]:
    """Return profiles by name, the user's before those that are shipped."""
    return search_path.files(KIND)


def find_profile(name: str) -> Profile:
    """Return the profile called `name`, or in the file `name`; ProfileError lists the known ones."""
    if name.endswith((".yaml", ".yml")) or "/" in name:
        return reader.load(name, Profile)
    paths = _known()
    if name not in paths:
        names = ", ".join(sorted(paths)) or "none"
        raise ProfileError(
            f"no profile {name!r}; known: {names}; make one with: orchestrate tune --device {name}"
        )
    return reader.load(paths[name], Profile)


TRANSIENT = {"measurements": {"__all__": {"layers"}}}  # what `kernels` are made of


def save_profile(profile: Profile, path: Path) -> None:
    """Write a profile whole or not at all."""
    import yaml

    data = {"schema": Profile.SCHEMA, **profile.model_dump(mode="json", exclude_none=True, exclude=TRANSIENT)}
    rows = [
        yaml.safe_dump(m, default_flow_style=True, sort_keys=False, width=10**6).strip()
        for m in data.pop("measurements")
    ]
    head = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = head + "measurements:\n" + "".join(f"  - {row}\n" for row in rows)
    files.write_bytes(str(path), text.encode())
