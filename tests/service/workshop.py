"""A small project with images of its own, an engine that builds them, a registry that keeps them."""

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import yaml
from typer.testing import CliRunner

from orchestrate.cli import build as application
from tests.conftest import ROOT
from tests.service.board import Board
from tests.service.registry import Registry

BUSYBOX = "orbitbench/busybox:test"
TINY = "ARG BASE\nFROM ${BASE}\nRUN echo built >/built\nCOPY bench /opt/bench\n"


class Said(NamedTuple):
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass
class Workshop:
    """A checkout in `root`, whose images are built by `engine` and kept by `registry`."""

    root: Path
    engine: Board
    registry: Registry
    ssh_config: Path
    images: dict[str, dict[str, object]] = field(default_factory=dict)
    # whatever this machine's docker command can do
    builder: dict[str, str] = field(default_factory=lambda: {"ORBITBENCH_BUILDER": "classic"})

    def __post_init__(self) -> None:
        (self.root / "bench/record").mkdir(parents=True)
        (self.root / "bench/__init__.py").write_text("")
        (self.root / "bench/record/code.py").write_text("answer = 42\n")
        (self.root / "pyproject.toml").write_text('[project]\nname = "orbitbench"\nversion = "1"\n')
        self.add("tiny", TINY)

    @property
    def name(self) -> str:
        """The registry as the engine reaches it, with a repository."""
        return f"{self.engine.host_ip}:{self.registry.port}/lab"

    @property
    def lent(self) -> str:
        """The same as this machine reaches it: on its loopback."""
        return f"127.0.0.1:{self.registry.port}/lab"

    def add(
        self,
        name: str,
        dockerfile: str,
        base: str = BUSYBOX,
        platform: str = "linux/amd64",
        finds: tuple[str, ...] = (),
    ) -> None:
        """One more image: no Python packages, the code of bench/record."""
        entry = {"about": name, "platforms": [platform], "base": base, "python": "3.11", "code": ["record"]}
        self.images[name] = {**entry, "finds": [*finds], "requires": {"3.11": []}}
        folder = self.root / "images" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "Dockerfile").write_text(dockerfile)
        (folder / f"requirements-cp311-{platform.partition('/')[2]}.lock").write_text("# none\n")
        (self.root / "manifests").mkdir(exist_ok=True)
        text = yaml.safe_dump({"schema": 1, "registry": self.name, "images": self.images})
        (self.root / "manifests/images.yaml").write_text(text)

    def tag(self, name: str, arch: str = "amd64") -> str:
        """The full name under which an image is built."""
        return f"{self.name}/{name}:1-{arch}"

    @property
    def lock(self) -> Path:
        return self.root / "manifests/images.lock.yaml"

    @property
    def environment(self) -> dict[str, str]:
        own = {"DOCKER_HOST": self.engine.docker_host, "ORBITBENCH_SSH_CONFIG": str(self.ssh_config)}
        return {**os.environ, **own, **self.builder, "ORBITBENCH_DEVICES": str(self.root / "devices.yaml")}

    def devices(self, image: str, *names: str) -> None:
        """Write devices.yaml: boards of those names, all with `image`."""
        entry = {"transport": "docker", "backend": "onnxruntime", "image": image}
        known = {name: {**entry, "host": name} for name in names}
        (self.root / "devices.yaml").write_text(yaml.safe_dump({"schema": 1, "devices": known}))

    def orchestrate(self, *words: str) -> Said:
        """Run `orchestrate images WORDS` here, in this process."""
        before = Path.cwd()
        os.chdir(self.root)
        try:
            result = CliRunner().invoke(application(), ["images", *words], env=self.environment)
        finally:
            os.chdir(before)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Said(result.exit_code, result.stdout, result.stderr)

    def start(self, *words: str, **environment: str) -> "subprocess.Popen[str]":
        """Start `orchestrate images WORDS` as a process. -P: this checkout's `bench` is not the program's."""
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "orchestrate.cli", "images", *words],
            cwd=self.root,
            env={**self.environment, "PYTHONPATH": str(ROOT), **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ids(self, board: Board) -> set[str]:
        """The ids of all images of a board, named or not."""
        return set(board.docker("image", "ls", "-aq", "--no-trunc").split())

    def names(self, board: Board) -> set[str]:
        """The tags and digests of a board's images."""
        return set(board.docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}").split())
