"""YAML manifests into checked pydantic models, with all mistakes of a file reported at once.

    devices = manifest.load(path, Devices)

raises `ManifestError`, whose `problems` print as `FILE:LINE: path.to.key: what is wrong (allowed: a, b)`.
Checks that need more than one file keep the `ParsedFile` and ask it for a key's line:

    source = manifest.read(path)
    devices = source.validate(Devices)
    raise ManifestError([source.problem(("pi4", "image"), "no image of this name")])

A leaf: it imports yaml, pydantic and of ours the errors alone, so that both command lines use it
(docs/decisions/0001). Scalars follow YAML 1.2's core schema, not 1.1: `on`, `no` and `12:30` stay text, and
`1e-3` is a number.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from bench.manifests import explain, yaml_text
from bench.manifests.problems import KeyPath, ManifestError, Problem, choices, dotted

__all__ = [
    "KeyPath",
    "Manifest",
    "ManifestError",
    "ParsedFile",
    "Problem",
    "Section",
    "choices",
    "dotted",
    "json_schema",
    "load",
    "one_of",
    "parse",
    "read",
    "read_text",
]


class Section(BaseModel):
    """A mapping inside a manifest: immutable, and it refuses keys that it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class Manifest(Section):
    """A whole file. Its optional top-level key `schema` is compared with `SCHEMA` by the reader."""

    SCHEMA: ClassVar[int] = 1


Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class ParsedFile:
    """A parsed file: plain data, and the line of each key path."""

    file: str
    data: object
    lines: dict[KeyPath, int]
    problems: list[Problem]  # what is already known to be wrong: keys that occur twice

    def problem(self, path: KeyPath, message: str) -> Problem:
        """Place a mistake at `path`, or at its nearest parent that the file has."""
        known = next(path[:n] for n in range(len(path), -1, -1) if path[:n] in self.lines or n == 0)
        return Problem(self.file, self.lines.get(known), dotted(path), message)

    def validate(self, model: type[Model]) -> Model:
        """Build `model` from the data; raises ManifestError with all its mistakes."""
        data, found = self.data, list(self.problems)
        if issubclass(model, Manifest) and isinstance(data, dict):
            self._check_schema(data.get("schema", model.SCHEMA), model.SCHEMA)
            data = {key: value for key, value in data.items() if key != "schema"}
        try:
            result = model.model_validate(data)
        except ValidationError as error:
            found += self._explain(model, error.errors())
        if found:
            raise ManifestError(list(dict.fromkeys(sorted(found, key=lambda p: p.line or 0))))
        return result

    def _check_schema(self, schema: object, known: int) -> None:
        if type(schema) is not int or schema < 1:
            raise ManifestError(
                [self.problem(("schema",), f"must be a whole number from 1 to {known}, not {schema!r}")]
            )
        if schema > known:
            newer = f"schema {schema} is newer than this version reads (up to {known}): upgrade orbitbench"
            raise ManifestError([self.problem(("schema",), newer)])

    def _explain(self, model: type[BaseModel], errors: list[ErrorDetails]) -> list[Problem]:
        texts: dict[KeyPath, list[str]] = {}
        for details in errors:
            path = explain.path_in_data(self.data, details["loc"], details["type"])
            texts.setdefault(path, []).append(explain.message(model, path, details))
        return [self.problem(path, text) for path, text in explain.together(texts)]


def one_of(allowed: Iterable[str]) -> AfterValidator:
    """Demand one of some names, which a mistake lists; for names that a `Literal` cannot spell out."""
    known = list(allowed)

    def check(value: str) -> str:
        if value not in known:
            raise ValueError(f"unknown value {value!r} {choices(value, known)}")
        return value

    return AfterValidator(check)


def load(path: Path | str, model: type[Model]) -> Model:
    """Read the YAML file at `path` into `model`; raises ManifestError with every mistake found."""
    return read(path).validate(model)


def parse(content: str, model: type[Model], name: str = "<text>") -> Model:
    """Do as `load` with text; `name` is the file's in messages."""
    return read_text(content, name).validate(model)


def read(path: Path | str) -> ParsedFile:
    """Parse the YAML file at `path` without checking it against a model."""
    return ParsedFile(*yaml_text.read_file(path))


def read_text(content: str, name: str = "<text>") -> ParsedFile:
    """Do as `read` with text."""
    return ParsedFile(*yaml_text.read_text(content, name))


def json_schema(model: type[BaseModel]) -> dict[str, object]:
    """Describe `model` as JSON Schema (2020-12), for editors that complete and check YAML."""
    schema = model.model_json_schema()
    if issubclass(model, Manifest):
        version = {"type": "integer", "minimum": 1, "maximum": model.SCHEMA, "default": model.SCHEMA}
        schema["properties"] = {"schema": version, **schema.get("properties", {})}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
