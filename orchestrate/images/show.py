"""Progress of builds and transfers: one living line on a terminal, now and then a plain line elsewhere."""

import sys
import time
from types import TracebackType

from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from orchestrate.console import first_line, make_console, printable

EVERY = 5.0  # s between plain lines


class Transfer:
    """A progress bar for bytes; a context manager whose instance is called with (what, done, total)."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.bar: Progress | None = None
        self.last = time.monotonic()
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}", markup=False), BarColumn(), DownloadColumn())
            speed = (TransferSpeedColumn(), TimeRemainingColumn())
            self.bar = Progress(*columns, *speed, console=make_console(stderr=True), transient=True)
            self.task = self.bar.add_task(title, total=None)

    def __enter__(self) -> "Transfer":
        if self.bar:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar:
            self.bar.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        """Bytes done of `total` (0: unknown; an estimate may be exceeded)."""
        if self.bar:
            self.bar.update(
                self.task,
                description=first_line(f"{self.title}: {what}"),
                completed=done,
                total=max(total, done),
            )
        elif time.monotonic() - self.last > EVERY:
            self.last = time.monotonic()
            print(
                printable(f"{self.title}: {what} {done / 1e6:.0f} of {max(total, done) / 1e6:.0f} MB"),
                file=sys.stderr,
            )


class Steps:
    """A builder's lines: all of them where asked for or where nobody watches, else the last one."""

    def __init__(self, title: str, verbose: bool) -> None:
        self.title = title
        self.console = make_console(stderr=True)
        self.status = self.console.status(Text(title)) if sys.stderr.isatty() and not verbose else None

    def __enter__(self) -> "Steps":
        if self.status:
            self.status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.status:
            self.status.stop()

    def __call__(self, line: str) -> None:
        """One line of the builder."""
        if self.status:
            self.status.update(Text(first_line(f"{self.title}: {line}", 120)))
        else:
            self.console.print(f"{self.title}: {line[:200]}", highlight=False, soft_wrap=True)
