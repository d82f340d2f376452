"""Where lines and tables for people go."""

from rich.console import Console

ROW = 160  # columns: a whole row of our widest table


def console(stderr: bool = False) -> Console:
    """A console on stdout, or on stderr. A log file or a pipe has no width: rows stay whole there."""
    made = Console(stderr=stderr)
    return made if made.is_terminal else Console(stderr=stderr, width=max(ROW, made.width))
