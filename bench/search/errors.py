"""What can go wrong with a search."""

from bench.errors import InputError, JobError


class SearchInputError(InputError):
    """Settings, or a checkpoint, that cannot be used; the text states what to do."""


class DivergedError(JobError):
    """The loss is no number any more; the text states what to change."""
