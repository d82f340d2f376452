"""A board's own side of a run: is it fit, what is it, and the commands that ready it and put it back.

What `prepare` changes is noted before (see `owed`), and the note goes only once `restore` has succeeded: this
user's next run on that board, after a crash or a lost link, finds the note and restores first.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from orchestrate.console import first_line
from orchestrate.devices import Device
from orchestrate.doctor import limits, probe
from orchestrate.engine import room
from orchestrate.engine.connection import Engine
from orchestrate.engine.errors import EngineError
from orchestrate.engine.image_store import ImageEngine
from orchestrate.errors import LinkLost, OrbitError
from orchestrate.execution import owed, power
from orchestrate.execution.board_commands import COMMAND_SECONDS, Commands

Say = Callable[[str], None]
WATCH_SECONDS = 60.0  # at least between two looks at a board that works
NOW = 0xF  # bits of get_throttled that speak of this moment


def image(engine: Engine, device: Device, say: Say) -> str:
    """Return the id of the device's image on its board; brought there first where images.yaml knows how."""
    name = str(device.image)
    with engine.patient() as client:
        there = ImageEngine(client, engine.host, free=partial(room.free_bytes, engine))
        if "/" in name or ":" in name:  # a full reference: somebody else has put it there
            return there.get(name).id
        from orchestrate.images import lockfile, ship
        from orchestrate.images.manifest import open_project

        project = open_project()
        return ship.ensure(project, name, there, lockfile.find(project.root), say).id


class Host:
    """The machine around the engine of the device called `name` among `known`, all of devices.yaml."""

    def __init__(self, engine: Engine, run: str, name: str, known: Mapping[str, Device]) -> None:
        self.engine, self.known, self.device = engine, known, known[name]
        self.commands = Commands(engine)
        self.power = power.Power(self.commands)
        self.note = owed.OwedRestore(name, self.device.host, run)
        self.throttled: int | None = None  # the firmware's bits when this run began
        self.seen = 0  # the bits of `now` that were set whenever it was asked since
        self.asked = 0.0  # when that was, on the monotonic clock

    def ready(self) -> dict[str, Any]:
        """Return facts for the records; OrbitError where the board does not meet the device's limits."""
        facts = self.facts()
        problems = limits.unmet(facts, self.device)
        if problems:
            raise OrbitError("; ".join(problems))
        self.throttled, self.asked = facts.throttled, time.monotonic()
        return {
            "throttled": facts.throttled,
            "model": first_line(facts.model, 200) if facts.model else None,
            "l4t": first_line(facts.l4t_text, 200) if facts.l4t_text else None,
            "emulated": self.device.emulated,
            "clock_ahead_seconds": None if facts.time is None else facts.time - int(time.time()),
        }

    def facts(self) -> probe.Facts:
        """Return what the machine reports of itself, as far as it does at once."""
        look = probe.brief(self.engine.info().root)
        return probe.facts(self.engine.run(["sh", "-s"], timeout=COMMAND_SECONDS, stdin=look).out)

    def watch(self) -> None:
        """Ask now and then whether the board is slowed down: its kernel clears what only was.

        A login costs the board some tenths of a second of one core, so only one that can report it is
        asked, and once a minute at most.
        """
        if self.throttled is None or time.monotonic() < self.asked + WATCH_SECONDS:
            return
        self.asked = time.monotonic()
        with contextlib.suppress(EngineError):
            self.seen |= (self.facts().throttled or 0) & NOW

    def doubt(self) -> str | None:
        """Return why this run's timings may be wrong although no record shows it: what the host alone can
        see."""
        try:
            bits = self.facts().throttled
        except EngineError:
            return None
        now, once = limits.throttling((bits or 0) | self.seen)
        _, before = limits.throttling(self.throttled or 0)
        if not now and set(once) <= set(before):
            return None
        slowed = ", ".join(dict.fromkeys([*now, *once]))
        since = "during the run" if self.throttled is not None else "during the run or before it"
        return f"the board slowed down {since} ({slowed}): mend that, then measure again with --retry all"

    def prepare(self, say: Say) -> dict[str, Any]:
        """Ready the board: power settings, then the device's own commands; facts about what is set now.

        What is to be undone is noted before anything changes; what a dead run left is undone first.
        """
        self.mend(say)
        device = self.device
        if device.power or device.prepare:
            say("preparing")
            before = self.power.save(device) if device.power else {}
            self.note = replace(self.note, power=device.power, before=before)
            owed.write(self.note)
        if device.power:
            self.power.set(device, say)
        for command in device.prepare:
            self.commands.run(command)
        return power.facts(self.power.look())

    def restore(self) -> None:
        """Run the restoring commands if this run owes them: all of them, however the first ones ended."""
        for note in owed.notes():
            if (note.name, note.run) == (self.note.name, self.note.run):
                self.settle(note)

    def mend(self, say: Say) -> None:
        """Restore this board for runs that could not: it is ours now, so none of them is at work on it."""
        for note in owed.notes():
            if note.host == self.device.host:
                say(f"restoring what {note.run} left behind")
                self.settle(note)

    def settle(self, note: owed.OwedRestore) -> None:
        """Run `restore` of a note's device as devices.yaml has it now; the note goes once all succeeded."""
        device = self.known.get(note.device)
        if device is None or device.host != note.host:
            raise OrbitError(
                f"run {note.run} changed this board as device {note.device}, whose `restore` is no longer in "
                "devices.yaml: put the entry back, so that it can be undone"
            )
        problems = []
        steps: list[Callable[[], object]] = [partial(self.commands.run, words) for words in device.restore]
        if note.power:
            steps.append(partial(self.power.restore, note.power, note.before))
        for step in steps:
            try:
                step()
            except LinkLost:
                raise
            except OrbitError as error:
                problems.append(str(error))
        if problems:
            raise OrbitError("; ".join(problems))
        owed.drop(note)
