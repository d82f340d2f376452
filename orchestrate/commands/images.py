"""`orchestrate images build|push|pull|load|list`: one image per board."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrate.commands import complete

app = typer.Typer(no_args_is_help=True, help="Build every board's image, and bring it there.")

Names = Annotated[list[str] | None, typer.Argument(metavar="IMAGE", help="default: all of images.yaml")]
Platform = Annotated[
    str | None,
    typer.Option(metavar="PLATFORM", help="linux/amd64 or linux/arm64; default: all that the image has"),
]
Registry = Annotated[
    str | None,
    typer.Option(
        metavar="HOST[:PORT]/PATH", envvar="ORBITBENCH_REGISTRY", help="default: the one of images.yaml"
    ),
]
Lock = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="what was pushed, by digest [default: manifests/images.lock.yaml]"),
]
Devices = Annotated[
    list[str] | None,
    typer.Option(
        "--device", metavar="NAME", help="of devices.yaml; may be repeated", autocompletion=complete.devices
    ),
]
File = Annotated[
    Path | None,
    typer.Option(
        "--devices", metavar="FILE", envvar="ORBITBENCH_DEVICES", help="use no other file of devices"
    ),
]


@app.command()
def build(
    names: Names = None,
    platform: Platform = None,
    base: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="another base; `base` is made from Debian's packages")
    ] = None,
    cache: Annotated[bool, typer.Option(help="reuse the layers of earlier builds")] = True,
    prepare: Annotated[bool, typer.Option(help="only fill build/images, for docker buildx bake")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="show every line of the builder")] = False,
    registry: Registry = None,
    lock: Lock = None,
) -> None:
    """Build images; where one cannot be built here, the reason is printed and the others are built."""
    from orchestrate.images import actions

    raise typer.Exit(
        actions.build(actions.Choice(names, platform, registry, lock), base, cache, prepare, verbose)
    )


@app.command()
def push(
    names: Names = None, platform: Platform = None, registry: Registry = None, lock: Lock = None
) -> None:
    """Push built images to the registry and write their digests into the lock."""
    from orchestrate.images import actions

    raise typer.Exit(actions.push(actions.Choice(names, platform, registry, lock)))


@app.command()
def pull(
    names: Names = None,
    device: Devices = None,
    devices: File = None,
    platform: Platform = None,
    registry: Registry = None,
    lock: Lock = None,
) -> None:
    """Let boards (default: this machine) pull by digest.

    A registry on this machine's loopback address is forwarded over SSH.
    """
    from orchestrate.images import actions

    raise typer.Exit(actions.bring("pull", actions.Choice(names, platform, registry, lock), device, devices))


@app.command()
def load(
    device: Annotated[
        list[str],
        typer.Option(
            "--device",
            metavar="NAME",
            help="of devices.yaml; may be repeated",
            autocompletion=complete.devices,
        ),
    ],
    names: Names = None,
    devices: File = None,
    platform: Platform = None,
    registry: Registry = None,
    lock: Lock = None,
) -> None:
    """Send images from this machine's engine to boards over SSH: no registry, no internet needed there."""
    from orchestrate.images import actions

    raise typer.Exit(actions.bring("load", actions.Choice(names, platform, registry, lock), device, devices))


@app.command("list")
def list_(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
    registry: Registry = None,
    lock: Lock = None,
) -> None:
    """Show every image: platform, base, size, and what the lock knows of it."""
    from orchestrate.images import actions

    actions.show_list(actions.Choice(registry=registry, lock=lock), as_json)


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.add_typer(app, name="images")
