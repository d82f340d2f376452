"""The engine behind ssh: what a run may rely on when links, daemons and boards fail."""

import concurrent.futures
import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from orchestrate.engine import errors, retry, ssh
from orchestrate.engine.connection import Engine
from orchestrate.engine.container import Board, Spec
from orchestrate.engine.log_stream import follow
from orchestrate.errors import LinkLost, OrbitError
from tests import matrix
from tests.conftest import PATIENCE, ROOT, wait_for
from tests.service import rootfs
from tests.service.board import Board as Machine
from tests.service.connected import with_volume
from tests.service.fleet import Fleet

pytestmark = pytest.mark.service
IMAGE = "orbitbench/busybox:test"
LABELS = {"orbitbench.run": "test-run", "orbitbench.device": "board1"}
COUNT = "i=0; while [ $i -lt 100 ]; do echo line $i; i=$((i+1)); sleep 0.1; done; exit 7"
NOTICED = 60  # s at most on a busy machine; a quiet one takes about 9
COUNTED = [f"line {i}".encode() for i in range(100)]


def spec(script: str, **changes) -> Spec:
    return Spec(IMAGE, ("sh", "-c", script), "orbitbench-test", LABELS, **changes)


@pytest.fixture
def ssh_config(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORBITBENCH_SSH_CONFIG", str(fleet.ssh_config))


@pytest.fixture
def board(engine1: Engine, ssh_config: None) -> Iterator[Board]:
    """A connected Board on board1, free before and after."""
    with with_volume(engine1, "orbitbench-test", LABELS) as board:
        yield board


def output(board: Board, seen: int = 0) -> list[bytes]:
    return [line for line in follow(board, seen=seen) if line is not None]


def test_a_board_behind_ssh_and_a_local_socket_answer_alike(fleet: Fleet, board: Board):
    with Engine(fleet["board1"].docker_host) as local:
        assert local.info() == board.engine.info()
        assert local.info().architecture == rootfs.HOST


def test_a_run_keeps_its_output_and_its_exit_code(board: Board):
    board.create(spec("echo one; echo two >&2; echo three; exit 7"))
    board.start()
    assert output(board) == [b"one", b"three"]
    state = board.state()
    assert (state.status, state.exit_code, state.rebooted) == ("exited", 7, False)


def test_a_container_can_write_only_its_volume(board: Board):
    attempts = (
        "for d in /data /tmp / /bin /etc; do touch $d/x 2>&- && echo $d; done; cat /proc/net/dev | wc -l"
    )
    board.create(spec(f"{attempts}; cat /proc/self/status"))
    board.start()
    lines = [line.decode() for line in output(board)]
    assert lines[:2] == ["/data", "/tmp"]
    assert lines[2] == "3", "only the loopback device, below two lines of heading"
    assert "CapEff:\t0000000000000000" in lines
    assert "NoNewPrivs:\t1" in lines


def test_files_travel_both_ways(board: Board, tmp_path):
    (tmp_path / "model").write_bytes(os.urandom(3_000_000))
    board.create(spec("mkdir -p out/records; cp models/deep/a.onnx out/records/a.json; ls -l models"))
    sent: list[int] = []
    board.send({"models/deep/a.onnx": tmp_path / "model", "jobs.json": b"{}"}, progress=sent.append)
    board.start()
    output(board)
    assert sum(sent) == 3_000_002
    assert board.fetch("/data/jobs.json") == b"{}"
    assert board.fetch("/data/out/records/a.json") == (tmp_path / "model").read_bytes()


def test_a_file_that_is_gone_here_is_not_taken_for_a_lost_link(board: Board, tmp_path):
    board.create(spec("true"))
    with pytest.raises(OrbitError, match="No such file") as caught:
        board.send({"model": tmp_path / "gone"})
    assert not isinstance(caught.value, LinkLost)
    assert board.state().status == "created"


def test_a_missing_file_a_missing_container_and_a_missing_image_are_told_apart(board: Board):
    with pytest.raises(errors.NotFound, match="No such container"):
        board.state()
    with pytest.raises(errors.ImageMissing, match="orchestrate images"):
        board.create(Spec("nobody/nothing:1", (), "orbitbench-test", LABELS))
    board.create(spec("true"))
    with pytest.raises(errors.NotFound, match="/data/none"):
        board.fetch("/data/none")


def test_an_image_of_another_processor_is_refused_before_it_runs(fleet: Fleet, board: Board, load_image):
    foreign = rootfs.image_of(rootfs.tar_of({"x": b""}), "orbitbench/foreign:test", rootfs.OTHER)
    load_image(fleet["board1"], foreign)
    with pytest.raises(errors.WrongArchitecture, match=f"is for {rootfs.OTHER}, the board is {rootfs.HOST}"):
        board.create(Spec("orbitbench/foreign:test", (), "orbitbench-test", LABELS))


def test_a_missing_nvidia_runtime_is_named_with_its_cure(board: Board):
    with pytest.raises(errors.RuntimeMissing, match="install nvidia-container-runtime"):
        board.create(spec("true", runtime="nvidia"))
    board.create(spec("true", gpus=True))
    with pytest.raises(errors.RuntimeMissing, match="cannot hand out a GPU"):
        board.start()


def test_the_second_run_on_a_board_learns_who_holds_it(board: Board):
    board.create(spec("sleep 600"))
    board.start()
    other = Spec(IMAGE, ("true",), "orbitbench-test", {"orbitbench.run": "other"})
    with pytest.raises(errors.BoardBusy, match=r"held by run test-run .*running") as caught:
        board.create(other)
    assert caught.value.lock_owner.alive
    board.stop(grace=0)
    with pytest.raises(errors.BoardBusy, match="--break-lock") as caught:
        board.create(other)
    assert not caught.value.lock_owner.alive
    board.remove()
    board.create(other)


def test_creating_twice_after_a_lost_answer_is_creating_once(board: Board):
    board.create(spec("true"))
    board.create(spec("true"))
    board.start()
    board.start()
    output(board)
    board.remove()
    board.remove()


def test_forty_calls_at_once_pass_one_tunnel_of_a_stock_sshd(board: Board):
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(board.engine.info().name)) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert results == ["board1"] * 40


def test_out_of_memory_is_seen(board: Board):
    board.create(spec("dd if=/dev/zero of=/dev/null bs=200M count=1; exit $?", memory=32 * 2**20))
    board.start()
    output(board)
    assert board.state().out_of_memory


def test_silence_yields_heartbeats_and_abandoning_ends_the_thread(board: Board):
    board.create(spec("sleep 600"))
    board.start()
    stream = follow(board, heartbeat=0.05)
    assert [next(stream) for _ in range(7)] == [None] * 7
    stream.close()
    wait_for(lambda: "orbitbench-follow" not in [thread.name for thread in threading.enumerate()])


# Faults: what happens, and how to mend it. Each has a board of its own, and all happen at once, to save time.

FAULTS = {
    "link cut": (lambda m: m.link(False), lambda m: m.link(True)),
    "packets dropped silently": (lambda m: m.drop(True), lambda m: m.drop(False)),
    "sshd killed": (Machine.kill_sshd, Machine.start_sshd),
    "engine crashed, live-restore": (Machine.kill_dockerd, Machine.start_dockerd),
    "engine stopped, live-restore": (lambda m: m.kill_dockerd("TERM"), Machine.start_dockerd),
}


@dataclasses.dataclass
class Outcome:
    """Of one fault: seconds until it was noticed, the lines of before and after, the exit code at the end."""

    noticed: float
    lines: list[bytes]
    exit_code: int | None


def suffer(machine: Machine, fault: str) -> Outcome:
    """Follow a container on `machine` through `fault`, and to its end after the cure."""
    hurt, mend = FAULTS[fault]
    with Engine(machine.name) as engine:
        board = Board(engine)
        board.create_volume("orbitbench-test", LABELS)
        board.create(spec(COUNT))
        board.start()
        stream = follow(board, heartbeat=0.5)
        lines = [next(line for line in stream if line is not None) for _ in range(5)]
        hurt(machine)
        hurt_at = time.monotonic()
        try:
            lines += [line for line in stream if line is not None]
            raise AssertionError(f"{fault} was not noticed")
        except errors.Transient:
            noticed = time.monotonic() - hurt_at
        finally:
            mend(machine)
        retry.retry(engine.open, PATIENCE)
        lines += output(board, seen=len(lines))
        return Outcome(noticed, lines, board.state().exit_code)


@pytest.fixture(scope="module")
def outcomes(namespaces, tmp_path_factory, load_image) -> dict[str, concurrent.futures.Future]:
    names = [f"faulty{number}" for number in range(len(FAULTS))]
    with Fleet(tmp_path_factory.mktemp("faults"), *names) as fleet, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ORBITBENCH_SSH_CONFIG", str(fleet.ssh_config))
        for machine in fleet.boards.values():
            load_image(machine, rootfs.busybox())
        with concurrent.futures.ThreadPoolExecutor(len(FAULTS)) as pool:
            pairs = zip(FAULTS, fleet.boards.values(), strict=True)
            return {fault: pool.submit(suffer, machine, fault) for fault, machine in pairs}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_followed_run_survives(fault: str, outcomes):
    outcome = outcomes[fault].result()
    assert outcome.noticed < NOTICED
    assert outcome.lines == COUNTED, "each line once and in order"
    assert outcome.exit_code == 7


def test_the_faults_are_written_down(outcomes):
    rows = []
    for fault, future in outcomes.items():
        it = future.result()
        got = f"noticed after {it.noticed:.1f} s, {len(it.lines)} lines, exit code {it.exit_code}"
        ok = it.noticed < NOTICED and it.lines == COUNTED and it.exit_code == 7
        expected = f"noticed within {NOTICED} s, {len(COUNTED)} lines, exit code 7"
        rows.append({"case": fault, "expected": expected, "got": got, "ok": ok})
    assert json.loads(matrix.write("engine-faults", rows).read_text()) == rows


def test_an_engine_that_hangs_is_noticed_though_its_link_is_fine(fleet: Fleet, board: Board):
    board.create(spec("sleep 600"))
    board.start()
    with Engine(board.host, timeout=2) as engine:
        stream = follow(Board(engine), heartbeat=0.1)
        assert next(stream) is None
        fleet["board1"].sh("kill -STOP $(cat /run/docker.pid)")
        try:
            with pytest.raises(errors.LinkBroken):
                list(stream)
        finally:
            fleet["board1"].sh("kill -CONT $(cat /run/docker.pid)")
    assert board.state().running


def test_a_power_cut_is_known_by_the_boot_id(fleet: Fleet, board: Board):
    machine = fleet["board1"]
    board.create(spec("echo kept >file; sync; echo written; sleep 600"))
    board.start()
    assert next(line for line in follow(board) if line is not None) == b"written"
    machine.power_cut()
    with pytest.raises(errors.Transient):
        output(board)
    machine.switch_on()
    retry.retry(board.engine.open, PATIENCE)
    state = board.state()
    assert (state.status, state.rebooted, state.exit_code) == ("lost", True, None)
    assert board.fetch("/data/file") == b"kept\n"
    assert not board.lock_owner().alive


def test_an_engine_without_live_restore_leaves_the_exit_code_of_a_kill(
    namespaces, tmp_path, monkeypatch, load_image
):
    with Fleet(tmp_path, "plain", dockerd=()) as fleet:
        monkeypatch.setenv("ORBITBENCH_SSH_CONFIG", str(fleet.ssh_config))
        load_image(fleet["plain"], rootfs.busybox())
        with Engine("plain") as engine:
            board = Board(engine)
            board.create_volume("orbitbench-test", LABELS)
            board.create(spec("sleep 600"))
            board.start()
            fleet["plain"].kill_dockerd("KILL")
            with pytest.raises(errors.Transient):
                output(board)
            fleet["plain"].start_dockerd()
            retry.retry(engine.open, PATIENCE)
            state = board.state()
            assert not state.running
            assert state.exit_code == 137
            assert not state.rebooted


def test_a_board_that_forbids_forwarding_is_reached_the_slower_way(
    namespaces, tmp_path, monkeypatch, load_image
):
    with Fleet(tmp_path, "strict", sshd="AllowStreamLocalForwarding no\n") as fleet:
        machine = fleet["strict"]
        monkeypatch.setenv("ORBITBENCH_SSH_CONFIG", str(fleet.ssh_config))
        load_image(machine, rootfs.busybox())
        with Engine("strict") as engine:
            assert engine.roundabout
            board = Board(engine)
            board.create_volume("orbitbench-test", LABELS)
            board.create(spec(COUNT))
            board.send({"file": bytes(1_000_000)})
            board.start()
            stream = follow(board, heartbeat=0.5)
            got = [next(line for line in stream if line is not None) for _ in range(5)]
            machine.kill_sshd()
            with pytest.raises(errors.Transient):
                got += [line for line in stream if line is not None]
            machine.start_sshd()
            retry.retry(engine.open, PATIENCE)
            assert got + output(board, seen=len(got)) == COUNTED
            assert board.fetch("/data/file") == bytes(1_000_000)


def test_a_full_disk_says_so_and_the_way_out(namespaces, load_image):
    with Machine("small", disk_mb=96) as machine, Engine(machine.docker_host) as engine:
        load_image(machine, rootfs.busybox())
        board = Board(engine)
        board.create_volume("orbitbench-test", LABELS)
        board.create(spec("true"))
        machine.fill_disk()
        with pytest.raises(errors.DiskFull, match="no space left on it; `docker system prune`"):
            board.send({"big": bytes(5_000_000)})
        machine.free_disk()
        board.send({"big": bytes(5_000_000)})


def test_no_ssh_process_outlives_a_killed_orchestrator(fleet: Fleet, ssh_config: None):
    script = (
        "import time; from orchestrate.engine import tunnel; t = tunnel.Tunnel('board1'); t.open();"
        "print(t._process.pid, tunnel.tunnels_folder(), flush=True); time.sleep(3600)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as killed:
        assert killed.stdout
        pid, folder = killed.stdout.readline().split()
        killed.send_signal(signal.SIGKILL)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
    wait_for(lambda: not os.path.exists(folder))


def test_a_remote_command_is_an_argument_list_whatever_it_holds(fleet: Fleet, ssh_config: None):
    nasty = ["printf", "%s|", "a b", "$(id)", "`id`", "; id", "'\"", "*", "-x", ""]
    done = ssh.run("board1", nasty)
    assert done == (0, "a b|$(id)|`id`|; id|'\"|*|-x||", "")
    assert ssh.run("board1", ["sh", "-c", "exit 9"]).code == 9
    with pytest.raises(errors.LinkBroken, match="did not end within 1 s"):
        ssh.run("board1", ["sleep", "9"], timeout=1)
