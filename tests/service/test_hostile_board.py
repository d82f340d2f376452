"""A board that means harm, behind a real sshd: floods, drops, and lines of any length end as typed errors."""

import concurrent.futures
import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from orchestrate.engine import errors, ssh
from orchestrate.engine.child_output import LOG_BYTES
from orchestrate.engine.connection import Engine
from orchestrate.engine.container import Board, Spec
from orchestrate.engine.log_stream import follow
from orchestrate.engine.relay import Relay
from orchestrate.engine.tunnel import tunnels_folder
from tests.conftest import PATIENCE, wait_for
from tests.matrix import Part, part_of
from tests.service.fleet import Fleet

pytestmark = pytest.mark.service
IMAGE, VOLUME = "orbitbench/busybox:test", "orbitbench-hostile"
LABELS = {"orbitbench.run": "hostile"}
FLOOD = "while head -c 1000000 /dev/zero; do :; done"  # it ends where nobody reads, as DROPS does
DROPS = "while printf x; do sleep 0.2; done"


matrix = part_of("hostile", "board")


@pytest.fixture(autouse=True)
def configured(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORBITBENCH_SSH_CONFIG", str(fleet.write_ssh_config(name="ssh_config_hostile")))


@pytest.fixture
def peak(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Bytes by which this process's memory has grown at its highest since the test began."""
    Path("/proc/self/clear_refs").write_text("5")

    def read() -> int:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return int(status["VmHWM"].split()[0]) * 1024

    start = read()
    return lambda: read() - start


def outcome(call: Callable[[], object]) -> str:
    """The error that a call ends with."""
    try:
        call()
    except errors.EngineError as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def running(script: str) -> bool:
    """Whether a board, whose processes are seen from here, still runs it."""
    return any(
        script in words for each in psutil.process_iter(["cmdline"]) for words in each.info["cmdline"] or ()
    )


@pytest.mark.parametrize("script", [FLOOD, f"({FLOOD}) >&2"], ids=["output", "errors"])
def test_a_command_that_prints_without_end_is_ended(script: str, peak, matrix: Part) -> None:
    got = outcome(lambda: ssh.run("board1", ["sh", "-c", script]))
    ok = got.startswith("BadAnswer") and peak() < 200e6
    where = "standard error" if "2" in script else "standard output"
    matrix.add(f"ssh, {where} without end", "BadAnswer, under 200 MB more", f"{got}; +{peak()} bytes", ok)
    wait_for(lambda: not running(script), "it goes on at the board, and takes a core from all other tests")


def test_a_command_that_prints_a_byte_now_and_then_ends_with_its_time(matrix: Part) -> None:
    got = outcome(lambda: ssh.run("board1", ["sh", "-c", DROPS], timeout=2))
    matrix.add("ssh, a byte every 0.2 s", "CommandHung after the time", got, got.startswith("CommandHung"))
    wait_for(lambda: not running(DROPS), "it goes on at the board")


def test_a_command_that_leaves_its_output_open_ends_with_its_time(matrix: Part) -> None:
    got = outcome(lambda: ssh.run("board1", ["sh", "-c", "sleep 60 & exit 0"], timeout=2))
    matrix.add("ssh, an output held open", "CommandHung after the time", got, got.startswith("CommandHung"))


def test_what_ssh_prints_for_a_board_fills_neither_disk_nor_memory(
    namespaces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, peak, matrix: Part
) -> None:
    with Fleet(tmp_path, "loud", sshd=f"ForceCommand ({FLOOD}) >&2\n") as fleet:
        monkeypatch.setenv("ORBITBENCH_SSH_CONFIG", str(fleet.ssh_config))
        relay = Relay("loud")
        relay.open()
        with contextlib.closing(relay), socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(relay.socket))
            wait_for(lambda: len(relay.log) >= LOG_BYTES)
            time.sleep(1)  # more comes all the time
            kept, files = len(relay.log), sum(f.stat().st_size for f in tunnels_folder().iterdir())
    got = f"{kept} bytes kept, {files} in files, +{peak()} of memory"
    ok = kept == LOG_BYTES and files < 10_000 and peak() < 100e6
    matrix.add("ssh, messages without end on a long connection", f"{LOG_BYTES} bytes kept", got, ok)


def test_a_log_of_long_lines_is_read_in_little_memory(peak, matrix: Part, load_image, fleet: Fleet) -> None:
    with Engine("board1") as engine:
        board = Board(engine)
        board.create_volume(VOLUME, LABELS)
        try:
            line = "head -c 900000 /dev/zero | tr '\\0' x; echo"
            board.create(Spec(IMAGE, ("sh", "-c", f"for i in $(seq 60); do {line}; done"), VOLUME, LABELS))
            board.start()
            stream = follow(board)
            next(stream)
            time.sleep(3)  # a reader that is slow: what waits for it must not fill the memory
            got = sum(len(each) for each in stream if each)
        finally:
            board.remove()
            board.remove_volume(VOLUME)
    ok = got >= 50 * 900_000 and peak() < 300e6
    matrix.add("a log of 54 MB in lines of 0.9 MB", "read, under 300 MB more", f"{got}; +{peak()}", ok)


def test_a_tail_longer_than_an_answer_may_be_is_an_error_not_a_flood(peak, matrix: Part) -> None:
    with Engine("board1") as engine:
        board = Board(engine)
        board.create_volume(VOLUME, LABELS)
        try:
            script = "for i in 1 2 3 4 5 6; do head -c 1000000 /dev/zero; echo; done"
            board.create(Spec(IMAGE, ("sh", "-c", script), VOLUME, LABELS))
            board.start()
            engine.client.api.wait("orbitbench")
            got = outcome(lambda: board.tail(lines=1000))
            small = board.tail(lines=5)
        finally:
            board.remove()
            board.remove_volume(VOLUME)
    ok = got.startswith("BadAnswer") and len(small) == 20_000
    matrix.add("a tail of 6 MB", "BadAnswer; its end is given", got, ok)


def test_attacks_on_one_board_do_not_delay_another(matrix: Part) -> None:
    with concurrent.futures.ThreadPoolExecutor() as pool:
        attack = pool.submit(outcome, lambda: ssh.run("board1", ["sh", "-c", DROPS], timeout=6))
        calm = pool.submit(ssh.run, "board2", ["true"])
        code, first = calm.result(timeout=PATIENCE).code, not attack.done()
        got = f"exit code {code}, done {'before' if first else 'after'} the other; {attack.result()}"
    matrix.add("ssh, one board hangs beside another", "the other one answers", got, code == 0)
