"""What can go wrong with a training."""

from bench.errors import InputError, JobError


class TrainInputError(InputError):
    """A model, a recipe or a checkpoint that cannot be used; the text states what to do."""


class DivergedError(JobError):
    """The loss has left the numbers, or has grown far beyond chance; the text states what to change."""
