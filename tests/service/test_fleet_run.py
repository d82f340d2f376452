"""A whole run on boards behind ssh: the command line, tunnels, engines, containers, records."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.service import rootfs
from tests.service.fleet import Fleet
from tests.unit.orchestrate import sample

pytestmark = pytest.mark.service
ROOT = Path(__file__).resolve().parents[2]


def board(name: str, **changes: object) -> sample.manifests.Device:
    settings = {"transport": "docker", "host": name, "image": rootfs.JOB_IMAGE, "threads": [1]}
    limits = {"min_free_disk": 0, "min_free_memory": 0}
    return sample.device(**{**settings, "limits": limits, **changes})


def command(fleet: Fleet, cwd: Path, *words: str) -> subprocess.Popen[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ORBITBENCH_SSH_CONFIG": str(fleet.ssh_config)}
    line = [sys.executable, "-m", "orchestrate.cli", *words]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        line, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    )


def test_two_boards_measure_side_by_side_and_keep_nothing(job_fleet: Fleet, tmp_path: Path) -> None:
    run = sample.real_run(
        tmp_path / "results", 2, {name: board(name) for name in job_fleet.boards}, processes=1
    )
    done = command(job_fleet, tmp_path, "run", "--resume", run.id, "--json")
    out, err = done.communicate(timeout=120)
    assert done.returncode == 0, err
    assert {name: part["ok"] for name, part in json.loads(out)["devices"].items()} == {
        "board1": 2,
        "board2": 2,
    }
    assert run.finished()
    for each in job_fleet.boards.values():
        assert each.docker("ps", "-aq") == ""
        assert each.docker("volume", "ls", "-q") == ""
