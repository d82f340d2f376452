"""What `orchestrate images ...` does: each function is one subcommand and returns its exit code."""

import functools
import json
import re
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar

from orchestrate.console import printable, say
from orchestrate.engine.image_store import ImageEngine, connected
from orchestrate.errors import BadInput, Interrupted, OrbitError
from orchestrate.images import bake, context, lockfile, ship
from orchestrate.images import build as builder
from orchestrate.images.manifest import Project, Target, open_project
from orchestrate.images.show import Steps, Transfer
from orchestrate.quantities import size

LOOPBACK = re.compile(r"(?:127\.[0-9.]+|localhost|\[::1\]):([0-9]+)(?:/|$)")
Item = TypeVar("Item")
Opener = Callable[[], AbstractContextManager[ImageEngine]]


@dataclass(frozen=True)
class Choice:
    """Options of every subcommand."""

    names: list[str] | None = None
    platform: str | None = None
    registry: str | None = None
    lock: Path | None = None

    @functools.cached_property
    def project(self) -> Project:
        """The checkout, with the chosen registry."""
        return open_project(registry=self.registry)

    @property
    def lock_path(self) -> Path:
        """The lock that is written: the one given, else the project's."""
        return self.lock or self.project.root / lockfile.OWN

    @property
    def known_lock(self) -> Path:
        """The lock that is read: the same, or the shipped one where the project has none."""
        return self.lock or lockfile.find(self.project.root)


def build(choice: Choice, base: str | None, cache: bool, prepare: bool, verbose: bool) -> int:
    """Build, each target for itself."""
    project = choice.project
    targets = project.targets(choice.names, choice.platform, base)
    if prepare:
        return _each(
            targets, lambda t: say(f"{t.key}: {context.prepare(project, t).relative_to(project.root)}")
        )

    def one(target: Target) -> None:
        with Steps(target.key, verbose) as steps:
            built = builder.build(project, target, engine, steps, cache)
        if choice.lock:  # the project's own lock is for what was pushed
            lockfile.record(choice.lock, target.name, target.platform, built)
        say(f"{target.key}: {built.tag} {built.content[7:19]} {size(built.size)}")

    with connected() as engine:
        try:
            return _each(targets, one)
        except KeyboardInterrupt:
            advice = "run it again, finished layers are kept"
            raise Interrupted(f"interrupted, nothing was tagged by the build under way: {advice}") from None


def push(choice: Choice) -> int:
    """Push, each target for itself; without names, those that are built here."""
    project = choice.project

    def one(target: Target) -> None:
        with Transfer(target.key) as progress:
            built = ship.push(target, engine, choice.lock_path, progress)
        say(f"{target.key}: {built.by_digest}")

    targets = project.targets(choice.names, choice.platform)
    with connected() as engine:
        targets = [target for target in targets if choice.names or engine.find(target.tag)]
        if not targets:
            raise OrbitError(
                f"nothing to push to {project.images.registry}: `orchestrate images build` first"
            )
        return _each(targets, one)


def bring(how: Literal["pull", "load"], choice: Choice, devices: list[str] | None, file: Path | None) -> int:
    """Pull or load on each device, in turn: they share this machine's uplink."""
    move = _pull_one if how == "pull" else _load_one
    choice.project.targets(choice.names, choice.platform)  # mistakes in names before anything is reached

    def one(engine: tuple[Opener, list[str]]) -> None:
        opened, names = engine
        with opened() as board:
            for name in choice.names or names:
                platform = choice.platform or f"linux/{board.architecture()}"
                move(choice, choice.project.target(name, platform), board)

    lends = forward(choice.project.images.registry) if how == "pull" else ()
    return _each(_engines(choice, devices, file, lends), one)


def _pull_one(choice: Choice, target: Target, board: ImageEngine) -> None:
    """Pull one image by digest."""
    with Transfer(f"{target.key} to {board.name}") as progress:
        info = ship.pull(target, board, choice.known_lock, progress)
    say(f"{target.key}: {board.name} has {info.content[7:19]}, by digest")


def _load_one(choice: Choice, target: Target, board: ImageEngine) -> None:
    """Send one image from this machine's engine."""
    with connected() as here, Transfer(f"{target.key} to {board.name}") as progress:
        info, sent = ship.load(target, here, board, progress)
    say(f"{target.key}: {board.name} has {info.content[7:19]}, {'sent' if sent else 'had it already'}")


def _engines(
    choice: Choice, devices: list[str] | None, file: Path | None, lends: tuple[str, ...]
) -> list[tuple[Opener, list[str]]]:
    """Return how to reach each device's engine, and the image that its entry names.

    All mistakes before any work.
    """
    if not devices:
        pushed = lockfile.read(choice.known_lock).images
        return [
            (connected, [name for name, built in pushed.items() if any(b.digest for b in built.values())])
        ]
    from orchestrate import device_files
    from orchestrate.devices import choose_devices

    found: list[tuple[Opener, list[str]]] = []
    for name, device in choose_devices(device_files.known(file), devices, device_files.named(file)).items():
        if device.transport != "docker" or device.image is None:
            raise BadInput(f"{name} runs without Docker: it needs no image")
        found.append(
            (
                functools.partial(connected, device.host, name, lends, device.registry_logins, device.socket),
                [device.image],
            )
        )
    return found


def _each(items: Iterable[Item], action: Callable[[Item], None]) -> int:
    """Do `action` for every item whatever happens to the others; 1 when one failed, else 0."""
    failed = 0
    for item in items:
        try:
            action(item)
        except BadInput:
            raise
        except OrbitError as error:
            failed += 1
            print(printable(f"orchestrate: {error}"), file=sys.stderr, flush=True)
    return 1 if failed else 0


def forward(registry: str) -> tuple[str, ...]:
    """Return the ssh forward that lends a registry on this machine's loopback, at the same address there."""
    found = LOOPBACK.match(registry)
    return (f"127.0.0.1:{found[1]}:127.0.0.1:{found[1]}",) if found else ()


class TargetRow(TypedDict):
    """A target, and what the lock knows of it."""

    image: str
    platform: str
    python: str
    base: str
    context: str
    about: str
    built: dict[str, Any] | None


def show_list(choice: Choice, as_json: bool) -> None:
    """Print every target with what the lock knows of it."""
    if choice.lock and not choice.lock.exists():
        raise BadInput(f"{choice.lock}: no such file; without --lock the project's own is shown")
    project, locked = choice.project, lockfile.read(choice.known_lock)
    rows: list[TargetRow] = []
    for target in project.targets(list(project.images.images)):
        built = locked.find(target.name, target.platform)
        rows.append(
            {
                "image": target.name,
                "platform": target.platform,
                "python": target.python,
                "base": target.base,
                "context": f"{bake.CONTEXTS}/{target.context_name}",
                "about": target.image.about,
                "built": built.model_dump() if built else None,
            }
        )
    if as_json:
        print(json.dumps(rows, indent=1))
    else:
        _table(rows)


def _table(rows: list[TargetRow]) -> None:
    from rich.table import Table

    from orchestrate.console import make_console

    table = Table("image", "platform", "python", "MB", "content", "pushed", "base", box=None, pad_edge=False)
    for row in rows:
        known = row["built"] or {}
        size = f"{known['size'] / 1e6:.0f}" if known else "-"
        digest = str(known.get("digest") or "-")[7:19] if known.get("digest") else "-"
        table.add_row(
            row["image"],
            row["platform"],
            str(row["python"]),
            size,
            str(known.get("content", ""))[7:19] or "-",
            digest,
            str(known.get("base", row["base"])).partition("@")[0],
        )
    make_console().print(table)
