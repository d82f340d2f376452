"""What ends a `bench` command with one line on stderr instead of a traceback."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """The command line or a file cannot be used as it is: exit code 2. The text states what to do."""

    exit_code = 2


class JobError(RuntimeError):
    """The command was valid, but a job failed: exit code 1. The text states what is kept and what to do."""

    exit_code = 1


class DivergedError(JobError):
    """The loss has left the numbers, or grown far beyond chance; the text states what to change."""


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` was probably meant to be; None where none is like it."""
    return next(iter(get_close_matches(name, list(known), 1)), None)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean b?)`, or nothing where no known name is like `name`."""
    close = closest(name, known)
    return f" (did you mean {close}?)" if close else ""
