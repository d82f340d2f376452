"""What reaching a board costs: our one tunnel against `docker -H ssh://` and `ssh` by hand, in the same run.

The board is one in namespaces on this machine: without distance, what is left is the cost of the way itself.
"""

import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from orchestrate.engine import ssh
from orchestrate.engine.connection import Engine
from orchestrate.engine.container import Board, Spec
from orchestrate.engine.log_stream import follow
from tests.performance.rows import Row, figure
from tests.service import fleet, rootfs

IMAGE = "orbitbench/busybox:test"
MEGABYTES = 64


@contextlib.contextmanager
def board() -> Iterator[tuple[Engine, dict[str, str]]]:
    """A connected engine, and the environment in which `docker` and `ssh` by hand reach the same board."""
    with tempfile.TemporaryDirectory() as name, fleet.Fleet(Path(name) / "fleet", "board1") as boards:
        boards["board1"].load(rootfs.busybox())
        wrapper = Path(name) / "ssh"
        wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {boards.ssh_config} "$@"\n')
        wrapper.chmod(0o755)
        os.environ["ORBITBENCH_SSH_CONFIG"] = str(boards.ssh_config)
        try:
            with Engine("board1") as engine:
                yield (
                    engine,
                    {**os.environ, "PATH": f"{name}:/usr/bin:/bin:/usr/sbin", "DOCKER_HOST": "ssh://board1"},
                )
        finally:
            del os.environ["ORBITBENCH_SSH_CONFIG"]


def seconds(action: Callable[[], object], times: int) -> float:
    """Median of `times` calls, after one that does not count."""
    action()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        action()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def row(name: str, ours: float, peer: float, peer_name: str, most: float) -> Row:
    """A row of seconds, where ours may take `most` times the peer's."""
    target = f"at most {most:g} x {peer_name}"
    return figure(f"engine: {name}", ours, "s", target, ours <= most * peer, peer)


def remote_true() -> ssh.Output:
    """The shortest command there is."""
    return ssh.run("board1", ["true"])


def whole_run(engine: Engine) -> Callable[[], None]:
    """Create, start, follow and remove a container that does nothing, with all that a run locks down."""
    it = Board(engine)
    it.create_volume("bench", {})

    def run() -> None:
        it.create(Spec(IMAGE, ("true",), "bench", {"orbitbench.run": "bench"}))
        it.start()
        for _ in follow(it):
            pass
        it.remove()

    return run


def reaching() -> list[dict]:
    """Connecting, one call, one container, and files, each against the same by hand."""
    if reason := fleet.missing():
        skipped = {"value": None, "unit": "s", "peer": reason, "target": "", "better": "lower", "ok": None}
        return [{"name": "engine", **skipped}]
    with board() as (engine, by_hand), tempfile.NamedTemporaryFile() as file:
        file.truncate(MEGABYTES * 10**6)

        def hand(*words: str, stdin: str = os.devnull) -> Callable[[], object]:
            def call() -> None:
                with open(stdin, "rb") as source:
                    subprocess.run(words, env=by_hand, stdin=source, check=True, capture_output=True)

            return call

        locked = [
            "--network",
            "none",
            "--cap-drop",
            "ALL",
            "--read-only",
            "--security-opt",
            "no-new-privileges",
        ]
        run = ("docker", "run", "--rm", *locked, "-v", "bench:/data", IMAGE, "true")
        version, true = hand("docker", "version"), hand("ssh", "board1", "true")
        rows = [
            row("connect", seconds(engine.open, 5), seconds(version, 5), "docker version by hand", 1.5),
            row("one call", seconds(engine.client.version, 50), seconds(version, 5), "the same by hand", 0.1),
            row("one command", seconds(remote_true, 5), seconds(true, 5), "ssh by hand", 1.3),
            row(
                "one container",
                seconds(whole_run(engine), 5),
                seconds(hand(*run), 5),
                "docker run by hand",
                1.0,
            ),
        ]
        it = Board(engine)
        it.create(Spec(IMAGE, ("true",), "bench", {}))
        send = seconds(lambda: it.send({"file": Path(file.name)}), 3)
        peer = seconds(hand("docker", "cp", file.name, "orbitbench:/data/file"), 3)
        rows.append(row(f"send {MEGABYTES} MB", send, peer, "docker cp by hand", 1.2))
        return rows


BENCHMARKS = [reaching]
