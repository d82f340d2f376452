"""`orchestrate devices`: what devices.yaml knows."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from typer.models import OptionInfo

if TYPE_CHECKING:
    from orchestrate.devices import Device

app = typer.Typer(
    invoke_without_command=True, help="List the devices of devices.yaml; `check` examines boards."
)

DEVICES: OptionInfo = typer.Option(
    "--devices", metavar="FILE", envvar="ORBITBENCH_DEVICES", help="use no other file of devices"
)
File = Annotated[Path | None, DEVICES]


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
    from orchestrate import device_files
    from orchestrate.devices import json_schema

    if schema:
        typer.echo(json.dumps(json_schema(), indent=1))
        return
    known = device_files.known(file)
    if as_json:
        typer.echo(
            json.dumps({name: device.model_dump(mode="json") for name, device in known.items()}, indent=1)
        )
        return
    show(known, device_files.origin(file))


def show(known: "dict[str, Device]", origin: dict[str, str]) -> None:
    """Print one row a device."""
    from rich.table import Table

    from orchestrate.console import make_console

    columns = ("device", "where", "backend", "precisions", "threads", "entry", "what")
    table = Table(*columns, box=None, pad_edge=False)
    for name, device in known.items():
        where = "this machine" if device.host is None else device.host
        threads = ", ".join(map(str, device.threads))
        precisions = ", ".join(device.precisions)
        table.add_row(name, where, device.backend, precisions, threads, origin[name], device.description)
    make_console().print(table)


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.add_typer(app, name="devices")
