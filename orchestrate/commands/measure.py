"""`orchestrate measure`: a bundle that `bench scale` has made, for the figures of its budgets."""

import json
from pathlib import Path
from typing import Annotated

import typer

from orchestrate.commands import complete
from orchestrate.commands.devices import File
from orchestrate.commands.run import Results


def measure(
    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", help="a folder whose models name a reference network")
    ],
    device: Annotated[
        str, typer.Option(metavar="NAME", help="of devices.yaml", autocompletion=complete.devices)
    ],
    threads: Annotated[int | None, typer.Option(metavar="N", help="instead of the device's")] = None,
    precision: Annotated[str | None, typer.Option(metavar="NAME", help="instead of the device's")] = None,
    results: Results = Path("results"),
    devices: File = None,
) -> None:
    """Measure networks in turns with a reference network; JSON on stdout, progress on stderr.

    `bench scale --max-latency` calls it; `orchestrate run` is for people.
    """
    from orchestrate.console import make_console
    from orchestrate.execution import measure_bundle
    from orchestrate.execution.own_words import sweep

    swept = sweep(None if threads is None else str(threads), precision, None)
    console = make_console(stderr=True)
    typer.echo(json.dumps(measure_bundle.measure(bundle, device, swept, results, devices, console)))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("measure", hidden=True)(measure)
