"""A terminal's console for the text of strangers: model ids, file names, reasons from other tools."""

import signal
import threading
from typing import Any, NoReturn

from rich.console import Console
from rich.text import Text

from bench.record.printable import printable
from bench.work.left_readers import ReaderLeftError, discard_output

TERM, DEFAULT = signal.SIGTERM, signal.SIG_DFL


class PlainConsole(Console):
    """A console to which every string is text: neither markup, nor emoji codes, nor control characters."""

    def on_broken_pipe(self) -> NoReturn:
        """Raise ReaderLeftError; Rich would exit, and silence standard output whichever stream was left.

        In another thread this ends the thread alone; where SIGTERM is handled, it interrupts the command.
        """
        self.quiet = True
        discard_output(self.file.fileno())
        main = threading.main_thread()
        if threading.current_thread() is not main and main.ident and signal.getsignal(TERM) is not DEFAULT:
            signal.pthread_kill(main.ident, TERM)
        raise ReaderLeftError

    def render_str(self, text: str, **options: Any) -> Text:
        """Return `text` as Rich renders it, without what could do more than be read."""
        return super().render_str(printable(text), **{**options, "markup": False, "emoji": False})
