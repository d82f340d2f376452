"""`orchestrate status|logs|collect`: what runs are doing, and fetching what they have finished."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrate.commands import complete
from orchestrate.commands.devices import File
from orchestrate.commands.run import Report, Results, Trust
from orchestrate.errors import BadInput, listed

Name = Annotated[
    str,
    typer.Argument(
        metavar="RUN",
        help="the run's id, the beginning of one, latest, or the path of its folder",
        autocompletion=complete.runs,
    ),
]


def status(
    run: Name,
    results: Results = Path("results"),
    file: File = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Show how far a run is, here and on its devices. Exit code 1 while records are missing."""
    from orchestrate.console import make_console
    from orchestrate.execution.settings import Settings
    from orchestrate.execution.status import show_status
    from orchestrate.runs.folder import Run

    raise typer.Exit(show_status(Run.open(results, run), Settings(file), make_console(), as_json))


def logs(
    run: Name,
    device: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="of this device only; may be repeated", autocompletion=complete.devices
        ),
    ] = None,
    lines: Annotated[int, typer.Option(min=1, max=10_000, metavar="N", help="how many of each device")] = 50,
    results: Results = Path("results"),
    file: File = None,
) -> None:
    """Print the last lines that the runtime wrote on each device."""
    from orchestrate.execution.settings import Settings
    from orchestrate.execution.status import show_logs
    from orchestrate.runs.folder import Run

    opened = Run.open(results, run)
    unknown = sorted(set(device or []) - set(opened.devices))
    if unknown:
        raise BadInput(f"{opened.id} has no device {listed(unknown)}; it has: {listed(opened.devices)}")
    raise typer.Exit(show_logs(opened, Settings(file), device or [], lines))


def collect(
    run: Name,
    report: Report = True,
    results: Results = Path("results"),
    file: File = None,
    trust_run: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="print a JSON summary")] = False,
) -> None:
    """Fetch the records that devices have finished; start nothing. Exit code 1 while records are missing."""
    from orchestrate.execution import run as study
    from orchestrate.execution.settings import Settings
    from orchestrate.runs.folder import Run

    raise typer.Exit(study.collect(Run.open(results, run), Settings(file, trust_run), as_json, report))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for function in (status, logs, collect):
        app.command()(function)
