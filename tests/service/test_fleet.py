"""The pretend boards themselves: what tests and `make fleet-up` rely on."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

from tests.conftest import ROOT, end
from tests.service import board as boards
from tests.service import leases, rootfs
from tests.service.board import Board
from tests.service.fleet import Fleet

pytestmark = pytest.mark.service
WRITE = "dd if=/dev/zero of=/var/lib/docker/x bs=64k count=4 conv=fsync"


def test_the_local_engine_builds_and_runs_an_image(engine, load_image):
    load_image(engine, rootfs.busybox())
    assert (
        engine.docker("run", "--rm", "--network", "none", "orbitbench/busybox:test", "echo", "hi") == "hi\n"
    )


def test_an_image_can_claim_another_architecture(engine, load_image):
    load_image(engine, rootfs.busybox(rootfs.OTHER))
    inspect = engine.docker("inspect", "-f", "{{.Architecture}}", "orbitbench/busybox:test")
    assert inspect.strip() == rootfs.OTHER


def test_two_boards_see_nothing_of_each_other(fleet: Fleet):
    fleet["board1"].docker("volume", "create", "mine")
    assert "mine" in fleet["board1"].docker("volume", "ls", "-q")
    assert "mine" not in fleet["board2"].docker("volume", "ls", "-q")
    fleet["board1"].docker("volume", "rm", "mine")


def test_a_power_cut_keeps_the_disk_and_changes_the_boot_id(fleet: Fleet):
    board = fleet["board2"]
    board.docker("volume", "create", "kept")
    before = board.sh("cat /proc/sys/kernel/random/boot_id")
    board.power_cut()
    board.switch_on()
    assert "kept" in board.docker("volume", "ls", "-q")
    board.docker("volume", "rm", "kept")
    assert board.sh("cat /proc/sys/kernel/random/boot_id") != before


def test_boards_that_a_failed_test_has_hurt_are_mended(fleet: Fleet):
    one, other = fleet.boards.values()
    one.docker("run", "-d", "-v", "left:/data", "orbitbench/busybox:test", "sleep", "1000")
    one.docker("pause", one.docker("ps", "-q").strip())
    one.drop(True)
    one.kill_sshd()
    one.sh("kill -STOP $(cat /run/docker.pid)")
    one.link(False)
    other.power_cut()
    other.switch_on()  # by the test itself: what a failed test has started ends
    assert other.process
    end({psutil.Process(other.process.pid)})
    fleet.mend()
    config = fleet.write_ssh_config(name="ssh_config_mended")
    for board in (one, other):
        assert board.docker("ps", "-aq") == ""
        assert board.docker("volume", "ls", "-q") == ""
        assert boards.run("ssh", "-F", str(config), board.name, "hostname").strip() == board.name


def test_a_living_engine_that_is_slow_to_answer_is_not_started_again(fleet: Fleet):
    board = fleet["board1"]
    number = board.sh("cat /run/docker.pid")
    board.sh("ln -sf /bin/false /run/setsid; kill -STOP $(cat /run/docker.pid)")
    try:
        board.sh("PATH=/run:$PATH /run/start-dockerd")  # would fail where it went on to start one
    finally:
        board.sh(f"kill -CONT {number}")
    assert board.sh("cat /run/docker.pid") == number
    assert board.docker("version", "-f", "ok").strip() == "ok"


def test_a_small_disk_fills_up_and_empties(namespaces):
    with Board("small", disk_mb=64) as board:
        board.fill_disk()
        assert "No space left" in board.sh(WRITE, check=False)
        board.free_disk()
        board.sh(WRITE)


def test_boards_of_a_crashed_test_run_are_swept_and_those_of_a_living_one_are_left(engine):
    script = (
        "import time; from tests.service.board import Board; Board('orphan').up();"
        "print(flush=True); time.sleep(3600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as crashed:
        assert crashed.stdout
        crashed.stdout.readline()
        assert "orphan" not in boards.sweep()
        os.kill(crashed.pid, signal.SIGKILL)
    assert boards.sweep() == ["orphan"]
    assert engine.docker("version", "-f", "ok").strip() == "ok"
    assert leases.take(engine.number) is None
