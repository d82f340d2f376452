"""Whoever reads a run leaves (`| head`): an interruption, however early, and nothing goes on unseen."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from bench.work.left_readers import ReaderLeftError
from bench.work.plain_console import PlainConsole
from bench.work.signals import terminated_is_interrupted
from orchestrate.execution.follower import Follower, Stop, drive
from orchestrate.execution.progress import View
from tests.conftest import PATIENCE, ROOT
from tests.unit.orchestrate import sample
from tests.unit.orchestrate.test_follow import FakeRunner

BOARDS = tuple(f"b{number}" for number in range(20))


def unread_console() -> PlainConsole:
    """A console whose very first line has no reader any more."""
    read, write = os.pipe()
    os.close(read)
    return PlainConsole(file=os.fdopen(write, "w"))


class Working(FakeRunner):
    """A board that stays at work for a while."""

    def lines(self) -> Iterator[bytes]:
        for _ in range(20):
            if self.running:
                yield b""


def test_a_reader_gone_before_the_first_line_interrupts_while_boards_are_still_being_started(
    tmp_path: Path,
) -> None:
    run, stop = sample.run(tmp_path, "a", devices=BOARDS), Stop()
    runners = {name: Working(name) for name in BOARDS}
    view = View(unread_console(), list(BOARDS))
    followers = [Follower(runners[name], folder, view, stop) for name, folder in run.devices.items()]
    with terminated_is_interrupted(), pytest.raises(KeyboardInterrupt):
        drive(followers, view, stop, lambda: True)
    assert stop.is_set()
    assert stop.answered.is_set()


def unread(
    cwd: Path, program: str, *words: str, stderr: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    """A command whose output has no reader from the first line on; stderr=STDOUT: nor have its errors."""
    (cwd / "locks").mkdir()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ORBITBENCH_LOCK_DIR": str(cwd / "locks")}
    read, write = os.pipe()
    os.close(read)
    try:
        return subprocess.run(
            [sys.executable, "-m", f"{program}.cli", *words],
            cwd=cwd, env=env, stdout=write, stderr=stderr, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    finally:
        os.close(write)


@pytest.mark.parametrize("words", [["--resume", sample.NAME], ["--device", "local", "--onnx", "m.onnx"]])
def test_a_run_that_nobody_reads_from_the_start_is_interrupted(tmp_path: Path, words: list[str]) -> None:
    sample.real_run(tmp_path / "results", models=1)
    sample.onnx_model(tmp_path / "m.onnx", 4)
    done = unread(tmp_path, "orchestrate", "run", *words)
    assert done.returncode == 130, done.stderr
    said = "to go on: orchestrate run --resume" if "--resume" in words else "before anything was run"
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in (tmp_path / "results").iterdir() if path.name[0] != "."] == [sample.NAME]


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("orchestrate", ["devices"]),  # a table
        ("orchestrate", ["devices", "--json"]),
        ("orchestrate", ["runs"]),
        ("bench", ["scale", "vgg11", "-d", "digits", "-r", "0.5", "--ratio-of", "params"]),
    ],
)
def test_a_command_that_only_prints_ends_as_interrupted_without_a_word(
    tmp_path: Path, program: str, words: list[str]
) -> None:
    sample.real_run(tmp_path / "results", models=1)
    done = unread(tmp_path, program, *words)
    assert (done.returncode, done.stderr) == (130, "")


def test_a_thread_that_redraws_a_table_interrupts_the_main_one() -> None:
    console = unread_console()

    def draw() -> None:
        with suppress(ReaderLeftError):
            console.print("a row")

    def wait() -> None:
        threading.Thread(target=draw).start()
        threading.Event().wait(PATIENCE)

    with terminated_is_interrupted(), pytest.raises(KeyboardInterrupt):
        wait()


MESSAGES = """
from bench.work.left_readers import ReaderLeftError
from bench.work.plain_console import PlainConsole
try:
    PlainConsole(stderr=True).print("a message")
except ReaderLeftError:
    print("output")
"""


def test_who_reads_no_messages_still_gets_the_output() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        words, output = [sys.executable, "-c", MESSAGES], subprocess.PIPE
        done = subprocess.run(words, cwd=ROOT, stdout=output, stderr=write, timeout=PATIENCE, check=True)
    finally:
        os.close(write)
    assert done.stdout == b"output\n"


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_error_that_nobody_reads_keeps_its_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    assert unread(tmp_path, "orchestrate", "status", "nothing", stderr=subprocess.STDOUT).returncode == 2
