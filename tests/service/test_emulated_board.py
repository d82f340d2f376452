"""`make test-arm64`: the arm64 images under an emulated Cortex-A72, then on a whole emulated board.

Build on Debian's packages; run by qemu-user under a time limit; push, pull by digest, measure on the board,
whose clock is a day ahead; with the registry stopped, load over SSH. Emulated timings never count; outputs
are those of this machine.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrate.engine.image_store import connected
from tests import models
from tests.conftest import ROOT, require
from tests.service.board import Board
from tests.service.qboard import QBoard
from tests.service.registry import Registry, missing

pytestmark = [pytest.mark.service, pytest.mark.slow]
TOLERANCE = 1e-4  # of outputs, absolute, between x86 and arm64 in fp32; what was seen is below 1e-6
USER_MODE_SECONDS = 240  # some onnxruntime wheels hang for ever under qemu-user instead of crashing
JETSONS = ("jetson-tx2", "jetson-xavier", "jetson-xavier-r32")


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


def test_models_of_the_demo_run_in_the_image_under_qemu_user(bench: Bench, pi4: str, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    export = [sys.executable, "-m", "bench.cli", "export", "smoke", "--out", str(bundle)]
    subprocess.run(export, cwd=ROOT, check=True, capture_output=True, timeout=300)
    described = json.loads((bundle / "bundle.json").read_text())["models"]
    base = {
        "backend": "onnxruntime",
        "precision": "fp32",
        "threads": 1,
        "batch": 1,
        "options": {},
        "measure": {},
    }
    jobs = [{"id": f"{model['id']}--onnxruntime-fp32-t1", "model": model, **base} for model in described]
    short = {**models.QUICK, "processes": 1, "min_samples": 3, "max_samples": 3, "timeout_seconds": 200}
    models.job_list(tmp_path / "jobs.json", bundle, jobs, measure=short)
    docker = ["/usr/bin/docker", "-H", bench.engine.docker_host]
    options = ("--platform=linux/arm64", "--env=QEMU_CPU=cortex-a72", "--network=none")
    name = bench.engine.docker("create", *options, pi4, "/data/jobs.json", "/data/out").split()[-1]
    try:
        for source in ("jobs.json", "bundle"):
            bench.engine.docker("cp", str(tmp_path / source), f"{name}:/data/{source}")
        subprocess.run(
            [*docker, "start", "-a", name], timeout=USER_MODE_SECONDS, check=False, capture_output=True
        )
        bench.engine.docker("cp", f"{name}:/data/out", str(tmp_path / "out"))
    finally:
        bench.engine.docker("rm", "-f", name)
    records = [json.loads(path.read_text()) for path in (tmp_path / "out/records").glob("*.json")]
    assert len(records) == len(jobs) > 0
    for record in records:
        check(record)


def test_the_jetson_dockerfiles_build_up_to_what_needs_l4t(bench: Bench) -> None:
    bench.images("build", *JETSONS, "--base", "base")
    for name in JETSONS:
        said = bench.engine.docker("run", "--rm", "--network=none", bench.built(name)["tag"], "--help")
        assert "JOBS" in said or "jobs" in said


@pytest.fixture(scope="module")
def board(bench: Bench, emulated_board: QBoard) -> QBoard:
    bench.environment["ORBITBENCH_SSH_CONFIG"] = str(emulated_board.ssh_config)
    return emulated_board


def test_a_fresh_board_pulls_by_digest_and_its_records_are_right_but_never_valid(
    bench: Bench, pi4: str, board: QBoard
) -> None:
    assert "aarch64" in board.ssh("uname -m")
    checked = bench.orchestrate("devices", "check", "pi4-emulated").stdout
    skew = re.search(r"clock: \+(\d+) s", checked)
    assert skew, "the doctor names the clock that is a day ahead"
    assert int(skew[1]) == pytest.approx(86_400, abs=120)
    bench.images("push", "pi4", "--platform", "linux/arm64")
    assert bench.built()["digest"].startswith("sha256:")
    said = bench.images(
        "pull", "--device", "pi4-emulated", registry=f"127.0.0.1:{bench.registry.port}/orbitbench"
    )
    assert "by digest" in said
    assert pi4 in board.ssh("docker image ls -q --no-trunc")
    records = bench.measure("--experiment", "smoke")
    assert len(records) == 2
    for record in records:
        check(record)
        assert record["environment"]["machine"] == "aarch64" or "aarch64" in json.dumps(record["environment"])
        started = datetime.fromisoformat(record["latency"]["processes"][0]["started"])
        assert started > datetime.now(UTC) + timedelta(hours=12), "kept, though its board's clock is wrong"


def test_an_amd64_image_is_refused_before_anything_is_sent(bench: Bench, board: QBoard) -> None:
    bench.images("build", "pi4", "--platform", "linux/amd64", "--base", "base")
    done = bench.orchestrate(
        "images", "load", "pi4", "--device", "pi4-emulated", "--platform", "linux/amd64", *bench.locked
    )
    assert done.returncode == 1
    assert "pi4-amd64 is for amd64, pi4-emulated is arm64: nothing was sent" in done.stderr


def test_with_the_registry_stopped_the_image_comes_over_ssh_and_records_come_out(
    bench: Bench, pi4: str, board: QBoard, tmp_path: Path
) -> None:
    bench.registry.stop()
    board.ssh("docker image prune -af")
    assert pi4 not in board.ssh("docker image ls -aq --no-trunc")
    assert "sent" in bench.images("load", "--device", "pi4-emulated")
    assert "had it already" in bench.images("load", "--device", "pi4-emulated")
    records = bench.measure("--onnx", str(models.cnn(tmp_path / "own.onnx")))
    assert len(records) == 1
    check(records[0])
    with connected(bench.engine.docker_host) as here:
        assert here.get(pi4).size <= 220_000_000
