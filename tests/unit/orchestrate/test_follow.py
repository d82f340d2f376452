"""Following a device: received records are stored, missing ones reported, trouble stays with its device."""

import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from orchestrate.errors import LinkLost, OrbitError, Refused, StoreFailed
from orchestrate.execution.follower import MAX_STARTS, Follower, FollowPolicy, Stop, drive
from orchestrate.execution.progress import View
from orchestrate.runs.folder import DeviceFolder
from tests.conftest import PATIENCE
from tests.unit.orchestrate import sample

JOBS = ["a--onnxruntime-fp32-t1", "b--onnxruntime-fp32-t1"]


QUICK = FollowPolicy(patience=2)


class FakeRunner:
    """A board in memory. `works` lists the jobs whose records it will produce, in that order."""

    def __init__(self, device: str = "local", works: list[str] | None = None) -> None:
        self.device, self.works = device, JOBS if works is None else works
        self.records: dict[str, bytes] = {}
        self.running = self.cleared = self.closed = False
        self.restored = False
        self.opened = 0
        self.announced: list[bytes] = []  # its log
        self.started: list[list[str]] = []
        self.doubtful: str | None = None
        self.silent = False  # does the work, announces nothing

    is_local = False
    place = "elsewhere"

    def open(self) -> None:
        self.opened += 1

    def alive(self) -> bool:
        return self.running

    def start(self, missing: list[str], say: object = None) -> None:
        self.started.append(missing)
        self.running = True

    def lines(self) -> Iterator[bytes]:
        yield from self.announced
        if not self.running:
            return
        yield b'{"event": "start", "processes": 2, "done": 0}'
        yield b"not JSON"
        for job in [job for job in self.works if job not in self.records]:
            data = self.records[job] = sample.encoded(sample.record(job, self.device))
            event = {"event": "record", "job": job, "sha256": hashlib.sha256(data).hexdigest()}
            if not self.silent:
                self.announced.append(json.dumps(event).encode())
                yield self.announced[-1]
            yield b""
        self.running = False

    def read(self, job: str) -> bytes | None:
        return self.records.get(job)

    def discard(self, jobs: set[str]) -> None:
        for job in jobs:
            self.records.pop(job, None)
        self.announced.clear()

    def exit_reason(self) -> str:
        return "exit code 9"

    def stop(self) -> None:
        self.running = False

    def restore(self) -> None:
        self.restored = True

    def doubt(self) -> str | None:
        return self.doubtful

    def clear(self) -> None:
        self.cleared = True

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def folder(tmp_path: Path) -> DeviceFolder:
    return sample.run(tmp_path, "a", "b").devices["local"]


def test_a_board_that_throttled_is_restored_and_freed_and_the_run_is_not_done(folder: DeviceFolder) -> None:
    runner = FakeRunner()
    runner.doubtful = "the board slowed down during the run"
    with pytest.raises(OrbitError, match="slowed down"):
        follow(runner, folder)
    assert (runner.restored, runner.cleared, folder.missing()) == (True, True, [])


def follow(
    runner: FakeRunner, folder: DeviceFolder, policy: FollowPolicy = QUICK, again: tuple[str, ...] = ()
) -> None:
    follower(runner, folder, Stop(), policy, again).run()


def follower(
    runner: FakeRunner,
    folder: DeviceFolder,
    stop: Stop,
    way: FollowPolicy = QUICK,
    again: tuple[str, ...] = (),
) -> Follower:
    return Follower(runner, folder, View(Console(quiet=True), [folder.name]), stop, way, again)


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
    stop.answer(boards)
    this = follower(runner, folder, stop)
    runner.start = lambda missing, say: (setattr(runner, "running", True), stop.set())  # type: ignore[method-assign,assignment]
    this.run()
    assert runner.running is not boards
    assert runner.restored is boards
    assert not runner.cleared
    assert folder.missing() == JOBS


def test_a_runtime_on_this_machine_ends_with_us(folder: DeviceFolder) -> None:
    runner, stop = FakeRunner(), Stop()
    runner.is_local = True
    runner.start = lambda missing, say: (setattr(runner, "running", True), stop.set())  # type: ignore[method-assign,assignment]
    follower(runner, folder, stop).run()
    assert not runner.running


def test_detached_the_board_is_started_and_left_alone(folder: DeviceFolder) -> None:
    runner = FakeRunner()
    follow(runner, folder, FollowPolicy(watch=False))
    assert runner.running
    assert runner.started == [JOBS]
    assert not runner.restored
    assert not runner.cleared


def test_collecting_takes_what_is_there_and_starts_nothing(folder: DeviceFolder) -> None:
    runner = FakeRunner()
    runner.records[JOBS[0]] = sample.encoded(sample.record(JOBS[0]))
    with pytest.raises(OrbitError, match="1 of 2 records missing"):
        follow(runner, folder, FollowPolicy(start=False))
    assert folder.missing() == JOBS[1:]
    assert runner.started == []
    assert runner.restored
    assert not runner.cleared


def test_retried_jobs_replace_their_records_and_only_theirs(folder: DeviceFolder) -> None:
    failed, fine = JOBS
    folder.save(failed, sample.encoded(sample.record(failed, status="failed")))
    folder.save(fine, sample.encoded(sample.record(fine)))
    runner = FakeRunner(works=[failed])
    runner.records[failed] = sample.encoded(sample.record(failed, status="failed"))
    runner.announced = [json.dumps({"event": "record", "job": failed, "sha256": "0"}).encode()]
    follow(runner, folder, again=(failed,))
    assert runner.started == [[failed]]
    assert [record["status"] for record in folder.stored()] == ["ok", "ok"]


def test_a_lost_link_is_made_again_and_nothing_is_started_twice(folder: DeviceFolder) -> None:
    runner = FakeRunner()
    whole, cuts = runner.lines, [3, 2]

    def cut() -> Iterator[bytes]:
        for number, line in enumerate(whole()):
            if runner.running and cuts and number == cuts[0]:
                cuts.pop(0)
                raise LinkLost("the cable is out")
            yield line

    runner.lines = cut  # type: ignore[method-assign]
    follow(runner, folder)
    assert cuts == []
    assert runner.opened == 3
    assert runner.started == [JOBS]
    assert folder.missing() == []


def test_a_board_that_cannot_be_reached_at_all_is_told_at_once(folder: DeviceFolder) -> None:
    runner = FakeRunner()
    runner.open = lambda: fail(LinkLost("no route to host"))  # type: ignore[method-assign]
    with pytest.raises(LinkLost, match="no route"):
        follow(runner, folder, FollowPolicy(patience=1000))
    assert runner.closed


def test_patience_with_a_lost_link_has_an_end(folder: DeviceFolder) -> None:
    runner = FakeRunner()

    def start(missing: list[str], say: object) -> None:
        runner.open = lambda: fail(LinkLost("no route to host"))  # type: ignore[method-assign]
        raise LinkLost("the cable is out")

    runner.start = start  # type: ignore[method-assign]
    with pytest.raises(LinkLost, match="no route"):
        follow(runner, folder, FollowPolicy(patience=0.1))


def test_a_board_that_falls_over_each_time_is_not_started_for_ever(folder: DeviceFolder) -> None:
    runner = FakeRunner()
    runner.start = lambda missing, say: (runner.started.append(missing), fail(LinkLost("gone")))  # type: ignore[method-assign,assignment]
    with pytest.raises(OrbitError, match="2 of 2 records missing"):
        follow(runner, folder)
    assert len(runner.started) == MAX_STARTS


def test_a_full_disk_here_ends_this_device_and_leaves_the_board_as_it_is(
    folder: DeviceFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    runner = FakeRunner()
    monkeypatch.setattr(
        "orchestrate.runs.confined.Folder.write", lambda *_: fail(OSError(28, "No space left on device"))
    )
    with pytest.raises(StoreFailed, match="No space left on device: mend that, then resume"):
        follow(runner, folder)
    monkeypatch.undo()
    assert not runner.cleared
    follow(runner, folder)
    assert folder.missing() == []


def test_a_record_that_is_refused_ends_the_runtime_and_leaves_nothing_of_its_kind(
    folder: DeviceFolder,
) -> None:
    runner = FakeRunner()
    folder.save(JOBS[0], sample.encoded(sample.record(JOBS[0])))
    folder.accept = lambda record: fail(Refused("of another library"))
    with pytest.raises(Refused, match="of another library"):
        follow(runner, folder)
    assert (runner.running, runner.restored, runner.closed) == (False, True, True)
    assert JOBS[1] not in runner.records
    assert folder.missing() == JOBS[1:]


def fail(error: Exception) -> None:
    raise error


def test_one_failing_board_never_loses_the_records_of_another(tmp_path: Path) -> None:
    run = sample.run(tmp_path, "a", "b", devices=("good", "down", "full", "buggy"))
    runners = {name: FakeRunner(name) for name in run.devices}
    runners["down"].open = lambda: fail(LinkLost("no route to host"))  # type: ignore[method-assign]
    runners["full"].start = lambda missing, say: fail(OrbitError("no space left"))  # type: ignore[method-assign,misc]
    runners["buggy"].alive = lambda: fail(ValueError("oops"))  # type: ignore[method-assign,assignment,return-value]
    view = View(Console(quiet=True), list(run.devices))
    followers = [Follower(runners[name], folder, view, Stop()) for name, folder in run.devices.items()]
    problems = drive(followers, view, Stop(), lambda: False)
    assert problems == {"down": "no route to host", "full": "no space left", "buggy": "ValueError: oops"}
    assert run.devices["good"].missing() == []
    assert all(runner.closed for runner in runners.values())


def test_boards_work_side_by_side(tmp_path: Path) -> None:
    run = sample.run(tmp_path, "a", devices=tuple(f"d{n}" for n in range(20)))
    meeting = threading.Barrier(20, timeout=PATIENCE)  # passes only if all are following at the same time
    view, followers = View(Console(quiet=True), list(run.devices)), []
    for name, folder in run.devices.items():
        runner = FakeRunner(name, works=JOBS[:1])
        whole = runner.lines
        runner.place = name
        runner.lines = lambda whole=whole, runner=runner: (runner.running and meeting.wait(), whole())[1]  # type: ignore[method-assign]
        followers.append(Follower(runner, folder, view, Stop()))
    assert drive(followers, view, Stop(), lambda: False) == {}
    assert run.finished()


def test_two_devices_on_one_machine_take_turns(tmp_path: Path) -> None:
    run = sample.run(tmp_path, "a", devices=("fp32", "fp16"))
    view, at_work, most = View(Console(quiet=True), list(run.devices)), [0], [0]
    followers = []
    for name, folder in run.devices.items():
        runner = FakeRunner(name, works=JOBS[:1])
        whole = runner.lines

        def lines(whole: Callable[[], Iterator[bytes]] = whole) -> Iterator[bytes]:
            at_work[0] += 1
            most[0] = max(most[0], at_work[0])
            time.sleep(0.05)
            yield from whole()
            at_work[0] -= 1

        runner.lines = lines  # type: ignore[method-assign]
        followers.append(Follower(runner, folder, view, Stop()))
    assert drive(followers, view, Stop(), lambda: False) == {}
    assert most == [1]
    assert run.finished()


def test_a_link_lost_while_cleaning_up_is_made_again_and_the_board_is_freed(folder: DeviceFolder) -> None:
    runner, cuts = FakeRunner(), [1]

    def clear() -> None:
        if cuts:
            cuts.pop()
            raise LinkLost("the cable is out")
        runner.cleared = True

    runner.clear = clear  # type: ignore[method-assign]
    follow(runner, folder)
    assert runner.cleared
    assert runner.started == [JOBS]
