"""Boards that one ssh configuration knows: for the tests, and for people without hardware.

`python -m tests.service.fleet up [--boards 2]` starts them, puts an image on them and says how to use them,
`status` lists them, `down` removes them. All is in /tmp/orbitbench-fleet; only network devices and one
route come and go.
"""

import argparse
import concurrent.futures
import os
import shutil
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

from orchestrate.errors import OrbitError
from tests.service import board as boards
from tests.service import leases, rootfs
from tests.service.board import Board, run

NEEDS = {
    "dockerd": "docker.io",
    "/usr/sbin/sshd": "openssh-server",
    "ssh": "openssh-client",
    "ip": "iproute2",
    "iptables": "iptables",
    "busybox": "busybox-static",
    "openssl": "openssl",
}


def missing() -> str:
    """Why no pretend board can run here; empty when one can."""
    if os.geteuid() != 0:
        return "pretend boards need root (network namespaces)"
    packages = [package for program, package in NEEDS.items() if not shutil.which(program)]
    return f"pretend boards need the Debian packages {' '.join(packages)}" if packages else ""


class Fleet:
    """Boards side by side, one key, and an ssh configuration in which they go by their names."""

    def __init__(self, folder: Path, *names: str, **options: Any) -> None:
        self.folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.key = folder / "key"
        if not self.key.exists():
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "orbitbench-fleet", "-f", str(self.key))
        self.public_key = self.key.with_suffix(".pub").read_text()
        self.boards = {name: Board(name, self.public_key, **options) for name in names}

    def __getitem__(self, name: str) -> Board:
        return self.boards[name]

    def __enter__(self) -> "Fleet":
        try:
            with concurrent.futures.ThreadPoolExecutor() as pool:
                list(pool.map(Board.up, self.boards.values()))
            self.write_ssh_config()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.down()

    def down(self) -> None:
        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(Board.down, self.boards.values()))

    def mend(self) -> None:
        """Make the boards as they were before a test that failed."""
        for board in self.boards.values():
            board.mend()

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def write_ssh_config(self, user: str = "bench", name: str = "ssh_config", extra: str = "") -> Path:
        """An ssh configuration (`ssh -F`) for these boards as `user`; `extra` lines hold for all."""
        self.known_hosts.write_text("".join(board.known_hosts_line for board in self.boards.values()))
        hosts = "".join(f"Host {board.name}\n  HostName {board.ip}\n" for board in self.boards.values())
        path = self.folder / name
        path.write_text(
            f"{hosts}Host *\n  User {user}\n  IdentityFile {self.key}\n  IdentitiesOnly yes\n"
            f"  IdentityAgent none\n  UserKnownHostsFile {self.known_hosts}\n"
            f"  GlobalKnownHostsFile none\n{extra}"
        )
        return path


DEVICES = """\
schema: 1
devices:
"""
DEVICE = """\
  {name}:
    description: a pretend board; its CPU is this machine's
    host: {name}
    image: {image}
    backend: onnxruntime
    limits: {{max_temperature: 120}}
"""


def command_up(count: int) -> int:
    boards.sweep()
    folder = leases.BASE / "command"
    if folder.exists():
        print("there are boards already; `down` removes them", file=sys.stderr)
        return 1
    fleet = Fleet(folder, *(f"board{i + 1}" for i in range(count)), lasting=True)
    fleet.__enter__()
    print(f"{count} boards are up: {' '.join(f'{b.name} ({b.ip})' for b in fleet.boards.values())}")
    devices = folder / "devices.yaml"
    devices.write_text(
        DEVICES + "".join(DEVICE.format(name=name, image=rootfs.JOB_IMAGE) for name in fleet.boards)
    )
    try:
        if reason := rootfs.cannot_build_jobs():
            raise OrbitError(reason)
        for board in fleet.boards.values():
            board.load(rootfs.jobs())
    except OrbitError as error:
        print(f"without an image: {error}", file=sys.stderr)
    print(f"export ORBITBENCH_SSH_CONFIG={fleet.ssh_config} ORBITBENCH_DEVICES={devices}")
    print("orchestrate devices check")
    print("orchestrate run --all --experiment demo")
    return 0


def running() -> list[tuple[int, str, bool]]:
    """(number, name, is it on) of every board on this machine, the tests' too."""
    found = []
    for folder in sorted(leases.BASE.glob("[0-9]*"), key=lambda path: path.name.zfill(9)):
        if folder.is_dir() and (folder / "name").exists():
            try:
                on = boards.first_process(folder) > 0
            except ProcessLookupError:
                on = False
            found.append((int(folder.name), (folder / "name").read_text(), on))
    return found


def command_status() -> int:
    for number, name, on in running():
        print(f"{name}\t10.99.{number}.2\t{'on' if on else 'off'}")
    return 0


def command_down() -> int:
    for number, _, _ in running():
        folder = leases.BASE / str(number)
        if (folder / "lasting").exists():
            boards.stop_processes(folder)
    swept = boards.sweep()
    shutil.rmtree(leases.BASE / "command", ignore_errors=True)
    print(f"down: {' '.join(swept) or 'nothing was up'}")
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.service.fleet", description=__doc__)
    parser.add_argument("action", choices=["up", "down", "status"])
    parser.add_argument("--boards", type=int, default=2, metavar="N")
    options = parser.parse_args(arguments)
    if reason := missing():
        print(reason, file=sys.stderr)
        return 1
    if options.action == "up":
        return command_up(options.boards)
    return command_status() if options.action == "status" else command_down()


if __name__ == "__main__":
    sys.exit(main())
