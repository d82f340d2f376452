"""What runs are doing, asked of the results folder and of the boards; nothing is changed."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from rich.console import Console
from rich.table import Table

from bench.record import measure
from orchestrate.console import first_line
from orchestrate.errors import OrbitError
from orchestrate.execution import progress
from orchestrate.execution.follower import Runner
from orchestrate.execution.progress import Event, parse
from orchestrate.execution.run import runner_of
from orchestrate.execution.settings import Settings
from orchestrate.execution.summary import counts
from orchestrate.runs.folder import DeviceFolder, Run

ASKED_AT_ONCE = 32
TAIL = 50  # lines of a device's log in which its last count is


def _ask(run: Run, folder: DeviceFolder, devices: Settings, question: Callable[[Runner], str]) -> str:
    """Return the answer of one device, or why there is none."""
    try:
        runner = runner_of(run, folder, devices)
        with closing(runner):
            runner.open()
            return question(runner)
    except OrbitError as error:
        return f"no answer: {error}"


def show_status(run: Run, devices: Settings, console: Console, as_json: bool) -> int:
    """Print counts by device, and for those that lack records their status; 1 while any is missing."""
    folders = run.devices.values()
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        words = list(pool.map(lambda folder: _state(run, folder, devices), folders))
    found = {
        folder.name: {
            **counts(folder.wanted, list(folder.stored()), None),
            "processes": processes(folder, event),
            "state": word,
        }
        for folder, (word, event) in zip(folders, words, strict=True)
    }
    if as_json:
        print(json.dumps({"run": run.id, "devices": found}, indent=1))
    else:
        table = Table(
            "device", "processes", "ok", "failed", "skipped", "missing", "state", box=None, pad_edge=False
        )
        for name, device in found.items():
            done = "{done}/{total}".format(**device["processes"])
            numbers = [str(device[key]) for key in ("ok", "failed", "skipped", "missing")]
            table.add_row(name, done, *numbers, first_line(device["state"]))
        console.print(table)
    return 0 if run.finished() else 1


def _state(run: Run, folder: DeviceFolder, devices: Settings) -> tuple[str, Event | None]:
    """The status of a device, and the last count of processes in its log."""
    seen: list[Event] = []

    def question(runner: Runner) -> str:
        seen.extend(filter(None, map(parse, runner.tail(TAIL))))
        return runner.status()

    if not folder.missing():
        return "complete", None
    word = _ask(run, folder, devices, question)
    return word, next((event for event in reversed(seen) if event["event"] in ("start", "process")), None)


def processes(folder: DeviceFolder, last: Event | None) -> dict[str, int]:
    """Return how many processes of the device's jobs are done, and of how many: from its records and its log.

    A runtime counts the processes of the jobs that it was started on, which may be fewer than the run's.
    """
    wanted = {
        job: measure.steps(measure.complete(planned["measure"], None))
        for job, planned in folder.planned.items()
    }
    missing = set(folder.missing())
    total = sum(wanted.values())
    done = total - sum(wanted[job] for job in missing)
    if last and missing:
        counted = [progress.number(last, key) for key in ("total", "processes", "done")]
        whole, of_start, so_far = (int(value or 0) for value in counted)
        done = max(done, min(total, total - (whole or of_start) + so_far))
    return {"done": done, "total": total}


def show_logs(run: Run, devices: Settings, names: list[str], lines: int) -> int:
    """Print the last lines of each device's log, after its name where there are several."""
    names = names or list(run.devices)
    for name in names:
        prefix = f"{name}: " if len(names) > 1 else ""
        text = _ask(run, run.devices[name], devices, lambda runner: "\n".join(runner.tail(lines)))
        for line in text.splitlines():
            print(prefix + first_line(line, 1000))
    return 0
