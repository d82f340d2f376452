"""The runs of a results folder as a list, and taking one away."""

import shutil
from pathlib import Path
from typing import TypedDict

from rich.table import Table

from orchestrate.errors import BadInput, Busy, OrbitError, listed
from orchestrate.runs.folder import Run, known_runs


class RunRow(TypedDict):
    """A run: how many of its jobs have a record; None where its folder cannot be read, for a `problem`."""

    run: str
    devices: list[str]
    jobs: int | None
    records: int | None
    problem: str | None


def rows(results: Path) -> list[RunRow]:
    """Return one row a run, oldest first; `problem`: why a folder cannot be read."""
    found: list[RunRow] = []
    for name in known_runs(results):
        try:
            run = Run(results / name)
        except OrbitError as error:
            found.append({"run": name, "devices": [], "jobs": None, "records": None, "problem": str(error)})
            continue
        jobs = sum(len(folder.wanted) for folder in run.devices.values())
        done = jobs - sum(map(len, run.missing().values()))
        devices = sorted(run.devices)
        found.append({"run": name, "devices": devices, "jobs": jobs, "records": done, "problem": None})
    return found


def table(found: list[RunRow]) -> Table:
    """Return the rows for people."""
    made = Table("run", "devices", "records", "", box=None, pad_edge=False)
    for row in found:
        count = "" if row["jobs"] is None else f"{row['records']}/{row['jobs']}"
        made.add_row(row["run"], ", ".join(row["devices"]), count, row["problem"] or "")
    return made


def remove(run: Run, force: bool) -> None:
    """Remove the run's folder. Busy while it is at work; BadInput for an unfinished one without `force`."""
    if run.path.is_symlink():
        raise BadInput(f"{run.path} is a link: remove it yourself")
    waiting = [name for name, missing in run.missing().items() if missing]
    if waiting and not force:
        raise BadInput(
            f"{run.id} has records to come on {listed(waiting)}: finish it with `{run.resume_command()}`, "
            "or remove it with --force"
        )
    with run.held():
        for name in run.devices:
            if run.files.is_locked(f"{name}/runtime.lock"):
                raise Busy(f"{run.id}: its runtime on {name} is at work; interrupt the run first")
        shutil.rmtree(run.path)
