"""What can be wrong with a data set."""

from bench.errors import InputError


class DataError(InputError):
    """A data set that is unknown, absent or damaged; the text states how to get it."""
