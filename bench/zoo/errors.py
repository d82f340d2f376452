"""What can be wrong with a name or a width vector; every message is one line that states what to do."""

from collections.abc import Iterable

from bench.errors import InputError


class ZooError(InputError):
    """Bad input to the zoo."""


class UnknownNameError(ZooError):
    """A name that no registry knows; the message lists the known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown {kind} {name!r}; known: {', '.join(known)}")


class WidthError(ZooError):
    """A width vector of the wrong length or with an entry below one."""
