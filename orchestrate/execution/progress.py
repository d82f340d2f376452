"""What a person sees while devices work: a live table on a terminal, plain lines anywhere else."""

import json
import threading
import time
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from bench.work.left_readers import ReaderLeftError
from orchestrate import quantities
from orchestrate.console import first_line

Event = dict[str, Any]
WIDE = 100  # columns from which the temperature has room
BAR = 12


def parse(line: bytes | str) -> Event | None:
    """Return one event of the runtime, or None for a line that is none: a board may print anything."""
    if len(line) > 100_000:
        return None
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("event"), str) else None


def number(event: Event, key: str) -> float | None:
    """Return a figure of an event; None where it is missing or not one that a display could show."""
    value = event.get(key)
    if not isinstance(value, int | float) or isinstance(value, bool) or not abs(value) < 1e15:
        return None
    return float(value)


def clock(seconds: float | None) -> str:
    """Return `1:05:09`, `2:10`, or nothing."""
    if seconds is None or not 0 <= seconds < 1e7:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@dataclass
class Row:
    """What is known of one device."""

    state: str = "waiting"
    job: str = ""
    done: int = 0
    total: int = 0
    eta: float | None = None
    temperature: float | None = None
    figure: str = ""

    def take(self, event: Event) -> None:
        """Learn from an event of the runtime."""
        if event["event"] == "start":
            self.state = "running"
            self.total, self.done = int(number(event, "processes") or 0), int(number(event, "done") or 0)
        elif event["event"] == "process":
            self.state, self.job = "running", first_line(event.get("job", ""), 80)
            self.done, self.total = int(number(event, "done") or 0), int(number(event, "total") or 0)
            self.eta, self.temperature = number(event, "eta"), number(event, "temperature")
            latency = number(event, "p50")
            shown = f"{quantities.number(latency * 1e3)} ms" if latency else ""
            self.figure = shown or first_line(event.get("status", ""), 20)
            if event.get("status") == "disturbed":
                reasons = event.get("reasons")
                why = first_line(", ".join(map(str, reasons)) if isinstance(reasons, list) else "?", 60)
                self.figure += f" disturbed ({why}), measured again later"
        elif event["event"] == "build":
            self.job = first_line(event.get("job", ""), 80)
            which = f"engine {int(number(event, 'build') or 0) + 1} of {int(number(event, 'of') or 0)}"
            took = number(event, "seconds")
            self.figure = f"{which}: {first_line(event.get('status', ''), 20)}"
            self.figure += f" after {clock(took)}" if took else ""
        elif event["event"] == "self_test":
            self.state = "self-test " + ("passed" if event.get("ok") else "FAILED")

    def cells(self) -> tuple[str, ...]:
        """Return the row's text: state, progress, ETA, temperature, last figure, job."""
        progress = f"{self.done}/{self.total}" if self.total else ""
        warm = f"{self.temperature:.0f} °C" if self.temperature is not None else ""
        return self.state, progress, clock(self.eta), warm, self.figure, self.job

    def now(self) -> str:
        """Return what it does: the last figure and its job while it measures, else its state."""
        if self.state != "running" or not self.job:
            return self.state
        return "  ".join(part for part in (self.figure, self.job) if part)


class View:
    """Plain lines: one a finished process, one a change of state. Safe to call from many threads."""

    def __init__(self, console: Console, devices: list[str]) -> None:
        self.console = console
        self.rows = {name: Row() for name in devices}
        self.lock = threading.Lock()

    def __enter__(self) -> "View":
        return self

    def __exit__(self, *exc: object) -> None:
        """Nothing to take down."""

    def pause(self) -> None:
        """Give the terminal to a question."""

    def say(self, device: str, state: str) -> None:
        """A device does something else now: connecting, sending, trying again."""
        with self.lock:
            self.rows[device].state = first_line(state)
            self.show(device, None)

    def event(self, device: str, event: Event) -> None:
        """A device's runtime reported something."""
        with self.lock:
            self.rows[device].take(event)
            self.show(device, event)

    def show(self, device: str, event: Event | None) -> None:
        """Print what changed."""
        if event is not None and event["event"] not in ("start", "build", "process", "self_test"):
            return
        state, progress, eta, warm, figure, job = self.rows[device].cells()
        if event is None or event["event"] not in ("build", "process"):
            parts = [state, progress]
        else:
            parts = [progress, job, figure, warm, f"{eta} left" if eta else ""]
        line = f"{time.strftime('%H:%M:%S')} {device}: " + "  ".join(part for part in parts if part)
        try:
            self.console.print(line, markup=False, highlight=False, soft_wrap=True)
        except ReaderLeftError:
            if threading.current_thread() is threading.main_thread():
                raise
            # In the thread of one device: the main thread is interrupted already, and ends it.


class LiveView(View):
    """One row a device, redrawn in place four times a second."""

    def __enter__(self) -> "LiveView":
        self.live = Live(get_renderable=self.table, console=self.console, refresh_per_second=4)
        self.live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Leave the last state of the table on the screen."""
        self.live.stop()

    def pause(self) -> None:
        """Leave the table as it is; the terminal is for a question now."""
        self.live.stop()

    def show(self, device: str, event: Event | None) -> None:
        """The table shows it at its next refresh."""

    def table(self) -> Table:
        """Return the devices' rows as they are now.

        What does not fit the terminal's height is counted below.
        """
        wide = self.console.width >= WIDE
        table = Table(box=None, pad_edge=False)
        table.add_column("device", no_wrap=True, overflow="ellipsis", max_width=16)
        table.add_column("", no_wrap=True, width=BAR)
        for name in ("done", "left", *(["temp"] if wide else [])):
            table.add_column(name, no_wrap=True, justify="right")
        table.add_column("now")  # the one column that gives way; its text does not wrap
        room = max(3, self.console.height - 3)
        with self.lock:
            for name, row in list(self.rows.items())[:room]:
                _, done, left, warm, *_ = row.cells()
                now = Text(row.now(), no_wrap=True, overflow="ellipsis")
                bar = ProgressBar(
                    total=max(1, row.total), completed=max(0, min(row.done, row.total)), width=BAR
                )
                table.add_row(name, bar, done, left, *([warm] if wide else []), now)
            if len(self.rows) > room:
                table.caption = f"and {len(self.rows) - room} more"
        return table


def view(console: Console, devices: list[str]) -> View:
    """Return the view that suits the console."""
    return LiveView(console, devices) if console.is_terminal else View(console, devices)
