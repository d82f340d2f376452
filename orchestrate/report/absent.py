"""What was planned and has no record: lost boards and jobs to come, above everything else on the page."""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import NamedTuple

from orchestrate.console import printable
from orchestrate.errors import OrbitError
from orchestrate.quantities import counted
from orchestrate.runs.folder import Run

SHOWN = 20  # jobs named of each device


class Absent(NamedTuple):
    """Jobs of one device without a record, of all that were planned; `command` resumes the run."""

    run: str
    device: str
    jobs: tuple[str, ...]
    planned: int
    command: str


def absent(run_dirs: Iterable[Path]) -> tuple[Absent, ...]:
    """Return every device of these runs that lacks records; nothing of a folder that has no readable plan."""
    found: list[Absent] = []
    for folder in run_dirs:
        try:
            run = Run(folder)
        except OrbitError:
            continue
        command = run.resume_command()
        found += [
            Absent(run.id, name, tuple(jobs), len(run.devices[name].wanted), command)
            for name, jobs in run.missing().items()
            if jobs
        ]
    return tuple(found)


def banner(found: tuple[Absent, ...]) -> str:
    """Return the list with the command of each run, as HTML; '' where every planned job has left a record."""
    if not found:
        return ""
    runs = dict.fromkeys((each.run, each.command) for each in found)
    items = "".join(f"<li>{_device(each)}</li>" for each in found)
    commands = "".join(f"<p>To finish: <code>{_text(command)}</code></p>" for _, command in runs)
    return (
        '<div class="banner" role="note" id="absent"><strong>Not everything that was planned has been '
        f"measured.</strong><ul>{items}</ul>{commands}</div>"
    )


def _device(of: Absent) -> str:
    lost = len(of.jobs) == of.planned
    count = f"no record of its {counted(of.planned, 'planned job')}" if lost else (
        f"{len(of.jobs)} of {counted(of.planned, 'planned job')} without a record"
    )  # fmt: skip
    names = ", ".join(f"<code>{_text(job)}</code>" for job in of.jobs[:SHOWN])
    more = f" and {len(of.jobs) - SHOWN} more" if len(of.jobs) > SHOWN else ""
    return f"{_text(of.device)}: {count} <details><summary>which</summary>{names}{more}</details>"


def _text(value: str) -> str:
    return escape(printable(value))
