"""`orchestrate tune`: measure a device's cost model."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrate.commands import complete
from orchestrate.commands.devices import File
from orchestrate.commands.run import Results


def tune(
    device: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="of devices.yaml, as `orchestrate devices` lists",
            autocompletion=complete.devices,
        ),
    ],
    measurements: Annotated[
        int,
        typer.Option(
            metavar="N", help="16 to 200: parts of networks and whole ones; fewer are faster and err more"
        ),
    ] = 190,
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="instead of the device's; a profile is of one number")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(metavar="NAME", help="instead of the device's; a profile is of one")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="the profile [default: manifests/profiles/DEVICE.yaml]"),
    ] = None,
    results: Results = Path("results"),
    devices: File = None,
    as_json: Annotated[bool, typer.Option("--json", help="print a JSON summary, progress on stderr")] = False,
) -> None:
    """Measure what parts of networks cost on a device, to predict any widths: minutes, once.

    Leaves a profile, which `bench cost predict` and `bench scale --max-latency` read. It is of this device,
    its backend and version, one precision and one thread count. Interrupted or killed, the same command
    goes on.

    orchestrate tune --device local
    """
    from orchestrate.execution import tune as tuning
    from orchestrate.execution.own_words import sweep

    wanted = tuning.Tuning(
        device=device,
        measurements=measurements,
        out=out or Path("manifests/profiles") / f"{device}.yaml",
        results=results,
        sweep=sweep(None if threads is None else str(threads), precision, None),
        manifest=devices,
    )
    tuning.check(wanted)
    raise typer.Exit(tuning.main(wanted, as_json))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tune")(tune)
