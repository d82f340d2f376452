"""Following a device: what arrives is stored, what does not is told, one device's trouble stays its own."""

import hashlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from orchestrate.errors import OrbitError
from orchestrate.follow import Follower, Stop, drive
from orchestrate.live import View
from orchestrate.store import DeviceFolder, Run
from tests.unit.orchestrate import sample

JOBS = ["a--onnxruntime-fp32-t1", "b--onnxruntime-fp32-t1"]


class FakeRunner:
    """A board in memory. `works` lists the jobs whose records it will produce, in that order."""

    def __init__(self, device: str = "local", works: list[str] | None = None) -> None:
        self.device, self.works = device, JOBS if works is None else works
        self.records: dict[str, bytes] = {}
        self.running = self.cleared = self.closed = False
        self.started: list[list[str]] = []
        self.silent = False  # does the work, announces nothing

    def alive(self) -> bool:
        return self.running

    def start(self, missing: list[str]) -> None:
        self.started.append(missing)
        self.running = True

    def lines(self) -> Iterator[bytes]:
        yield b'{"event": "start", "processes": 2, "done": 0}'
        yield b"not JSON"
        for job in [job for job in self.works if job not in self.records]:
            data = self.records[job] = sample.encoded(sample.record(job, self.device))
            event = {"event": "record", "job": job, "sha256": hashlib.sha256(data).hexdigest()}
            if not self.silent:
                yield json.dumps(event).encode()
            yield b""
        self.running = False

    def ready(self) -> list[str]:
        return list(self.records)

    def read(self, job: str) -> bytes | None:
        return self.records.get(job)

    def discard(self, job: str) -> None:
        del self.records[job]

    def why(self) -> str:
        return "exit code 9"

    def stop(self) -> None:
        self.running = False

    def clear(self) -> None:
        self.cleared = True

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def folder(tmp_path: Path) -> DeviceFolder:
    return sample.run(tmp_path, "a", "b").devices["local"]


def follow(runner: FakeRunner, folder: DeviceFolder, stop: Stop | None = None) -> None:
    Follower(runner, folder, View(Console(quiet=True), [folder.name]), stop or Stop()).run()


def test_all_records_arrive_and_only_then_the_board_is_cleared(folder: DeviceFolder) -> None:
    runner = FakeRunner()
    follow(runner, folder)
    assert folder.missing() == []
    assert runner.started == [JOBS]
    assert runner.cleared


def test_records_that_no_event_announced_are_found_at_the_end(folder: DeviceFolder) -> None:
    runner = FakeRunner()
    runner.silent = True
    follow(runner, folder)
    assert folder.missing() == []


def test_a_runtime_that_dies_leaves_what_it_finished_and_says_why(folder: DeviceFolder) -> None:
    runner = FakeRunner(works=JOBS[:1])
    with pytest.raises(OrbitError, match="1 of 2 records missing: exit code 9"):
        follow(runner, folder)
    assert folder.missing() == JOBS[1:]
    assert not runner.cleared


def test_resuming_does_only_what_is_missing(folder: DeviceFolder) -> None:
    folder.save(JOBS[0], sample.encoded(sample.record(JOBS[0])))
    runner = FakeRunner(works=JOBS[1:])
    follow(runner, folder)
    assert runner.started == [JOBS[1:]]
    assert folder.missing() == []


def test_a_board_that_finished_while_nobody_looked_is_collected_and_not_started_again(
    folder: DeviceFolder,
) -> None:
    runner = FakeRunner()
    runner.records = {job: sample.encoded(sample.record(job)) for job in JOBS}
    follow(runner, folder)
    assert folder.missing() == []
    assert runner.started == []
    assert runner.cleared


def test_a_board_at_work_is_attached_to_and_not_started_again(folder: DeviceFolder) -> None:
    runner = FakeRunner()
    runner.running = True
    follow(runner, folder)
    assert runner.started == []
    assert folder.missing() == []


def test_a_damaged_record_stays_missing_is_told_and_made_again_by_the_next_resume(
    folder: DeviceFolder,
) -> None:
    runner = FakeRunner()
    runner.read = lambda job: b"damaged" if job == JOBS[0] else FakeRunner.read(runner, job)  # type: ignore[method-assign]
    with pytest.raises(OrbitError, match=f"1 of 2 records missing: record of {JOBS[0]}.*SHA-256"):
        follow(runner, folder)
    assert folder.missing() == JOBS[:1]
    del runner.read  # type: ignore[method-assign]
    runner.records[JOBS[0]] = b"damaged for good"
    follow(runner, folder)
    assert runner.started[-1] == JOBS[:1]
    assert folder.missing() == []


def test_a_record_that_nobody_asked_for_is_ignored(folder: DeviceFolder) -> None:
    runner = FakeRunner(works=[*JOBS, "../../../etc/passwd", "c"])
    follow(runner, folder)
    assert sorted(path.stem for path in folder.records.iterdir()) == JOBS


@pytest.mark.parametrize("boards", [True, False])
def test_a_stop_ends_the_runtime_only_if_asked_and_keeps_the_board_as_it_is(
    folder: DeviceFolder, boards: bool
) -> None:
    runner, stop = FakeRunner(), Stop()
    stop.boards = boards
    stop.set()
    follow(runner, folder, stop)
    assert runner.running is not boards
    assert not runner.cleared
    assert folder.missing() == JOBS


def test_one_failing_board_never_loses_the_records_of_another(tmp_path: Path) -> None:
    run = sample.run(tmp_path, "a", "b", devices=("good", "down", "full", "buggy"))
    runners = {name: FakeRunner(name) for name in run.devices}

    def fail(error: Exception) -> None:
        raise error

    runners["down"].alive = lambda: fail(OrbitError("no route to host"))  # type: ignore[method-assign,assignment,return-value]
    runners["full"].start = lambda missing: fail(OSError(28, "No space left on device"))  # type: ignore[method-assign]
    runners["buggy"].ready = lambda: fail(ValueError("oops"))  # type: ignore[method-assign,assignment,return-value]
    problems = drive_all(run, runners)
    assert problems["down"] == "no route to host"
    assert "No space left on device" in problems["full"]
    assert problems["buggy"] == "ValueError: oops"
    assert set(problems) == {"down", "full", "buggy"}
    assert run.devices["good"].missing() == []
    assert all(runner.closed for runner in runners.values())


def drive_all(run: Run, runners: dict[str, FakeRunner], at_once: int = 4) -> dict[str, str]:
    view = View(Console(quiet=True), list(run.devices))
    return drive(run.devices.values(), lambda folder: runners[folder.name], view, Stop(), at_once)


def test_boards_work_side_by_side_but_no_more_than_allowed(tmp_path: Path) -> None:
    run = sample.run(tmp_path, "a", devices=tuple(f"d{n}" for n in range(6)))
    runners = {name: FakeRunner(name, works=JOBS[:1]) for name in run.devices}
    lock, now, most = threading.Lock(), [0], [0]
    two = threading.Barrier(2, timeout=10)  # passes only if two boards are at work at the same time

    def start(missing: list[str]) -> None:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        two.wait()
        with lock:
            now[0] -= 1

    for runner in runners.values():
        runner.start = start  # type: ignore[method-assign]
    assert drive_all(run, runners, at_once=2) == {}
    assert most == [2]
