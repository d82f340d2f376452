"""What is wrong with a file, where, and what would be right."""

from typing import NamedTuple

from bench.errors import InputError, closest

KeyPath = tuple[str | int, ...]


class Problem(NamedTuple):
    """One mistake: its file, its line (from 1; None where there is none), its key and what is wrong."""

    file: str
    line: int | None
    path: str
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return ": ".join(part for part in (place, self.path, self.message) if part)


class ManifestError(InputError):
    """Everything that is wrong with a manifest; as text, one problem a line."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("\n".join(str(problem) for problem in problems))


def dotted(path: KeyPath) -> str:
    """Write a key path as people do: `groups[0].ratios[2]`."""
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return text.removeprefix(".")


def choices(value: object, allowed: list[str]) -> str:
    """Say which values are allowed, and which one was probably meant."""
    close = closest(str(value), allowed)
    hint = f"did you mean {close}? " if close else ""
    return f"({hint}allowed: {', '.join(allowed)})"
