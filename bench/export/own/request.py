"""What a user says beside the name of an ONNX file, and what becomes of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Request:
    """`dims`: sizes of dynamic dimensions by name; `values`: constants by input; `inputs`: npz of arrays."""

    dims: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    inputs: Path | None = None


@dataclass(frozen=True)
class Prepared:
    """A model ready for a bundle: its two files, its entry without paths and hashes, and the names it knows.

    `known_dims` and `known_inputs` are what `Request.dims` and `Request.values` may name for this file.
    """

    id: str
    model: Path
    reference: Path
    entry: dict[str, Any]
    known_dims: list[str]
    known_inputs: list[str]
