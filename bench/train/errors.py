"""What can go wrong with a training."""

from bench.errors import InputError


class TrainInputError(InputError):
    """A model, a recipe or a checkpoint that cannot be used; the text states what to do."""
