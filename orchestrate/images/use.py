"""What `orchestrate images ...` does: each function is one subcommand and returns its exit code."""

import contextlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

from orchestrate.engine.images import ImageEngine, local
from orchestrate.errors import BadInput, OrbitError
from orchestrate.images import bake, context, lockfile, ship
from orchestrate.images import build as builder
from orchestrate.images.manifest import Project, open_project
from orchestrate.images.show import Steps, Transfer

LOCK = Path("manifests/images.lock.yaml")
LOOPBACK = re.compile(r"(?:127\.[0-9.]+|localhost|\[::1\]):([0-9]+)(?:/|$)")


def build(
    names: list[str] | None,
    platform: str | None,
    base: str | None,
    cache: bool,
    prepare: bool,
    verbose: bool,
    registry: str | None,
    lock: Path | None,
) -> int:
    """Build, each target for itself."""
    project = open_project(registry=registry)
    targets = project.targets(names, platform, base)
    failed = 0
    engine = None if prepare else local()
    for target in targets:
        try:
            if engine is None:
                say(f"{target.key}: {context.prepare(project, target).relative_to(project.root)}")
                continue
            with Steps(target.key, verbose) as steps:
                built = builder.build(project, target, engine, steps, cache)
            lockfile.record(lock or project.root / LOCK, target.name, target.platform, built)
            say(f"{target.key}: {built.tag} {built.id[7:19]} {built.size / 1e6:.0f} MB")
        except OrbitError as error:
            failed += 1
            complain(error)
    return 1 if failed else 0


def push(names: list[str] | None, platform: str | None, registry: str | None, lock: Path | None) -> int:
    """Push, each target for itself; without names, those that are built here."""
    project = open_project(registry=registry)
    engine, failed = local(), 0
    targets = [t for t in project.targets(names, platform) if names or engine.find(t.tag)]
    if not targets:
        raise BadInput(f"nothing to push to {project.images.registry}: `orchestrate images build` first")
    for target in targets:
        try:
            with Transfer(target.key) as progress:
                built = ship.push(target, engine, lock or project.root / LOCK, progress)
            say(f"{target.key}: {built.by_digest}")
        except OrbitError as error:
            failed += 1
            complain(error)
    return 1 if failed else 0


def bring(
    how: Literal["pull", "load"],
    names: list[str] | None,
    devices: list[str] | None,
    file: Path | None,
    platform: str | None,
    registry: str | None,
    lock: Path | None,
) -> int:
    """Pull or load on each device, in turn: they share this machine's uplink."""
    project = open_project(registry=registry)
    path = lock or project.root / LOCK
    places = _places(project, devices, file, how)
    failed = 0
    for opened, own_image in places:
        try:
            with opened() as board:
                for name in names or own_image:
                    _bring_one(how, project, name, board, platform, path)
        except BadInput:
            raise
        except OrbitError as error:
            failed += 1
            complain(error)
    return 1 if failed else 0


def _bring_one(
    how: str, project: Project, name: str, board: ImageEngine, platform: str | None, lock: Path
) -> None:
    target = project.target(name, platform or f"linux/{board.architecture()}")
    with Transfer(f"{target.key} to {board.name}") as progress:
        if how == "pull":
            info = ship.pull(target, board, lock, progress)
            say(f"{target.key}: {board.name} has {info.id[7:19]}, by digest")
        else:
            info, sent = ship.load(target, local(), board, progress)
            say(f"{target.key}: {board.name} has {info.id[7:19]}, {'sent' if sent else 'had it already'}")


Opened = Callable[[], contextlib.AbstractContextManager[ImageEngine]]


def _places(
    project: Project, devices: list[str] | None, file: Path | None, how: str
) -> list[tuple[Opened, list[str]]]:
    """How to open each place, and the image that its entry in devices.yaml names."""
    if not devices:
        return [(lambda: contextlib.nullcontext(local()), list(project.images.images))]
    from orchestrate import manifests

    known = manifests.load(file or manifests.default())
    places: list[tuple[Opened, list[str]]] = []
    for name in devices:
        if name not in known:
            raise BadInput(f"no device is called {name} (known: {', '.join(sorted(known))})")
        device = known[name]
        if device.transport != "docker" or device.image is None:
            raise BadInput(f"{name} runs without Docker: it needs no image")
        reverse = forward(project.images.registry) if how == "pull" else ()

        @contextlib.contextmanager
        def opened(
            name: str = name, host: str | None = device.host, reverse: tuple[str, ...] = reverse
        ) -> Iterator[ImageEngine]:
            from orchestrate.engine.connection import Engine

            with Engine(host, reverse=reverse) as engine:
                yield ImageEngine(engine.client, name)

        places.append((opened, [device.image]))
    return places


def forward(registry: str) -> tuple[str, ...]:
    """The ssh forward that lends a registry on this machine's loopback, at the same address there."""
    found = LOOPBACK.match(registry)
    return (f"127.0.0.1:{found[1]}:127.0.0.1:{found[1]}",) if found else ()


def show_list(as_json: bool, registry: str | None, lock: Path | None) -> None:
    """Print every target with what the lock knows."""
    project = open_project(registry=registry)
    locked = lockfile.read(lock or project.root / LOCK)
    rows: list[dict[str, Any]] = []
    for target in project.targets(list(project.images.images)):
        built = locked.find(target.name, target.platform)
        row = {
            "image": target.name,
            "platform": target.platform,
            "python": target.python,
            "base": target.base,
        }
        row |= {"context": f"{bake.CONTEXTS}/{target.context_name}", "about": target.image.about}
        rows.append(row | {"built": built.model_dump() if built else None})
    if as_json:
        print(json.dumps(rows, indent=1))
    else:
        _table(rows)


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("image", "platform", "python", "MB", "id", "pushed", "base", box=None, pad_edge=False)
    for row in rows:
        known = row["built"] or {}
        size = f"{known['size'] / 1e6:.0f}" if known else "-"
        digest = str(known.get("digest") or "-")[7:19] if known.get("digest") else "-"
        cells = [str(row[key]) for key in ("image", "platform", "python")]
        table.add_row(
            *cells, size, str(known.get("id", ""))[7:19] or "-", digest, str(row["base"]).partition("@")[0]
        )
    Console().print(table)


def say(text: str) -> None:
    """A line of the result."""
    print(text, flush=True)


def complain(error: OrbitError) -> None:
    """A line about what went wrong, while the others go on."""
    print(f"orchestrate: {error}", file=sys.stderr, flush=True)
