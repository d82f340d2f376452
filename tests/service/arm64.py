"""arm64 images built and run on this machine: an engine, a registry, the commands of this checkout."""

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import ROOT, require
from tests.service.board import Board
from tests.service.registry import Registry, missing

TOLERANCE = 1e-4  # of outputs, absolute, between x86 and arm64 in fp32; what was seen is below 1e-6


class Bench:
    """The commands of this checkout, with an engine, a registry and an emulated board to work on."""

    def __init__(self, folder: Path, engine: Board, registry: Registry) -> None:
        self.folder, self.engine, self.registry = folder, engine, registry
        self.lock = folder / "images.lock.yaml"
        self.locked = ("--lock", str(self.lock))
        self.pushed_to = f"{engine.host_ip}:{registry.port}/orbitbench"
        own = {"DOCKER_HOST": engine.docker_host, "ORBITBENCH_REGISTRY": self.pushed_to}
        own["ORBITBENCH_BUILDER"] = "classic"  # whatever this machine's docker command can do
        self.environment = {**os.environ, **own}

    def orchestrate(self, *words: str, timeout: float = 1500) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "orchestrate.cli", *words]
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        print(f"$ orchestrate {' '.join(words)}\n{done.stdout}{done.stderr}exit code {done.returncode}")
        return done

    def images(self, *words: str, registry: str | None = None) -> str:
        """`orchestrate images`, which must succeed; what it printed."""
        done = self.orchestrate("images", *words, "--registry", registry or self.pushed_to, *self.locked)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def measure(self, *words: str) -> list[dict[str, Any]]:
        """`orchestrate run` on the board; its records."""
        results = self.folder / "results"
        shutil.rmtree(results, ignore_errors=True)
        self.orchestrate("run", "--device", "pi4-emulated", "--results", str(results), *words)
        return [
            json.loads(path.read_text()) for path in sorted(results.glob("*/pi4-emulated/**/records/*.json"))
        ]

    def built(self, name: str = "pi4") -> dict[str, Any]:
        entry: dict[str, Any] = yaml.safe_load(self.lock.read_text())["images"][name]["linux/arm64"]
        return entry


@pytest.fixture(scope="module")
def bench(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    require(not missing(), missing())
    require(shutil.which("mmdebstrap"), "the own base needs the Debian package mmdebstrap")
    native = platform.machine() == "aarch64" or Path("/proc/sys/fs/binfmt_misc/qemu-aarch64").exists()
    require(native, "no emulator for arm64 is registered: bash .ci/services")
    folder = tmp_path_factory.mktemp("arm64")
    with (
        Board("builder", dockerd=("--insecure-registry", "10.99.0.0/16"), uplink=True) as engine,
        Registry(folder / "registry", engine.host_ip, "127.0.0.1") as registry,
    ):
        yield Bench(folder, engine, registry)


@pytest.fixture(scope="module")
def pi4(bench: Bench) -> str:
    """The name of the arm64 image, built here."""
    bench.images("build", "pi4", "--platform", "linux/arm64", "--base", "base")
    return str(bench.built()["tag"])


def check(record: dict[str, Any]) -> None:
    """Right outputs, real memory figures, and a timing that does not count."""
    assert record["status"] == "ok", record["error"]
    assert record["output_check"]["max_abs_error"] <= TOLERANCE
    assert not record["validity"]["valid"]
    assert "emulated_cpu" in {reason["code"] for reason in record["validity"]["reasons"]}
    assert max(rung["rss"] for rung in record["memory"]["rungs"]) > 10_000_000
