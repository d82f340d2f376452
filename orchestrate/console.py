"""Where lines and tables for people go."""

from rich.console import Console

ROW = 160  # columns: a whole row of our widest table


def make_console(stderr: bool = False) -> Console:
    """A console on stdout, or on stderr. A log file or a pipe has no width: rows stay whole there."""
    made = Console(stderr=stderr)
    return made if made.is_terminal else Console(stderr=stderr, width=max(ROW, made.width))


def first_line(error: object, limit: int = 300) -> str:
    """The beginning of a message, fit for one line of a terminal: a board may send anything."""
    text = str(error).strip().splitlines()
    printable = "".join(c if c.isprintable() else "?" for c in (text[0] if text else repr(error)))
    return printable[:limit]
