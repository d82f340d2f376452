"""Everything that ends a command, with its exit code. The text has what is wrong, where, and what to do."""


class OrbitError(Exception):
    """Some job or board failed; what was finished is kept."""

    exit_code = 1


class BadInput(OrbitError):
    """The command line or a manifest cannot be used as it is."""

    exit_code = 2


class Interrupted(OrbitError):
    """Stopped by the user; the text states how to go on."""

    exit_code = 130


class LinkLost(OrbitError):
    """The board could not be reached just now; trying again may help."""


class Busy(OrbitError):
    """Another run holds the board; the text names it."""


class CommandFailed(OrbitError):
    """A command on the board failed; the text holds its own words."""


class PasswordWanted(CommandFailed):
    """sudo would ask for a password."""


class RebootWanted(CommandFailed):
    """The change takes effect at a reboot only, which a run never starts."""


class StoreFailed(OrbitError):
    """The results folder cannot be written: the disk is full, or the folder is not ours."""


class Refused(OrbitError):
    """A record that must not be kept, nor any that its runtime would make after it."""


def listed(known: object) -> str:
    """Return `a, b, c`: the known names, as every message about an unknown one ends."""
    return ", ".join(sorted(map(str, known))) or "none"  # type: ignore[call-overload]
