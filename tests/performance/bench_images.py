"""Images: how long they take to come to a board and to be rebuilt, and how large they are."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from orchestrate.engine.image_store import ImageEngine, connected
from orchestrate.images import build, ship
from orchestrate.images.manifest import OWN_BASE, Target, open_project
from tests.performance.rows import Row, figure
from tests.service.board import Board
from tests.service.fleet import Fleet, missing

ROOT = Path(__file__).resolve().parents[2]
REGISTRY = "bench.local/orbitbench"


@contextmanager
def workshop() -> Iterator[tuple[Board, ImageEngine, Target]]:
    """An engine of its own with the pi4 image for this machine's architecture on Debian's packages."""
    with Board("bench", uplink=True) as engine, connected(engine.docker_host) as images:
        yield engine, images, open_project(ROOT, REGISTRY).target("pi4", "linux/amd64", OWN_BASE)


def seconds(action: Any) -> float:
    start = time.monotonic()
    action()
    return time.monotonic() - start


def pi4_image() -> list[Row]:
    """Size, a build from the downloads, a rebuild after a change of our code, the way to a board."""
    if missing() or not shutil.which("mmdebstrap"):
        return []
    with ExitStack() as stack:
        engine, images, target = stack.enter_context(workshop())
        checkout = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        for name in ("bench", "images", "manifests"):
            shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", checkout)
        project = open_project(checkout, REGISTRY)
        full = seconds(lambda: build.build(project, target, images, lambda _line: None))
        before = images.get(target.tag)
        (checkout / "bench/runtime/changed.py").write_text("# a change\n")
        again = seconds(lambda: build.build(project, target, images, lambda _line: None))
        after = images.get(target.tag)
        new = sum(one != other for one, other in zip(before.layers, after.layers, strict=True))
        return [
            figure(
                "pi4 image on Debian (amd64)",
                before.size / 1e6,
                "MB",
                "<= 220 MB",
                before.size <= 220e6,
            ),
            figure(
                "rebuild after a change in bench/runtime",
                again,
                "s",
                "a third of a full build",
                again < full / 3,
                full,
            ),
            figure("new layers in that rebuild", new, "layers", "1: the last", new == 1, len(after.layers)),
            *transfer(stack, engine, images, target),
        ]


def transfer(stack: ExitStack, engine: Board, images: ImageEngine, target: Target) -> list[Row]:
    """`orchestrate images load` against `docker save | ssh board docker load`, on the same fresh board."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
    fleet = stack.enter_context(Fleet(folder, "board"))
    board = fleet["board"]
    variables = {"ORBITBENCH_SSH_CONFIG": str(fleet.ssh_config)}
    stack.enter_context(mock.patch.dict(os.environ, variables))
    with connected("board") as there:
        ours = seconds(lambda: ship.load(target, images, there))
        present = seconds(lambda: ship.load(target, images, there))
        board.docker("image", "rm", "-f", target.tag)
        save = f"/usr/bin/docker -H {engine.docker_host} save {target.tag}"
        by_hand = f"{save} | ssh -F {fleet.ssh_config} board docker load"
        hand = seconds(lambda: subprocess.run(by_hand, shell=True, check=True, capture_output=True))
    return [
        figure(
            "images load over ssh",
            ours,
            "s",
            "<= 1.2 x `docker save | ssh docker load`",
            ours <= 1.2 * hand,
            hand,
        ),
        figure("images load, board has it", present, "s", "< 1 s", present < 1, hand),
    ]


BENCHMARKS = [pi4_image]
