"""What can be wrong with a profile or a question to it; every message is one line that states what to do."""

from bench.errors import InputError


class ProfileError(InputError):
    """A profile that cannot be used for what was asked."""


class ExtrapolationError(ProfileError):
    """Widths beyond those that were tuned."""
