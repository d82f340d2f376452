"""Transport `docker`: the job list runs in one container on a board, whose name is the board's lock.

    volume at /data:  jobs.json  bundle/...  out/parts/...  out/records/...

The container needs nobody to be connected. Nothing is removed before every record is here and verified; what
runs already, or is already on the board, is found by labels and hashes, so that every step may be repeated.
"""

import getpass
import json
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench.record.types import files_of
from orchestrate.console import first_line
from orchestrate.devices import Device
from orchestrate.engine import room
from orchestrate.engine.connection import Engine
from orchestrate.engine.container import DATA, Board, Spec
from orchestrate.engine.errors import BoardBusy, LockOwner, NotFound
from orchestrate.engine.log_stream import follow
from orchestrate.errors import LinkLost, OrbitError
from orchestrate.execution import board_setup
from orchestrate.quantities import counted
from orchestrate.runs import plan
from orchestrate.runs.folder import DeviceFolder, Run

Say = Callable[[str], None]
CHECK = "device-check"  # how the runs of `devices check --deep` end: nobody wants their records
STOP_SECONDS = 20  # a runtime that was asked to end has this long to write down what it has
FULL = 1_000_000  # bytes left on a disk that takes no record


def user_at_host() -> str:
    """Return who holds a board, as others will read it."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):
        return socket.gethostname()


class BoardRunner:
    """One device's job list in a container on its board."""

    is_local = False

    def __init__(
        self, run: Run, folder: DeviceFolder, known: Mapping[str, Device], break_lock: bool = False
    ) -> None:
        device = known[folder.name]
        self.run, self.folder, self.device, self.break_lock = run, folder, device, break_lock
        self.engine = Engine(
            device.host, logins=device.registry_logins or device.host is None, socket=device.socket
        )
        self.place = device.host or "this machine"
        self.board = Board(self.engine)
        self.host = board_setup.Host(self.engine, run.name, folder.name, known)
        self.volume = f"orbitbench-{run.name}-{folder.name}"
        self.mine = {
            "orbitbench.run": run.name,
            "orbitbench.device": folder.name,
            "orbitbench.plan": run.plan["hash"],
        }
        self.labels = {**self.mine, "orbitbench.by": user_at_host()}
        self.seen = 0  # lines of the container's log

    def open(self) -> None:
        """Connect, or connect again."""
        self.engine.open()

    def close(self) -> None:
        """Let go of the tunnel; the container goes on."""
        self.engine.close()

    # What is there

    def own_container(self) -> LockOwner | None:
        """Return our own container, None when there is none or it is another run's."""
        found = self.board.lock_owner()
        ours = found is not None and self.mine.items() <= dict(found.labels).items()
        return found if ours else None

    def alive(self) -> bool:
        """Return whether our container runs."""
        found = self.own_container()
        return found is not None and found.alive

    def lines(self) -> Iterator[bytes]:
        """Yield lines of the container's log that were not seen yet, to its end."""
        if self.own_container() is None:
            return
        for line in follow(self.board, seen=self.seen):
            self.seen += line is not None
            yield line or b""

    def read(self, job: str) -> bytes | None:
        """Return the record of `job`.

        Where only the volume is left, a container to read through is made first.
        """
        if self.own_container() is None and not self.reopen():
            return None
        try:
            found = self.board.fetch(f"{DATA}/out/records/{job}.json")
        except NotFound:
            return None
        self.host.watch()  # between two jobs, where it disturbs least
        return found

    def reopen(self) -> bool:
        """Make a container, never started, on a volume that lost its own; False where nothing is left."""
        if self.volume not in self.board.volumes("orbitbench.run") or self.board.lock_owner() is not None:
            return False
        self.board.create(self.spec(board_setup.image(self.engine, self.device, lambda _: None)))
        return True

    def exit_reason(self) -> str:
        """Return why the runtime ended, in one line."""
        try:
            state, output = self.board.state(), self.board.tail(lines=5)
        except NotFound:
            return "its container is gone from the board"
        if state.status == "lost":
            return "the board started again while it was at work"
        if state.out_of_memory:
            return "memory ran out on the board"
        if state.exit_code in (137, 143):
            return "its container was killed"
        words = [line for line in output.splitlines() if line.strip() and not line.startswith("{")]
        if words:
            return first_line(words[-1])
        free = room.free_bytes(self.engine)
        full = free is not None and free < FULL
        why = "; the board's disk is full: make room, then resume" if full else ""
        return f"the runtime ended with exit code {state.exit_code}{why}"

    def status(self) -> str:
        """Return the board's status of this run, in a few words."""
        found = self.board.lock_owner()
        if self.own_container() is not None and found is not None:
            return "at work" if found.alive else f"ended ({self.exit_reason()}), to be collected"
        if self.volume in self.board.volumes("orbitbench.run"):
            return "stopped, its records are still there"
        if found is not None:
            return f"held by run {first_line(found.labels.get('orbitbench.run', '?'), 80)}"
        return "free"

    def tail(self, lines: int) -> list[str]:
        """Return the last lines of the container's log."""
        return self.board.tail(lines=lines).splitlines() if self.own_container() is not None else []

    # What is done there

    def start(self, missing: list[str], say: Say) -> None:
        """Take the board, send it what it lacks, start; a board that cannot be made ready is let go again."""
        self.remove_finished_container()
        image = board_setup.image(self.engine, self.device, say)
        known = self.volume in self.board.volumes("orbitbench.run")
        self.board.create_volume(self.volume, self.labels)
        if self.device.keep_tactics:
            self.board.create_tactics(image)
        try:
            self.board.create(self.spec(image))
        except BoardBusy:
            if not known:  # refused: leave no trace
                self.board.remove_volume(self.volume)
            raise
        self.seen = 0
        try:
            facts = self.host.ready()
            self.send(missing, self.present(image) if known else {}, say)
            facts |= self.host.prepare(say)
            self.send_jobs(missing, {**facts, "image_digest": image})
            self.board.start()
        except LinkLost:
            raise
        except OrbitError:
            self.host.restore()
            self.board.remove()
            raise

    def remove_finished_container(self) -> None:
        """Remove our own container that has ended, a killed check's, and with --break-lock any dead one."""
        found = self.board.lock_owner()
        if found is None:
            return
        if self.own_container() is not None or (self.break_lock and not found.alive):
            self.board.remove()  # its volume, with all records, stays
        elif not found.alive and (run := found.labels.get("orbitbench.run", "")).endswith(f"-{CHECK}"):
            self.board.remove()
            self.board.remove_volume(f"orbitbench-{run}-{found.labels.get('orbitbench.device')}")

    def spec(self, image: str) -> Spec:
        """Return our container."""
        return Spec(
            image=image,
            command=(f"{DATA}/jobs.json", f"{DATA}/out"),
            volume=self.volume,
            labels=self.labels,
            runtime=self.device.runtime,
            gpus=self.device.gpus,
            memory=self.device.memory,
            emulated=self.device.emulated,
            keep_tactics=self.device.keep_tactics,
        )

    def present(self, image: str) -> dict[str, tuple[int, str]]:
        """Return what an earlier attempt has brought there: name -> (bytes, SHA-256)."""
        return self.board.hashes(self.volume, image, self.labels)

    def send(self, missing: list[str], there: dict[str, tuple[int, str]], say: Say) -> None:
        """Send what the board lacks of the models of the jobs in `missing`."""
        jobs = plan.restrict(self.folder.job_list(), missing, {})["jobs"]
        wanted = {part["file"]: part["sha256"] for job in jobs for part in files_of(job["model"])}
        lacking = [name for name, sha in wanted.items() if there.get(f"bundle/{name}", (0, ""))[1] != sha]
        files = {f"bundle/{name}": self.run.files.checked(f"bundle/{name}", wanted[name]) for name in lacking}
        total = sum(file.size for file in files.values())
        say(f"sending {len(lacking)} of {counted(len(wanted), 'file')}, {total / 1e6:.1f} MB")
        self.board.send(dict(files))

    def send_jobs(self, missing: list[str], facts: dict[str, Any]) -> None:
        """Send the job list with what is known of the board, its power settings as they are set now."""
        jobs = {**plan.restrict(self.folder.job_list(), missing, facts), "bundle": "bundle"}
        self.board.send({"jobs.json": json.dumps(jobs).encode()})

    def discard(self, jobs: set[str]) -> None:
        """Make jobs run again: what the board has of this run goes (all good records are here)."""
        if self.own_container() is not None:
            self.board.remove()
        self.board.remove_volume(self.volume)

    def stop(self) -> None:
        """End the container, keeping its volume."""
        if self.own_container() is not None:
            self.board.stop(grace=STOP_SECONDS)

    def restore(self) -> None:
        """Undo what `prepare` changed."""
        self.host.restore()

    def doubt(self) -> str | None:
        """Return why timings may be wrong although no record shows it."""
        return self.host.doubt()

    def clear(self) -> None:
        """Free the board: container and volume."""
        self.discard(set())
