"""A run on its devices, side by side: start or attach, follow, store records as they come, clean up last."""

import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Protocol

from orchestrate.errors import OrbitError
from orchestrate.live import Event, View, parse
from orchestrate.store import DeviceFolder, first_line


class Runner(Protocol):
    """Where one device's job list runs: a process here, or a container on a board."""

    def alive(self) -> bool:
        """Whether the runtime of this run is at work there."""

    def start(self, missing: list[str]) -> None:
        """Start the runtime on the jobs in `missing`."""

    def lines(self) -> Iterator[bytes]:
        """The runtime's lines from its beginning to its end, with an empty one at least every second."""

    def ready(self) -> Iterable[str]:
        """Ids of the jobs that have left a record there."""

    def read(self, job: str) -> bytes | None:
        """The record of `job`, None where there is none."""

    def discard(self, job: str) -> None:
        """Remove a damaged record, so that the job runs again."""

    def why(self) -> str:
        """Why the runtime ended, in one line."""

    def stop(self) -> None:
        """End the runtime, keeping what it has written."""

    def clear(self) -> None:
        """Remove all that the run has put there."""

    def close(self) -> None:
        """Let go of connections."""


class Stop(threading.Event):
    """Set by Ctrl-C. `boards`: end the runtimes as well, rather than leave them at work."""

    boards = False


class Follower:
    """Brings one device's missing records here. Whatever happens, what is stored stays stored."""

    def __init__(self, runner: Runner, folder: DeviceFolder, view: View, stop: Stop) -> None:
        self.runner, self.folder, self.view, self.stop = runner, folder, view, stop
        self.left = set(folder.missing())
        self.hashes: dict[str, str] = {}  # job -> SHA-256 that the runtime announced
        self.damaged: dict[str, str] = {}  # job -> what is wrong with its record

    def run(self) -> None:
        """Until every record is here, the runtime has ended or the user stops us; OrbitError if one lacks."""
        if not self.left:
            return
        if not self.runner.alive():
            self.sweep()  # a run that went on after we died has finished records waiting
            for job in self.damaged:
                self.runner.discard(job)
            self.damaged.clear()
            if self.left:
                self.runner.start([job for job in self.folder.wanted if job in self.left])
        if self.left:
            self.watch()
            self.sweep()
        self.end()

    def watch(self) -> None:
        """Follow the runtime's lines to its end, or until the user stops us."""
        for line in self.runner.lines():
            if self.stop.is_set():
                if self.stop.boards:
                    self.view.say(self.folder.name, "stopping")
                    self.runner.stop()
                return
            event = parse(line) if line else None
            if event is not None:
                self.view.event(self.folder.name, event)
                self.take(event)

    def take(self, event: Event) -> None:
        """Fetch the record that an event announces."""
        job, sha256 = event.get("job"), event.get("sha256")
        if event["event"] == "record" and job in self.left:
            self.hashes[job] = str(sha256)
            self.fetch(job)

    def sweep(self) -> None:
        """Fetch whatever finished records are still there."""
        for job in set(self.runner.ready()) & self.left:
            self.fetch(job)

    def fetch(self, job: str) -> None:
        """Fetch, verify and store one record; a damaged one stays missing."""
        data = self.runner.read(job)
        if data is None:
            return
        try:
            self.folder.save(job, data, self.hashes.get(job))
        except OrbitError as error:
            self.damaged[job] = str(error)
            return
        self.left.discard(job)
        self.damaged.pop(job, None)

    def end(self) -> None:
        """Clean up where everything is here; say what is missing where not."""
        if not self.left:
            self.runner.clear()
            self.view.say(self.folder.name, "done")
        elif not self.stop.is_set():
            reason = next(iter(self.damaged.values()), None) or self.runner.why()
            raise OrbitError(f"{len(self.left)} of {len(self.folder.wanted)} records missing: {reason}")


def drive(
    folders: Iterable[DeviceFolder],
    runner_of: Callable[[DeviceFolder], Runner],
    view: View,
    stop: Stop,
    at_once: int,
) -> dict[str, str]:
    """Follow every device, `at_once` of them side by side; failed device -> what went wrong there."""
    problems: dict[str, str] = {}

    def one(folder: DeviceFolder) -> None:
        try:
            if stop.is_set():
                return
            runner = runner_of(folder)
            try:
                Follower(runner, folder, view, stop).run()
            finally:
                runner.close()
        except OrbitError as error:
            problems[folder.name] = str(error)
        except OSError as error:  # disk full, results folder gone: this device's trouble, never another's
            problems[folder.name] = first_line(error)
        except Exception as error:  # a bug on one board's path must not lose the other boards' records
            problems[folder.name] = f"{type(error).__name__}: {first_line(error)}"
        if folder.name in problems:
            view.say(folder.name, f"failed: {problems[folder.name]}")

    with ThreadPoolExecutor(at_once, thread_name_prefix="board") as pool:
        futures = [pool.submit(one, folder) for folder in folders]
        try:
            while wait(futures, timeout=1.0).not_done:
                pass
        except KeyboardInterrupt:
            stop.set()
            raise
    return problems
