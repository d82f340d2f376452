"""What a user states beside the name of an ONNX file, and what becomes of it."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import did_you_mean
from bench.export.errors import ExportError
from bench.record.printable import printable


@dataclass(frozen=True)
class OwnRequest:
    """`dims`: sizes of dynamic dimensions by name; `values`: constants by input; `inputs`: an npz of arrays.

    `test_set`: labelled data (see `labelled`), judged by `metric`; `pixels`: how images become numbers.
    """

    dims: Mapping[str, int] = field(default_factory=dict)
    values: Mapping[str, float] = field(default_factory=dict)
    inputs: Path | None = None
    batch: int | None = None  # what a dynamic batch axis is set to
    test_set: Path | None = None
    metric: str = "top1"
    pixels: str | None = None


@dataclass(frozen=True)
class Prepared:
    """A model ready for a bundle: its two files, its entry without paths and hashes, and the names it knows.

    `known_dims` and `known_inputs` are what `OwnRequest.dims` and `OwnRequest.values` may name for this file;
    `given_inputs` are the names in `OwnRequest.inputs`.
    """

    id: str
    model: Path
    reference: Path
    entry: dict[str, Any]
    known_dims: list[str]
    known_inputs: list[str]
    given_inputs: list[str]
    test_set: Path | None = None


def assumption(name: str, entry: Mapping[str, Any], options: str = "--dim") -> str:
    """Return what was assumed of a model's sizes, in one line that begins with `name`; '' for nothing.

    options: that give another size, the last one by the dimension's name.
    """
    made = entry.get("assumed") or {}
    if not made:
        return ""
    sizes = ", ".join(f"{dim} is {size}" for dim, size in made.items())
    first = shlex.quote(f"{next(iter(made))}=SIZE")
    return printable(f"{name}: {sizes}, a batch of one; to measure another: {options} {first}")


def check_names(request: OwnRequest, models: Sequence[Prepared]) -> None:
    """Refuse, as an ExportError, a name of --dim, --value or --input that is none of any of the files."""
    dims = {name for model in models for name in model.known_dims}
    inputs = {name for model in models for name in model.known_inputs}
    given = {name for model in models for name in model.given_inputs}
    problems = _unknown("--dim", request.dims, dims, "a dynamic dimension")
    problems += _unknown("--value", request.values, inputs, "an input")
    problems += _unknown("--input", given, inputs, "an input")
    if problems:
        raise ExportError("\n".join(problems))


def _unknown(option: str, given: Iterable[str], known: set[str], what: str) -> list[str]:
    """What is wrong with the names given to an option."""
    wrong = sorted(set(given) - known)
    if not wrong:
        return []
    names = ", ".join(sorted(known)) or "none"
    return [f"{option} {wrong[0]}{did_you_mean(wrong[0], known)}: no file has such {what}; known: {names}"]
