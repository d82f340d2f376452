"""`make test-arm64`: the arm64 images on a whole emulated board, whose clock is a day ahead.

Push, pull by digest, measure there; with the registry stopped, load over SSH. Emulated timings never
count; outputs are those of this machine. The quick half, under qemu-user, is test_arm64_image.py.
"""

import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrate.engine.image_store import connected
from tests import models
from tests.service.arm64 import Bench, bench, check, pi4
from tests.service.qboard import QBoard

pytestmark = [pytest.mark.service, pytest.mark.slow]
JETSONS = ("jetson-tx2", "jetson-xavier", "jetson-xavier-r32", "jetson-orin", "jetson-thor")
__all__ = ["bench", "pi4"]  # fixtures


def test_the_jetson_dockerfiles_build_up_to_what_needs_l4t(bench: Bench) -> None:
    bench.images("build", *JETSONS, "--base", "base")
    for name in JETSONS:
        said = bench.engine.docker("run", "--rm", "--network=none", bench.built(name)["tag"], "--help")
        assert "JOBS" in said or "jobs" in said


def names(board: QBoard) -> str:
    """The names of the board's images."""
    return board.ssh("docker image ls --format '{{.Repository}}:{{.Tag}}'")


def short(name: str) -> str:
    """A name without its registry, which differs between those who reach it in different ways."""
    return name.rpartition("/")[2]


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
    assert short(pi4) in names(board)
    deep = bench.orchestrate("devices", "check", "--deep", "pi4-emulated")
    assert deep.returncode == 0, "its clock is no failure"
    assert "output (fp32): off by 0.0" in deep.stdout
    assert "emulated cpu (fp32): the CPU is emulated" in deep.stdout
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
    assert short(pi4) not in names(board)
    assert "sent" in bench.images("load", "--device", "pi4-emulated")
    assert "had it already" in bench.images("load", "--device", "pi4-emulated")
    records = bench.measure("--onnx", str(models.cnn(tmp_path / "own.onnx")))
    assert len(records) == 1
    check(records[0])
    with connected(bench.engine.docker_host) as here:
        assert here.get(pi4).size <= 220_000_000
