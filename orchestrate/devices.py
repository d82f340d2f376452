"""`devices.yaml`: where jobs may run. Read strictly: nothing of it may surprise a shell, a path, a board."""

import itertools
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    model_validator,
)
from pydantic_core import CoreSchema, core_schema

from bench.manifests import reader, search_path
from bench.record import backends
from orchestrate.errors import BadInput, listed, meant
from orchestrate.quantities import MEMORY

UNITS = {"": 1.0, **MEMORY.units}
RESERVED = {"bundle", "report"}  # what else a run's folder holds


def size(value: Any) -> Any:
    """Bytes from `64MB`, `1.5 GiB` or a plain number."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)", value.strip())
    if not match or match[2] not in UNITS:
        raise ValueError(
            f"a size such as 512MB is wanted, not {value!r}; units: {listed(filter(None, UNITS))}"
        )
    return int(float(match[1]) * UNITS[match[2]])


def unique(values: list[Any]) -> list[Any]:
    """Refuse a value that occurs twice: it would make two jobs of one name."""
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"given twice: {', '.join(twice)}")
    return values


@dataclass(frozen=True)
class Matching:
    """Text of a restricted alphabet; `wanted` says in words what is allowed."""

    pattern: str
    wanted: str

    def check(self, value: str) -> str:
        """Refuse what the whole pattern does not match."""
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"{value!r} will not do: {self.wanted}")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$", "description": self.wanted}


def free(name: str) -> str:
    """Refuse a device name that a run's folder uses for something else."""
    if name in RESERVED:
        raise ValueError(f"{name!r} is taken: a run keeps something else under that name")
    return name


def known_backend(name: str) -> str:
    """Refuse a backend that nobody declares."""
    if name not in backends.known():
        raise ValueError(f"unknown value {name!r} {reader.choices(name, backends.known())}")
    return name


Bytes = Annotated[int, BeforeValidator(size), Field(ge=0, strict=True)]
Text = Annotated[
    str, Matching(r"[^\x00-\x1f\x7f-\x9f]{0,500}", "at most 500 characters, none of them control characters")
]
Argument = Annotated[
    str, Matching(r"[^\x00-\x1f\x7f-\x9f]{1,4000}", "1 to 4000 characters, none of them control characters")
]
Word = Annotated[
    str,
    Matching(
        r"[a-z0-9][a-z0-9_-]{0,62}", "lower-case letters, digits, - and _, at most 63, no - at the start"
    ),
]
# A device's name becomes a folder of the run and part of a container's name.
Name = Annotated[Word, AfterValidator(free)]
# Never a leading '-': ssh would take it for an option. A ProxyCommand may hand it to a shell: no quotes.
SSH_HOST = r"(?:ssh://)?(?:[A-Za-z0-9_][A-Za-z0-9._+-]{0,62}@)?[A-Za-z0-9_\[:][A-Za-z0-9._:\]-]{0,252}"
Host = Annotated[
    str,
    Matching(
        SSH_HOST + r"|unix:///[A-Za-z0-9._/-]{1,90}",
        "[USER@]HOST or ssh://[USER@]HOST[:PORT], as ~/.ssh/config knows it, or unix:///SOCKET",
    ),
]
Image = Annotated[
    str,
    Matching(
        r"[a-z0-9][a-z0-9._/:@-]{0,254}",
        "a name of images.yaml, or a full reference such as registry/name@sha256:...",
    ),
]
Scalar = str | int | float | bool
Entry = Annotated[str, Matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", "letters, digits and . _ -")]
Precision = Literal["fp32", "fp16", "int8"]
Threads = Annotated[int, Field(ge=0, le=256, strict=True)]
Once = AfterValidator(unique)
Command = Annotated[list[Argument], Field(min_length=1)]
Measure = Literal[
    "processes",
    "warmup",
    "min_samples",
    "max_samples",
    "min_seconds",
    "max_seconds",
    "target_ci",
    "timeout_seconds",
    "repeats",
    "cold_loads",
    "builds",
    "build_timeout_seconds",
    "profile",
]


class Limits(reader.Section):
    """What a board must offer before a run starts on it."""

    max_temperature: float = Field(
        default=70.0, gt=0, le=120, description="degrees Celsius, hottest zone at the start"
    )
    min_free_memory: Bytes = Field(default=200_000_000, description="bytes, or such as 200MB")
    min_free_disk: Bytes = Field(
        default=500_000_000, description="bytes, or such as 1GB, where the engine keeps its data"
    )


class Device(reader.Section):
    """One place where jobs can run: every model of an experiment x precisions x threads."""

    description: Text = ""
    host: Host | None = Field(None, description="anything ~/.ssh/config knows; null is this machine")
    socket: (
        Annotated[str, Matching(r"/[A-Za-z0-9._/-]{1,90}", "an absolute path of letters, digits and . _ - /")]
        | None
    ) = Field(None, description="where Docker listens there, such as /run/user/1000/docker.sock (rootless)")
    transport: Literal["process", "docker"] = Field(
        "docker", description="process: no Docker, this machine only"
    )
    image: Image | None = Field(None, description="a name of images.yaml, or a full reference")
    runtime: Literal["nvidia"] | None = Field(None, description="nvidia on Jetsons")
    gpus: bool = Field(False, description="all GPUs of an x86 machine (docker run --gpus all)")
    backend: Annotated[
        str, AfterValidator(known_backend), Field(json_schema_extra={"enum": [*backends.BACKENDS]})
    ]
    precisions: Annotated[list[Precision], Once] = Field(["fp32"], min_length=1)
    threads: Annotated[list[Threads], Once] = Field(
        [1], min_length=1, description="intra-op threads; 0 leaves the number to the library"
    )
    options: dict[Word, Scalar | dict[Entry, Scalar]] = Field(
        {}, description="for the backend; kept in every record"
    )
    measure: dict[Measure, int | float | bool] = Field(  # int first: counts stay whole numbers
        {}, description="overrides the experiment's, such as max_seconds: 10"
    )
    keep_tactics: bool = Field(
        False, description="keep what engine builds timed there, so that the next run builds in less time"
    )
    memory: Bytes | None = Field(
        None, gt=0, description="limit on the container's memory, such as 4GB; null is none"
    )
    registry_logins: bool = Field(
        False,
        description="send this machine's `docker login` along when the board pulls an image, so that the "
        "board learns the password; without it a private image is sent over SSH",
    )
    power: Literal["jetson", "governor"] | None = Field(
        None,
        description="set and put back by the program: nvpmodel and jetson_clocks, or the CPU governor",
    )
    power_mode: Text | None = Field(
        None, description="what `power` (or `prepare`) sets: nvpmodel's name of a mode, or a governor"
    )
    emulated: bool = Field(False, description="an emulated CPU: its timings never count")
    prepare: list[Command] = Field([], description="run on the board before, each an argument list")
    restore: list[Command] = Field([], description="run on the board after, whatever happened")
    limits: Limits = Limits()

    @model_validator(mode="after")
    def consistent(self) -> Self:
        """Refuse combinations that could not work."""
        process = self.transport == "process"
        problems = [
            text
            for wrong, text in (
                (
                    process and self.host is not None,
                    "process means this machine: leave out host, or use docker",
                ),
                (process and self.image is not None, "process uses no image: leave out image, or use docker"),
                (not process and self.image is None, "docker needs an image"),
                (
                    "dla_core" in self.options and "fp32" in self.precisions,
                    "options.dla_core: a DLA runs fp16 and int8 only: take fp32 from precisions",
                ),
                (
                    self.keep_tactics and not backends.find(self.backend).builds,
                    f"keep_tactics is for backends that build engines, which {self.backend} does not",
                ),
                (
                    process and self.power is not None,
                    "power is set on boards only: leave it out, or use docker",
                ),
                (
                    self.power == "governor" and not re.fullmatch(r"[a-z_]{1,30}", self.power_mode or "a"),
                    "power_mode of `power: governor` is a governor, such as performance",
                ),
                (
                    self.prepare and not self.restore,
                    "prepare needs a restore: a board is left as it was found",
                ),
            )
            if wrong
        ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def json_schema() -> dict[str, Any]:
    """JSON Schema of the file, for editors."""
    return reader.json_schema(Devices)


class Devices(reader.Manifest):
    """The file: devices by name."""

    SCHEMA: ClassVar[int] = 1
    devices: dict[Name, Device] = Field(min_length=1)


def load_devices(path: Path) -> dict[str, Device]:
    """Devices by name; BadInput lists every mistake of the file with its line."""
    try:
        source = reader.read(path)
        found = source.validate(Devices).devices
        images = image_names()
        problems = [
            source.problem(*each)
            for name, device in found.items()
            for each in itertools.chain(unperformed(name, device), unknown_image(name, device, images))
        ]
        if problems:
            raise reader.ManifestError(sorted(problems, key=lambda problem: problem.line or 0))
        return {
            name: device.model_copy(update={"image": images.get(device.image or "", device.image)})
            for name, device in found.items()
        }
    except reader.ManifestError as error:
        raise BadInput(str(error)) from None


def image_names() -> dict[str, str]:
    """Every name and alias of images.yaml -> the name. Raises ManifestError for an unreadable file."""
    data = reader.read(search_path.file("images.yaml")).data
    entries = data.get("images", {}) if isinstance(data, dict) else {}
    known = {str(name): str(name) for name in entries}
    for name, entry in entries.items():
        known |= {str(alias): str(name) for alias in (entry or {}).get("aliases", [])}
    return known


def unknown_image(name: str, device: Device, known: dict[str, str]) -> Iterator[tuple[reader.KeyPath, str]]:
    """Yield the image's key where it is a plain name that images.yaml does not have."""
    if device.image and not re.search("[/:@]", device.image) and device.image not in known:
        what = f"unknown image {device.image!r} {reader.choices(device.image, list(known))}"
        yield ("devices", name, "image"), what


def unperformed(name: str, device: Device) -> Iterator[tuple[reader.KeyPath, str]]:
    """Precisions and options that the device's backend does not perform, each with its key in the file."""
    for index, precision in enumerate(device.precisions):
        if problem := backends.precision_problem(device.backend, precision):
            yield ("devices", name, "precisions", index), problem
    for key, problem in backends.option_problems(device.backend, device.options):
        yield ("devices", name, "options", key), problem


def choose(devices: dict[str, Device], names: Iterable[str], source: Path | str) -> dict[str, Device]:
    """The devices called `names`, in their order; BadInput lists the known ones."""
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in devices]
    if unknown:
        hint = meant(unknown[0], devices)
        names = f"{listed(map(repr, unknown))}{hint}"
        raise BadInput(f"unknown device {names}; {source} knows: {listed(devices)}")
    return {name: devices[name] for name in wanted}
