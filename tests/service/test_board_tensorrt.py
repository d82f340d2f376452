"""A pretend board whose containers have the pretend TensorRT: deep check, and tactics that outlive a run."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.record import schema
from tests import models
from tests.conftest import PATIENCE, ROOT
from tests.matrix import Part
from tests.service import rootfs
from tests.service.board import Board
from tests.service.fleet import Fleet

pytestmark = pytest.mark.service
VOLUME = "orbitbench-tactics"
DEVICES = """
devices:
  gpu: &gpu
    host: board2
    image: "orbitbench/gpu-job:test"
    backend: tensorrt
    precisions: [fp32, fp16, int8]
    limits: {max_temperature: 120, min_free_disk: 0, min_free_memory: 0}
    measure: {processes: 1, builds: 1, min_samples: 20, min_seconds: 0.1, max_seconds: 0.5}
  keeper: {<<: *gpu, precisions: [fp32], keep_tactics: true}
  forgetful: {<<: *gpu, precisions: [fp32]}
"""


@pytest.fixture(scope="module")
def board(job_fleet: Fleet) -> Iterator[Board]:
    found = job_fleet["board2"]
    found.load(rootfs.gpu_jobs())
    yield found
    found.docker("volume", "rm", "-f", VOLUME)
    found.docker("image", "rm", "-f", rootfs.GPU_IMAGE)


def orchestrate(fleet: Fleet, folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    (folder / "devices.yaml").write_text(DEVICES)
    own = {"ORBITBENCH_SSH_CONFIG": str(fleet.ssh_config), "ORBITBENCH_DEVICES": str(folder / "devices.yaml")}
    return subprocess.run(
        [sys.executable, "-m", "orchestrate.cli", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **own},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def tactics(fleet: Fleet, folder: Path, device: str, width: int) -> dict[str, Any]:
    """What a run of a network of that width says of its build's timing cache."""
    model = models.mlp(folder / f"net{width}.onnx", width=width)
    done = orchestrate(fleet, folder, "run", "--device", device, "--onnx", str(model), "--no-report")
    assert done.returncode == 0, done.stdout + done.stderr
    path = max(folder.glob(f"results/*/{device}/records/*.json"), key=lambda each: each.stat().st_mtime)
    found: dict[str, Any] = schema.load(str(path), "record")["environment"]["build"]["timing_cache"]
    return found


def inside(board: Board, program: str, *words: str) -> str:
    """What a program prints that has the kept tactics in /t."""
    job = ("run", "--rm", "-v", f"{VOLUME}:/t", "--entrypoint", program, rootfs.GPU_IMAGE)
    return board.docker(*job, *words)


def test_a_deep_check_builds_an_engine_in_each_precision(
    board: Board, job_fleet: Fleet, tmp_path: Path
) -> None:
    done = orchestrate(job_fleet, tmp_path, "devices", "check", "--deep", "gpu", "--json")
    checks = {each["name"]: each for each in json.loads(done.stdout)["gpu"]["checks"]}
    for precision in ("fp32", "fp16", "int8"):
        assert "engine built in" in checks[f"network ({precision})"]["message"]
        assert checks[f"output ({precision})"]["level"] == "ok"
    assert "tensorrt 8.5.2" in checks["library"]["message"]
    assert "GPU free" in checks["memory (fp32)"]["message"]


def test_kept_tactics_serve_the_next_run_and_without_the_key_nothing_is_kept(
    board: Board, job_fleet: Fleet, tmp_path: Path
) -> None:
    first = tactics(job_fleet, tmp_path, "keeper", 16)
    second = tactics(job_fleet, tmp_path, "keeper", 24)
    kept = inside(board, "ls", "-ln", "--full-time", "/t")
    assert tactics(job_fleet, tmp_path, "forgetful", 16)["reused"] is False, "though the same was kept"
    assert inside(board, "ls", "-ln", "--full-time", "/t") == kept
    part = Part("board", "tactics")
    reused = [first["reused"], second["reused"]]
    try:
        what = "tactics kept on a board: two runs of two models"
        here = "tests/service/test_board_tensorrt.py"
        part.add(what, "reused by the second", reused, reused == [False, True], here)
    finally:
        part.write()
    assert board.docker("volume", "ls", "-q").split() == [VOLUME], "the runs' own volumes are gone"
    assert inside(board, "stat", "-c", "%u", "/t").strip() == "65532"
