"""Where lines and tables for people go, and what makes the text of strangers fit to be there.

Every line and cell passes `printable`: here for Rich and `say`, in `cli` for errors. Nothing is markup.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from bench.record.printable import first_line, printable

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["first_line", "make_console", "own_command", "printable", "say"]

ROW = 160  # columns: a whole row of our widest table


def make_console(stderr: bool = False) -> Console:
    """Return a console on stdout, or on stderr. A log file or a pipe has no width: rows stay whole there."""
    from bench.work.plain_console import PlainConsole  # Rich takes 50 ms, which text alone does not need

    made = PlainConsole(stderr=stderr)
    return made if made.is_terminal else PlainConsole(stderr=stderr, width=max(ROW, made.width))


def say(text: object) -> None:
    """One or more lines on stdout, as they are but for characters that a terminal would obey."""
    import typer

    typer.echo(printable(text))


def own_command(text: str) -> str:
    """Return a command that somebody else advises, quoted to be pasted.

    Nothing where it is not one of ours.
    """
    try:
        words = shlex.split(first_line(text, 1000)) if text else []
    except ValueError:
        return ""
    return shlex.join(words) if words[:1] in (["bench"], ["orchestrate"]) else ""
