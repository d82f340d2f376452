"""A terminal's console for the text of strangers: model ids, file names, reasons from other tools."""

from contextlib import suppress
from typing import Any, NoReturn

from rich.console import Console
from rich.text import Text

from bench.record.printable import printable


class ReaderLeftError(KeyboardInterrupt):
    """Nobody reads the output any more (`| head`): the same as Ctrl-C to whatever is at work."""


class PlainConsole(Console):
    """A console to which every string is text: neither markup, nor emoji codes, nor control characters."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise ReaderLeftError; Rich would exit, which ends only the thread that prints."""
        with suppress(SystemExit):
            super().on_broken_pipe()  # what is printed from now on goes nowhere
        raise ReaderLeftError

    def render_str(self, text: str, **options: Any) -> Text:
        """Return `text` as Rich renders it, without what could do more than be read."""
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False})
