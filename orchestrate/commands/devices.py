"""`orchestrate devices`: what devices.yaml knows."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    invoke_without_command=True, help="List the devices of devices.yaml; `check` examines boards."
)

File = Annotated[
    Path | None,
    typer.Option(
        "--devices", metavar="FILE", envvar="ORBITBENCH_DEVICES", help="default: manifests/devices.yaml"
    ),
]


@app.callback(invoke_without_command=True)
def devices(
    context: typer.Context,
    file: File = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    schema: Annotated[
        bool, typer.Option("--json-schema", help="print the JSON Schema of devices.yaml, for editors")
    ] = False,
) -> None:
    """List the devices of devices.yaml; `check` examines boards."""
    if context.invoked_subcommand:
        return
    from orchestrate.devices import default_path, json_schema, load_devices

    if schema:
        typer.echo(json.dumps(json_schema(), indent=1))
        return
    known = load_devices(file or default_path())
    if as_json:
        typer.echo(
            json.dumps({name: device.model_dump(mode="json") for name, device in known.items()}, indent=1)
        )
        return
    show(known)


def show(known: dict) -> None:  # type: ignore[type-arg]
    """Print one row a device."""
    from rich.table import Table

    from orchestrate.console import make_console

    table = Table("device", "where", "backend", "precisions", "threads", "what", box=None, pad_edge=False)
    for name, device in known.items():
        where = "this machine" if device.host is None else device.host
        threads = ", ".join(map(str, device.threads))
        table.add_row(name, where, device.backend, ", ".join(device.precisions), threads, device.description)
    make_console().print(table)


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.add_typer(app, name="devices")
