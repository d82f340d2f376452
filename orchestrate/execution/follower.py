"""A device's part of a run: start or attach, follow, store records as they come, clean up last.

Every step may be repeated: after a lost link, an engine that started again or our own death, the same steps
from the beginning find what is done and go on from there.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from orchestrate.console import first_line
from orchestrate.engine.retry import waits
from orchestrate.errors import LinkLost, OrbitError, Refused, StoreFailed
from orchestrate.execution.progress import Event, View, parse
from orchestrate.quantities import counted
from orchestrate.runs.folder import DeviceFolder

MAX_STARTS = 3  # of one device by one orchestrator: a board that falls over each time is not started for ever
HEAVY_AT_ONCE = 16  # devices that are being sent images and bundles side by side


class Runner(Protocol):
    """Where a device's jobs run: a process here, or a container on a board. Any step may raise LinkLost."""

    is_local: bool  # on this machine: it ends when we are interrupted
    place: str  # the machine: two job lists on one machine wait for each other

    def open(self) -> None:
        """Connect, or connect again."""

    def alive(self) -> bool:
        """Return whether the runtime of this run is at work there."""

    def start(self, missing: list[str], say: Callable[[str], None]) -> None:
        """Start the runtime on the jobs in `missing`; `say` receives what takes long."""

    def lines(self) -> Iterator[bytes]:
        """Return the runtime's lines, from those not seen yet to its end, with an empty one every second or
        so."""

    def read(self, job: str) -> bytes | None:
        """Return the record of `job`, None where there is none."""

    def discard(self, jobs: set[str]) -> None:
        """Remove records, so that their jobs run again."""

    def exit_reason(self) -> str:
        """Return why the runtime ended, in one line."""

    def status(self) -> str:
        """Return the device's status of this run, in a few words."""

    def tail(self, lines: int) -> list[str]:
        """Return the last lines of the runtime's log."""

    def stop(self) -> None:
        """End the runtime, keeping what it has written."""

    def restore(self) -> None:
        """Put the board back as it was found."""

    def doubt(self) -> str | None:
        """Return why this run's timings may be wrong although no record shows it, as far as the machine
        reports it."""

    def clear(self) -> None:
        """Remove all that the run has put there."""

    def close(self) -> None:
        """Let go of connections; the runtime goes on."""


class Stop(threading.Event):
    """Set by Ctrl-C. `boards`: end the runtimes on boards as well, rather than leave them at work.

    `boards` counts once `answered` is set; what runs on this machine ends without a question.
    """

    def __init__(self) -> None:
        super().__init__()
        self.boards, self.answered = False, threading.Event()

    def answer(self, boards: bool) -> None:
        """Say whether the boards' runtimes are to end."""
        self.boards = boards
        self.answered.set()

    def ends(self, is_local: bool) -> bool:
        """Return whether a runtime is to end; for one on a board this waits for the answer."""
        return is_local or (self.answered.wait() and self.boards)


@dataclass(frozen=True)
class FollowPolicy:
    """How far to go: `start` what does not run, `watch` it to its end, wait `patience` s for a lost link."""

    start: bool = True
    watch: bool = True
    patience: float = 600.0


WHOLE = FollowPolicy()


class Follower:
    """Brings one device's missing records here. Whatever happens, what is stored stays stored."""

    gate = threading.Semaphore(HEAVY_AT_ONCE)

    def __init__(
        self,
        runner: Runner,
        folder: DeviceFolder,
        view: View,
        stop: Stop,
        policy: FollowPolicy = WHOLE,
        again: Iterable[str] = (),
    ) -> None:
        self.runner, self.folder, self.view, self.stop, self.policy = runner, folder, view, stop, policy
        self.again = set(again)  # jobs whose stored record is to be replaced
        self.left = {*folder.missing(), *self.again}
        self.starts = 0
        self.hashes: dict[str, str] = {}  # job -> SHA-256 that the runtime announced
        self.damaged: dict[str, str] = {}  # job -> what is wrong with its record

    def run(self) -> None:
        """Until every record is here, the runtime has ended or the user stops us; OrbitError if one lacks."""
        pauses, lost = waits(), 0.0
        connected = False
        if not self.left and self.policy.start:
            return None
        try:
            while not self.stop.is_set():
                try:
                    if not self.runner.is_local:
                        self.say("connecting again" if connected else "connecting")
                    self.runner.open()
                    connected, pauses, lost = True, waits(), 0.0
                    return self.attempt()
                except LinkLost as error:
                    lost = lost or time.monotonic()
                    if not connected or time.monotonic() - lost > self.policy.patience:
                        raise
                    self.say(f"trying again: {error}")
                    self.stop.wait(next(pauses))
        except Refused:
            self.runner.stop()
            self.runner.restore()
            self.runner.discard(self.left)
            raise
        finally:
            self.runner.close()

    def say(self, text: str) -> None:
        """Tell the view what this device does now."""
        self.view.say(self.folder.name, text)

    def attempt(self) -> None:
        """From whatever state the device is in to its end, as long as the link holds."""
        if not self.runner.alive():
            self.prepare()
            if self.left and self.policy.start and self.starts < MAX_STARTS:
                self.starts += 1
                with self.gate:
                    self.runner.start([job for job in self.folder.wanted if job in self.left], self.say)
        if self.left and self.policy.watch:
            self.watch()
        if self.left and (self.policy.watch or not self.policy.start):
            self.sweep(self.left)
        self.end()

    def prepare(self) -> None:
        """Fetch what a runtime that went on without us has finished; clear away what is to be made again."""
        for line in self.runner.lines():  # its log lists which records there are, and their hashes
            if event := parse(line):
                self.take(event)
        self.sweep(self.left - self.again)
        if self.policy.start and (old := self.again | set(self.damaged)):
            self.runner.discard(old)
            self.again.clear()
            self.damaged.clear()

    def watch(self) -> None:
        """Follow the runtime's lines to its end, or until the user stops us."""
        for line in self.runner.lines():
            if self.stop.is_set():
                if self.stop.ends(self.runner.is_local):
                    self.say("stopping")
                    self.runner.stop()
                return
            if event := parse(line):
                self.view.event(self.folder.name, event)
                self.take(event)

    def take(self, event: Event) -> None:
        """Fetch the record that an event announces."""
        job, sha256 = event.get("job"), event.get("sha256")
        if event["event"] == "record" and isinstance(job, str) and job in self.left - self.again:
            self.hashes[job] = str(sha256)
            self.fetch(job)

    def sweep(self, jobs: set[str]) -> None:
        """Fetch whatever finished records are still there."""
        for job in sorted(jobs):
            self.fetch(job)

    def fetch(self, job: str) -> None:
        """Fetch, verify and store one record; a damaged one stays missing."""
        try:
            data = self.runner.read(job)
            if data is None:
                return
            self.folder.save(job, data, self.hashes.get(job))
        except (LinkLost, StoreFailed, Refused):
            raise
        except OrbitError as error:
            self.damaged[job] = str(error)
            return
        self.left.discard(job)
        self.damaged.pop(job, None)

    def end(self) -> None:
        """Leave a working board alone; restore one that has ended; clean up only where everything is here."""
        if self.left and self.runner.alive():
            self.say(f"left at work, {counted(len(self.left), 'record')} to come")
            return
        doubt = self.runner.doubt()  # before clocks are put back
        self.runner.restore()
        if not self.left:
            self.runner.clear()
            self.say("done")
        elif not self.stop.is_set():
            reason = next(iter(self.damaged.values()), None) or self.runner.exit_reason()
            raise OrbitError(
                f"{len(self.left)} of {counted(len(self.folder.wanted), 'record')} missing: {reason}"
            )
        if doubt:
            raise OrbitError(doubt)


def drive(followers: list[Follower], view: View, stop: Stop, ask: Callable[[], bool]) -> dict[str, str]:
    """Run all side by side; failed device -> what went wrong there.

    On KeyboardInterrupt the runtimes on this machine end first; then `ask` decides whether boards are to be
    stopped. It is raised again once all have let go.
    """
    problems: dict[str, str] = {}
    turns = {follower.runner.place: threading.Lock() for follower in followers}
    all_there = threading.Lock()

    def one(follower: Follower) -> None:
        name = follower.folder.name
        with all_there:
            pass  # one whose line nobody reads interrupts us: not while we start another's thread
        try:
            with turns[follower.runner.place]:
                follower.run()
        except OrbitError as error:
            problems[name] = str(error)
        except Exception as error:  # a bug on one board's path must not lose the other boards' records
            problems[name] = f"{type(error).__name__}: {first_line(error)}"
        if name in problems:
            view.say(name, f"failed: {problems[name]}")

    futures: dict[Future[None], Follower] = {}
    with ThreadPoolExecutor(len(followers), thread_name_prefix="board") as pool:
        try:
            with all_there:
                for follower in followers:
                    futures[pool.submit(one, follower)] = follower
            wait(futures)
        except KeyboardInterrupt:
            stop.set()
            wait([future for future, follower in futures.items() if follower.runner.is_local])
            stop.answer(ask())
            raise
    return problems
