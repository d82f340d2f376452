"""What a single value of `devices.yaml` may be: nothing of it may surprise a shell, a path, a board."""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from bench.manifests import reader
from bench.record import backends
from orchestrate.errors import listed
from orchestrate.quantities import MEMORY

UNITS = {"": 1.0, **MEMORY.units}
RESERVED = {"bundle", "report"}  # what else a run's folder holds


def _size(value: object) -> object:
    """Read bytes from `64MB`, `1.5 GiB` or a plain number."""
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([A-Za-z]*)", value.strip())
    if not match or match[2] not in UNITS:
        raise ValueError(
            f"a size such as 512MB is wanted, not {value!r}; units: {listed(filter(None, UNITS))}"
        )
    return int(float(match[1]) * UNITS[match[2]])


def _unique(values: list[object]) -> list[object]:
    """Refuse a value that occurs twice: it would make two jobs of one name."""
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"given twice: {', '.join(twice)}")
    return values


@dataclass(frozen=True)
class Matching:
    """Text of a restricted alphabet; `wanted` describes what is allowed."""

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


def _free(name: str) -> str:
    """Refuse a device name that a run's folder uses for something else."""
    if name in RESERVED:
        raise ValueError(f"{name!r} is taken: a run keeps something else under that name")
    return name


def known_backend(name: str) -> str:
    """Refuse a backend that nobody declares."""
    if name not in backends.known():
        raise ValueError(f"unknown value {name!r} {reader.choices(name, backends.known())}")
    return name


Bytes = Annotated[int, BeforeValidator(_size), Field(ge=0, strict=True)]
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
Name = Annotated[Word, AfterValidator(_free)]
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
Once = AfterValidator(_unique)
Command = Annotated[list[Argument], Field(min_length=1)]
MeasureSetting = Literal[
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
