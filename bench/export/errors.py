"""What can be wrong with an export; every message is one line that states what to do."""

from bench.errors import InputError


class ExportError(InputError):
    """Bad input to an export; of several problems, each has its line."""
