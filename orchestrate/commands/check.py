"""`orchestrate devices check`: what is wrong on the boards, and how to mend it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrate.commands import complete
from orchestrate.commands.devices import File
from orchestrate.commands.devices import app as devices

if TYPE_CHECKING:
    from orchestrate.devices import Device
    from orchestrate.doctor.checks import Check

SHAREABLE = "names of users, hosts and home folders are left out: this can be pasted into an issue as it is"


@devices.command("check")
def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="default: your own, or all", autocompletion=complete.devices),
    ] = None,
    file: File = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="also measure a known network as a run would, for about a minute")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """Examine boards: ssh, Docker, image, disk, memory, clocks, power, load; exit 1 when something fails."""
    from orchestrate import device_files
    from orchestrate.devices import choose_devices
    from orchestrate.doctor import checks, show, visit
    from orchestrate.errors import BadInput

    if deep and not names:
        raise BadInput("--deep measures: name the devices, `orchestrate devices check --deep NAME`")
    known = device_files.known(file)
    chosen = choose_devices(known, names or ["local", *device_files.own(file)], device_files.named(file))
    found = visit.visit_all(chosen)
    if deep:
        found = deepened(found, chosen, file)
    typer.echo(json.dumps(checks.as_json(found), indent=1)) if as_json else show.show(found)
    if deep and not as_json:
        typer.echo(SHAREABLE)
    raise typer.Exit(int(any(checks.verdict(each) == "fail" for each in found.values())))


def deepened(
    found: dict[str, "list[Check]"], chosen: dict[str, "Device"], file: Path | None
) -> dict[str, "list[Check]"]:
    """Add what the known network shows on devices that can be reached; nothing private is in the result."""
    from orchestrate.console import make_console
    from orchestrate.doctor import private, visit
    from orchestrate.doctor.checks import Check
    from orchestrate.execution import deep_check
    from orchestrate.execution.run import version
    from orchestrate.execution.settings import Settings

    reached = [name for name, device in chosen.items() if visit.reached(device, found[name])]
    more = deep_check.examine(reached, Settings(file), make_console(stderr=True)) if reached else {}
    whole = {}
    for name, device in chosen.items():
        image = f", image {device.image}" if device.image else ""
        about = f"{version()}; backend {device.backend} ({', '.join(device.precisions)}){image}"
        every = [Check("orbitbench", "ok", about), *found[name], *more.get(name, [])]
        whole[name] = private.checks(every, {**private.own_names(), **private.names_of(name, device)})
    return whole
