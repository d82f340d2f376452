"""`orchestrate devices check` on boards that answer, refuse, or are not there."""

import json
import subprocess
import sys

import pytest

from tests.conftest import PATIENCE, ROOT
from tests.service.fleet import Fleet

pytestmark = pytest.mark.service
DEVICES = """
schema: 1
devices:
  good: {host: board1, image: orbitbench/busybox:test, backend: onnxruntime, limits: {max_temperature: 120}}
  other: {host: board2, image: pi4, backend: onnxruntime, limits: {max_temperature: 120}}
  nobody: {host: missing, image: pi4, backend: onnxruntime}
"""


@pytest.fixture
def check(fleet: Fleet, tmp_path):
    """Runs the command as `user` on the pretend boards: (exit code, JSON, stderr)."""
    (tmp_path / "devices.yaml").write_text(DEVICES)

    def run(*names: str, user: str = "bench"):
        config = fleet.write_ssh_config(user, "ssh_config_check", "Host missing\n  HostName 10.99.250.2\n")
        command = [sys.executable, "-m", "orchestrate.cli", "devices", "check", *names, "--json"]
        environment = {"PATH": "/usr/bin:/bin:/usr/sbin", "ORBITBENCH_SSH_CONFIG": str(config)}
        environment["ORBITBENCH_DEVICES"] = str(tmp_path / "devices.yaml")
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE
        )
        found = json.loads(done.stdout) if done.stdout else {}
        checks = {name: {c["name"]: c for c in each["checks"]} for name, each in found.items()}
        return done.returncode, checks, done.stderr

    return run


def test_a_good_board_passes_and_says_what_was_looked_at(check):
    code, checks, _ = check("good")
    assert code == 0, checks
    assert {"connection", "engine", "image", "disk", "memory", "clock", "load"} <= set(checks["good"])
    assert checks["good"]["image"]["level"] == "ok"
    assert "20.10" in checks["good"]["engine"]["message"]


def test_an_absent_board_fails_alone_and_the_exit_code_tells(check):
    code, checks, _ = check()
    assert code == 1
    assert list(checks["nobody"]) == ["ssh"]
    assert "switched on" in checks["nobody"]["ssh"]["advice"]
    assert checks["good"]["connection"]["level"] == "ok"


def test_a_user_without_docker_rights_is_told_the_command_that_gives_them(check):
    code, checks, _ = check("good", user="guest")
    assert code == 1
    assert checks["good"]["docker permission"]["level"] == "fail"
    assert "usermod -aG docker" in checks["good"]["docker permission"]["advice"]
    assert "disk" in checks["good"], "what can be looked at without Docker is looked at"


def test_refused_keys_are_told_from_a_board_that_is_off(check):
    code, checks, _ = check("good", user="nobody-there")
    assert code == 1
    assert "ssh-copy-id" in checks["good"]["login"]["advice"]


def test_what_else_runs_on_a_board_is_named(check, fleet: Fleet):
    board = fleet["board1"]
    board.docker("run", "-d", "--name", "stranger", "orbitbench/busybox:test", "sleep", "60")
    try:
        _, checks, _ = check("good")
    finally:
        board.docker("rm", "-f", "stranger")
    assert "stranger" in checks["good"]["containers"]["message"]


def test_a_stopped_engine_is_not_taken_for_missing_rights(check, fleet: Fleet):
    fleet["board2"].kill_dockerd()
    try:
        code, checks, _ = check("other")
    finally:
        fleet["board2"].start_dockerd()
    assert code == 1
    assert "systemctl status docker" in checks["other"]["engine"]["advice"]
    assert checks["other"]["memory"]["level"] == "ok"


def test_an_unknown_name_is_bad_input_and_lists_the_known(check):
    code, checks, stderr = check("godo")
    assert (code, checks) == (2, {})
    assert "godo" in stderr
    assert "good, local, nobody, other" in stderr


def test_a_board_is_looked_at_and_added_to_the_users_file(fleet: Fleet, tmp_path):
    path = tmp_path / "devices.yaml"
    path.write_text(DEVICES)
    config = fleet.write_ssh_config("bench", "ssh_config_add")
    environment = {"PATH": "/usr/bin:/bin:/usr/sbin", "ORBITBENCH_SSH_CONFIG": str(config)}
    environment["ORBITBENCH_DEVICES"] = str(path)

    def add(*words: str):
        command = [sys.executable, "-m", "orchestrate.cli", "devices", "add", *words, "--host", "board1"]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE
        )

    asked = add("fresh")
    assert asked.returncode == 2
    assert "--yes" in asked.stderr
    assert path.read_text() == DEVICES
    done = add("fresh", "--yes")
    assert done.returncode == 0, done.stderr
    assert path.read_text().startswith(DEVICES.rstrip())
    assert "image: cpu" in path.read_text()
    assert "already" in add("fresh", "--yes").stderr
