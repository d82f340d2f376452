"""`orchestrate tune`: measure a device's cost model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from bench.cli_app import options_of
from orchestrate.commands import complete
from orchestrate.commands.devices import File
from orchestrate.commands.run import Results


@dataclass(frozen=True)
class TuneOptions:
    """What the command line asks for."""

    device: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="of devices.yaml, as `orchestrate devices` lists",
            autocompletion=complete.devices,
        ),
    ]
    measurements: Annotated[
        int,
        typer.Option(
            metavar="N", help="16 to 200: parts of networks and whole ones; fewer are faster and err more"
        ),
    ] = 190
    threads: Annotated[
        int | None, typer.Option(metavar="N", help="instead of the device's; a profile is of one number")
    ] = None
    precision: Annotated[
        str | None, typer.Option(metavar="NAME", help="instead of the device's; a profile is of one")
    ] = None
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="the profile [default: manifests/profiles/DEVICE.yaml]"),
    ] = None
    results: Results = Path("results")
    devices: File = None
    as_json: Annotated[bool, typer.Option("--json", help="print a JSON summary, progress on stderr")] = False


@options_of(TuneOptions)
def tune(options: TuneOptions) -> None:
    """Measure what parts of networks cost on a device, to predict any widths: minutes, once.

    Leaves a profile, which `bench cost predict` and `bench scale --max-latency` read. It is of this device,
    its backend and version, one precision and one thread count. Interrupted or killed, the same command
    goes on.

    orchestrate tune --device local
    """
    from orchestrate.execution import tune as tuning
    from orchestrate.execution.own_words import sweep

    threads = None if options.threads is None else str(options.threads)
    wanted = tuning.Tuning(
        device=options.device,
        measurements=options.measurements,
        out=options.out or Path("manifests/profiles") / f"{options.device}.yaml",
        results=options.results,
        sweep=sweep(threads, options.precision, None),
        manifest=options.devices,
    )
    tuning.check(wanted)
    raise typer.Exit(tuning.main(wanted, options.as_json))


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("tune")(tune)
