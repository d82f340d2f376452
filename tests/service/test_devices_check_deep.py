"""`orchestrate devices check --deep` on pretend boards, in the container settings of a run."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATIENCE, ROOT, require, wait_for
from tests.matrix import Part, part_of
from tests.service import modern, rootfs
from tests.service.board import Board
from tests.service.fleet import Fleet

pytestmark = pytest.mark.service
HERE = "tests/service/test_devices_check_deep.py"
LIMITS = "limits: {max_temperature: 120, min_free_disk: 0, min_free_memory: 0}"
DEVICES = f"""
schema: 1
devices:
  good: {{host: bench@board1, image: "{rootfs.JOB_IMAGE}", backend: onnxruntime, memory: 2GB, {LIMITS}}}
  other: {{host: board2, image: "{rootfs.JOB_IMAGE}", backend: onnxruntime, threads: [2, 1], {LIMITS}}}
  blind: {{host: board2, image: "{rootfs.JOB_IMAGE}", backend: tensorrt, {LIMITS}}}
  newboard: {{host: newboard, image: "{rootfs.JOB_IMAGE}", backend: onnxruntime, {LIMITS}}}
"""


def start(fleet: Fleet, folder: Path, *words: str) -> "subprocess.Popen[str]":
    (folder / "devices.yaml").write_text(DEVICES)
    own = {"ORBITBENCH_SSH_CONFIG": str(fleet.ssh_config), "ORBITBENCH_DEVICES": str(folder / "devices.yaml")}
    return subprocess.Popen(
        [sys.executable, "-m", "orchestrate.cli", "devices", "check", "--deep", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder), **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check(fleet: Fleet, folder: Path, *names: str) -> tuple[int, dict[str, dict[str, Any]], str]:
    """The exit code, device -> check's name -> check, and the whole text of stdout."""
    out, err = (process := start(fleet, folder, *names, "--json")).communicate(timeout=PATIENCE)
    assert out, err
    found = {name: {c["name"]: c for c in each["checks"]} for name, each in json.loads(out).items()}
    return process.returncode, found, out


part = part_of("board", "deep")


def row(part: Part, case: str, found: dict[str, Any], level: str, *said: str) -> None:
    """Note that a check has this level and says this."""
    text = f"{found['level']}: {found['message']}"
    ok = found["level"] == level and all(word.lower() in text.lower() for word in said)
    part.add(f"deep check: {case}", f"{level}: {', '.join(said)}", text, ok, HERE)


def free(board: Board) -> bool:
    return not board.docker("ps", "-aq").strip() and not board.docker("volume", "ls", "-q").strip()


def test_two_boards_are_measured_side_by_side_and_left_free(job_fleet: Fleet, tmp_path: Path) -> None:
    code, found, out = check(job_fleet, tmp_path, "good", "other")
    assert code == 0, out
    for name in ("good", "other"):
        checks = found[name]
        assert {"connection", "engine", "disk", "memory", "orbitbench"} <= set(checks), (
            "the plain check's, too"
        )
        assert "image sha256:" in checks["runtime"]["message"]
        assert "onnxruntime" in checks["library"]["message"]
        assert checks["output (fp32)"]["level"] == "ok"
        assert "inferences" in checks["timing (fp32)"]["message"]
    for word in ("board1", "board2", str(tmp_path), os.uname().nodename, "bench@"):
        assert word not in out, "what points to people or their network"
    assert all(free(board) for board in job_fleet.boards.values())
    assert not list(tmp_path.glob("orbitbench-check-*"))


def test_an_image_that_lacks_the_backend_is_found_at_that_step(
    job_fleet: Fleet, tmp_path: Path, part: Part
) -> None:
    code, found, _ = check(job_fleet, tmp_path, "blind")
    assert code == 1
    row(part, "an image without its backend", found["blind"]["library (fp32)"], "fail", "tensorrt")
    assert free(job_fleet["board2"])


def test_a_board_at_work_is_named_and_left_alone(job_fleet: Fleet, tmp_path: Path, part: Part) -> None:
    board = job_fleet["board1"]
    board.docker(
        "run", "-d", "--name", "orbitbench", "--label", "orbitbench.run=20260101-000000-thesis",
        "orbitbench/busybox:test", "sleep", "100",
    )  # fmt: skip
    try:
        code, found, _ = check(job_fleet, tmp_path, "good")
        assert code == 1
        row(part, "a board at work", found["good"]["run"], "fail", "20260101-000000-thesis")
        assert "orbitbench" in board.docker("ps", "--format", "{{.Names}}")
    finally:
        board.docker("rm", "-f", "orbitbench")
    assert free(board)


def test_what_a_killed_check_left_gives_way_to_the_next(job_fleet: Fleet, tmp_path: Path, part: Part) -> None:
    board, run = job_fleet["board1"], "20260101-000000-device-check"
    labels = ["--label", f"orbitbench.run={run}", "--label", "orbitbench.device=good"]
    board.docker("volume", "create", *labels, f"orbitbench-{run}-good")
    board.docker(
        "run", "--name", "orbitbench", *labels, "-v", f"orbitbench-{run}-good:/data",
        "orbitbench/busybox:test", "true",
    )  # fmt: skip
    code, found, out = check(job_fleet, tmp_path, "good")
    assert code == 0, out
    row(part, "what a killed check left behind", found["good"]["output (fp32)"], "ok", "off by")
    assert free(board)


def test_an_interrupted_check_leaves_the_board_free(job_fleet: Fleet, tmp_path: Path) -> None:
    board = job_fleet["board1"]
    process = start(job_fleet, tmp_path, "good")
    wait_for(lambda: board.docker("ps", "-q", "--filter", "name=orbitbench").strip(), "no container")
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, err
    assert "nothing is left" in err
    assert free(board)


@pytest.fixture(scope="module")
def modern_board(
    namespaces: None, job_image: bytes, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Fleet]:
    """A board with an engine of this year, which holds the job image."""
    try:
        unpacked = modern.fetch()
    except RuntimeError as error:
        require(False, f"an engine of this year from Debian's packages: {error}")
        raise
    with Fleet(tmp_path_factory.mktemp("modern"), "newboard", modern=unpacked) as fleet:
        fleet["newboard"].load(job_image)
        yield fleet


def test_an_engine_of_this_year(modern_board: Fleet, tmp_path: Path) -> None:
    code, found, out = check(modern_board, tmp_path, "newboard")
    assert code == 0, out
    assert found["newboard"]["output (fp32)"]["level"] == "ok"
    assert "20.10" not in found["newboard"]["engine"]["message"]
    assert free(modern_board["newboard"])
