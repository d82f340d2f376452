"""What ends a `bench` command with one line on stderr instead of a traceback."""


class InputError(ValueError):
    """The command line or a file cannot be used as it is: exit code 2. The text says what to do."""

    exit_code = 2


class JobError(RuntimeError):
    """The command was valid, but a job failed: exit code 1. The text says what is kept and what to do."""

    exit_code = 1
