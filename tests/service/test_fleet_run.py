"""A whole run on boards behind ssh: the command line, tunnels, engines, containers, records."""

import json
import os
import pty
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, wait_for
from tests.service import rootfs
from tests.service.fleet import Fleet
from tests.unit.orchestrate import sample

pytestmark = pytest.mark.service
ROOT = Path(__file__).resolve().parents[2]


def board(name: str, **changes: object) -> sample.Device:
    settings = {"transport": "docker", "host": name, "image": rootfs.JOB_IMAGE, "threads": [1]}
    limits = {"min_free_disk": 0, "min_free_memory": 0}
    return sample.device(**{**settings, "limits": limits, **changes})


def command(fleet: Fleet, cwd: Path, *words: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ORBITBENCH_SSH_CONFIG": str(fleet.ssh_config)}
    env["ORBITBENCH_LOCK_DIR"] = str(cwd)
    line, pipe = [sys.executable, "-m", "orchestrate.cli", *words], subprocess.PIPE
    null = subprocess.DEVNULL
    return subprocess.Popen(line, cwd=cwd, env=env, stdin=null, stdout=pipe, stderr=pipe, text=True)


DEVICES = """
devices:
  here: {transport: process, backend: onnxruntime, measure: &short SHORT}
  fast: &board
    host: board1
    image: "IMAGE"
    backend: onnxruntime
    limits: {min_free_disk: 0, min_free_memory: 0}
    measure: *short
  twin: {<<: *board, options: {spinning: true}}
  other: {<<: *board, host: board2}
"""


def test_a_users_own_model_on_this_machine_and_two_boards_in_one_command(
    job_fleet: Fleet, tmp_path: Path
) -> None:
    sample.onnx_model(tmp_path / "my.onnx", 6)
    (tmp_path / "devices.yaml").write_text(
        DEVICES.replace("IMAGE", rootfs.JOB_IMAGE).replace("SHORT", json.dumps(sample.QUICK))
    )
    devices = [word for name in ("here", "fast", "twin", "other") for word in ("--device", name)]
    words = ["run", "--devices", "devices.yaml", *devices, "--onnx", "my.onnx", "--json"]
    done = command(job_fleet, tmp_path, *words)
    out, err = done.communicate(timeout=PATIENCE)
    assert done.returncode == 0, err
    summary = json.loads(out)
    assert {name: part["ok"] for name, part in summary["devices"].items()} == dict.fromkeys(
        ("here", "fast", "twin", "other"), 1
    )
    assert Path(tmp_path, summary["report"]).is_file()
    for each in job_fleet.boards.values():
        assert each.docker("ps", "-aq") == ""
        assert each.docker("volume", "ls", "-q") == ""


def test_a_board_that_does_not_meet_its_limits_is_let_go_and_the_others_are_measured(
    job_fleet: Fleet, tmp_path: Path
) -> None:
    devices = {"board1": board("board1", limits={"min_free_memory": "900GB"}), "board2": board("board2")}
    run = sample.real_run(tmp_path / "results", 1, devices, processes=1)
    done = command(job_fleet, tmp_path, "run", "--no-report", "--resume", run.id)
    out, _ = done.communicate(timeout=PATIENCE)
    assert done.returncode == 1
    assert "memory: " in out
    assert "900.0 GB wanted" in out
    assert "lower min_free_memory" in out
    assert run.devices["board2"].missing() == []
    assert job_fleet["board1"].docker("ps", "-aq") == ""


def test_a_dead_holder_is_named_and_gives_way_to_break_lock_only(job_fleet: Fleet, tmp_path: Path) -> None:
    host = job_fleet["board1"]
    dead = ["--name", "orbitbench", "--label", "orbitbench.run=20200101-000000-old", rootfs.JOB_IMAGE]
    host.docker("run", *dead, "no-such-list.json", "out", check=False)
    run = sample.real_run(tmp_path / "results", 1, {"board1": board("board1")}, processes=1)
    refused = command(job_fleet, tmp_path, "run", "--no-report", "--resume", run.id)
    out, _ = refused.communicate(timeout=PATIENCE)
    assert refused.returncode == 1
    assert "held by run 20200101-000000-old" in out
    assert "--break-lock" in out
    forced = command(job_fleet, tmp_path, "run", "--no-report", "--resume", run.id, "--break-lock")
    out, err = forced.communicate(timeout=PATIENCE)
    assert forced.returncode == 0, out + err
    assert run.finished()
    assert host.docker("ps", "-aq") == ""


def test_an_image_that_no_board_has_is_told_with_what_to_do(job_fleet: Fleet, tmp_path: Path) -> None:
    devices = {"board1": board("board1", image="registry.example/none:1")}
    run = sample.real_run(tmp_path / "results", 1, devices, processes=1)
    done = command(job_fleet, tmp_path, "run", "--no-report", "--resume", run.id)
    out, err = done.communicate(timeout=PATIENCE)
    assert done.returncode == 1
    assert "no image registry.example/none:1" in out
    assert "Traceback" not in out + err
    assert job_fleet["board1"].docker("volume", "ls", "-q") == ""


def test_ctrl_c_on_a_terminal_asks_and_stops_the_boards_if_told_to(job_fleet: Fleet, tmp_path: Path) -> None:
    host = job_fleet["board1"]
    slow = {"processes": 1, "min_seconds": 1.0, "max_seconds": 1.0}
    run = sample.real_run(tmp_path / "results", 3, {"board1": board("board1")}, **slow)
    master, slave = pty.openpty()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ORBITBENCH_SSH_CONFIG": str(job_fleet.ssh_config)}
    line = [sys.executable, "-m", "orchestrate.cli", "run", "--no-report", "--resume", run.id]
    process = subprocess.Popen(
        line,
        cwd=tmp_path,
        env={**env, "TERM": "xterm"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    screen = Screen(master)
    screen.start()
    try:
        wait_for(lambda: len(run.devices["board1"].missing()) < 3 or process.poll() is not None)
        process.send_signal(signal.SIGINT)
        wait_for(lambda: "Stop the work on board1 too?" in screen.text)
        os.write(master, b"y\n")
        assert process.wait(PATIENCE) == 130
        wait_for(lambda: f"to go on: orchestrate run --resume {run.id}" in screen.text)
        assert host.docker("ps", "-q") == ""  # stopped
        assert host.docker("volume", "ls", "-q") != ""  # nothing thrown away
    finally:
        process.kill()
        os.close(master)
    again = command(job_fleet, tmp_path, "run", "--no-report", "--resume", run.id)
    out, err = again.communicate(timeout=PATIENCE)
    assert again.returncode == 0, out + err
    assert run.finished()


class Screen(threading.Thread):
    """Reads what a terminal shows, all the time, so that nobody waits for it."""

    def __init__(self, master: int) -> None:
        super().__init__(daemon=True)
        self.master, self.text = master, ""

    def run(self) -> None:
        while True:
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                return
