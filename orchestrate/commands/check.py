"""`orchestrate devices check`: what is wrong on the boards, and how to mend it."""

import json
from typing import Annotated

import typer

from orchestrate.commands.devices import File
from orchestrate.commands.devices import app as devices


def check(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="default: all")] = None,
    file: File = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Examine boards: ssh, Docker, image, disk, memory, clocks, power, load; exit 1 when something fails."""
    from orchestrate.devices import choose, default_path, load_devices
    from orchestrate.doctor import checks, show, visit

    source = file or default_path()
    known = load_devices(source)
    found = visit.visit_all(choose(known, names or known, source))
    typer.echo(json.dumps(checks.as_json(found), indent=1)) if as_json else show.show(found)
    raise typer.Exit(int(any(checks.verdict(each) == "fail" for each in found.values())))


def register(_root: typer.Typer) -> None:
    """Add the command below `devices`."""
    devices.command("check")(check)
