"""`devices.yaml`: where jobs may run. Read strictly; what a single value may be is in `device_values`."""

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from bench.errors import did_you_mean
from bench.manifests import reader, search_path
from bench.record import backends
from orchestrate.device_values import (
    Bytes,
    Command,
    Entry,
    Host,
    Image,
    Matching,
    MeasureSetting,
    Name,
    Once,
    Precision,
    Scalar,
    Text,
    Threads,
    Word,
    known_backend,
)
from orchestrate.errors import BadInput, listed


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
    measure: dict[MeasureSetting, int | float | bool] = Field(  # int first: counts stay whole numbers
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


def json_schema() -> dict[str, object]:
    """Return the JSON Schema of the file, for editors."""
    return reader.json_schema(Devices)


class Devices(reader.Manifest):
    """The file: devices by name."""

    SCHEMA: ClassVar[int] = 1
    devices: dict[Name, Device] = Field(min_length=1)


def load_devices(path: Path) -> dict[str, Device]:
    """Return devices by name; BadInput lists every mistake of the file with its line."""
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
    """Return every name and alias of images.yaml -> the name. Raises ManifestError for an unreadable file."""
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
    for key, problem in backends.option_problems(device.backend, device.options, device.precisions):
        yield ("devices", name, "options", key), problem


def choose_devices(devices: dict[str, Device], names: Iterable[str], source: Path | str) -> dict[str, Device]:
    """Return the devices called `names`, in their order; BadInput lists the known ones."""
    wanted = list(dict.fromkeys(names))
    unknown = [name for name in wanted if name not in devices]
    if unknown:
        hint = did_you_mean(unknown[0], devices)
        names = f"{listed(map(repr, unknown))}{hint}"
        raise BadInput(f"unknown device {names}; {source} knows: {listed(devices)}")
    return {name: devices[name] for name in wanted}
