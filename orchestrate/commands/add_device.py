"""`orchestrate devices add`: look at a board, propose its entry, write it."""

import sys
from typing import Annotated

import typer

from orchestrate.commands.devices import File
from orchestrate.commands.devices import app as devices


@devices.command("add")
def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="what the device will be called")],
    host: Annotated[
        str, typer.Option("--host", metavar="HOST", help="as ~/.ssh/config knows it, or USER@HOST")
    ],
    file: File = None,
    yes: Annotated[bool, typer.Option("--yes", help="write without asking")] = False,
) -> None:
    """Probe a board over ssh, propose its entry of devices.yaml, and write it there."""
    from orchestrate.doctor import propose
    from orchestrate.errors import BadInput

    propose.need_valid(name, host)
    path = file or propose.users_file()
    text = propose.text_of(name, propose.entry(host, propose.look(host)))
    typer.echo(text)
    if not yes and not sys.stdin.isatty():
        raise BadInput(f"nothing was written: --yes writes this to {path}")
    if yes or typer.confirm(f"write this to {path}?"):
        propose.write(path, name, text)
        typer.echo(f"{path}: {name} added; next: orchestrate devices check {name}")
