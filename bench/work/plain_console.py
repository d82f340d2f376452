"""A terminal's console for the text of strangers: model ids, file names, reasons from other tools."""

from typing import Any

from rich.console import Console
from rich.text import Text

from bench.record.printable import printable


class PlainConsole(Console):
    """A console to which every string is text: neither markup, nor emoji codes, nor control characters."""

    def render_str(self, text: str, **options: Any) -> Text:
        """Return `text` as Rich renders it, without what could do more than be read."""
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False})
