"""What can go wrong with a search."""

from bench.errors import InputError


class SearchInputError(InputError):
    """Settings, or a checkpoint, that cannot be used; the text states what to do."""
