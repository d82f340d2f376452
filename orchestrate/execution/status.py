"""What runs are doing, asked of the results folder and of the boards; nothing is changed."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from rich.console import Console
from rich.table import Table

from orchestrate.console import first_line
from orchestrate.errors import OrbitError
from orchestrate.execution.follower import Runner
from orchestrate.execution.run import runner_of
from orchestrate.execution.settings import Settings
from orchestrate.execution.summary import counts
from orchestrate.runs.folder import DeviceFolder, Run

ASKED_AT_ONCE = 32


def ask(run: Run, folder: DeviceFolder, devices: Settings, question: Callable[[Runner], str]) -> str:
    """The answer of one device, or why there is none."""
    try:
        runner = runner_of(run, folder, devices)
        with closing(runner):
            runner.open()
            return question(runner)
    except OrbitError as error:
        return f"no answer: {error}"


def show_status(run: Run, devices: Settings, console: Console, as_json: bool) -> int:
    """Print counts by device, and for those that lack records how they stand; 1 while any is missing."""
    folders = run.devices.values()
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        words = list(
            pool.map(
                lambda f: ask(run, f, devices, lambda r: r.status()) if f.missing() else "complete", folders
            )
        )
    found = {
        folder.name: {**counts(folder.wanted, list(folder.stored()), None), "state": word}
        for folder, word in zip(folders, words, strict=True)
    }
    if as_json:
        print(json.dumps({"run": run.id, "devices": found}, indent=1))
    else:
        table = Table("device", "ok", "failed", "skipped", "missing", "state", box=None, pad_edge=False)
        for name, device in found.items():
            numbers = [str(device[key]) for key in ("ok", "failed", "skipped", "missing")]
            table.add_row(name, *numbers, first_line(device["state"]))
        console.print(table)
    return 0 if run.finished() else 1


def show_logs(run: Run, devices: Settings, names: list[str], lines: int) -> int:
    """Print the last lines of each device's log, after its name where there are several."""
    names = names or list(run.devices)
    for name in names:
        prefix = f"{name}: " if len(names) > 1 else ""
        text = ask(run, run.devices[name], devices, lambda runner: "\n".join(runner.tail(lines)))
        for line in text.splitlines():
            print(prefix + first_line(line, 1000))
    return 0
