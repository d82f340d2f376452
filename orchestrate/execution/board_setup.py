"""A board's own side of a run: is it fit, what is it, and the commands that ready it and put it back.

What `prepare` changes is noted before (see `owed`), and the note goes only once `restore` has succeeded: this
user's next run on that board, after a crash or a lost link, finds the note and restores first.
"""

import shlex
import time
from collections.abc import Callable, Mapping
from typing import Any

from orchestrate.console import first_line
from orchestrate.devices import Device
from orchestrate.doctor import probe
from orchestrate.engine.connection import Engine
from orchestrate.engine.image_store import ImageEngine
from orchestrate.errors import OrbitError
from orchestrate.execution import owed

Say = Callable[[str], None]
COMMAND_SECONDS = 60


def image(engine: Engine, device: Device, say: Say) -> str:
    """The id of the device's image on its board; brought there first where images.yaml knows how."""
    name = str(device.image)
    with engine.patient() as client:
        there = ImageEngine(client, engine.host)
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
        self.note = owed.Note(name, self.device.host, run)

    def ready(self) -> dict[str, Any]:
        """Facts for the records; OrbitError where the board does not meet the device's limits."""
        facts = self.facts()
        problems = unfit(facts, self.device)
        if problems:
            raise OrbitError("; ".join(problems))
        return {
            "model": first_line(facts.model, 200) if facts.model else None,
            "l4t": first_line(facts.l4t_text, 200) if facts.l4t_text else None,
            "power_mode": self.device.power_mode,
            "emulated": self.device.emulated,
            "clock_ahead_seconds": None if facts.time is None else facts.time - int(time.time()),
        }

    def facts(self) -> probe.Facts:
        """What the machine says of itself, as far as it does at once."""
        look = probe.brief(self.engine.info().root)
        return probe.facts(self.engine.run(["sh", "-s"], timeout=COMMAND_SECONDS, stdin=look).out)

    def prepare(self, say: Say) -> None:
        """Note what is to be undone, then run the device's commands; first undo what a dead run left."""
        self.mend(say)
        if not self.device.prepare:
            return
        owed.write(self.note)
        say("preparing")
        for command in self.device.prepare:
            self.command(command)

    def restore(self) -> None:
        """Run the restoring commands if this run owes them: all of them, whatever the first ones said."""
        if self.note in owed.notes():
            self.settle(self.note)

    def mend(self, say: Say) -> None:
        """Restore this board for runs that could not: it is ours now, so none of them is at work on it."""
        for note in owed.notes():
            if note.host == self.device.host:
                say(f"restoring what {note.run} left behind")
                self.settle(note)

    def settle(self, note: owed.Note) -> None:
        """Run `restore` of a note's device as devices.yaml has it now; the note goes once all succeeded."""
        device = self.known.get(note.device)
        if device is None or device.host != note.host:
            raise OrbitError(
                f"run {note.run} changed this board as device {note.device}, whose `restore` is no longer in "
                "devices.yaml: put the entry back, so that it can be undone"
            )
        problems = []
        for command in device.restore:
            try:
                self.command(command)
            except OrbitError as error:
                problems.append(str(error))
        if problems:
            raise OrbitError("; ".join(problems))
        owed.drop(note)

    def command(self, words: list[str]) -> None:
        """Run one argument list on the board; OrbitError with what it said when it fails."""
        done = self.engine.run(words, timeout=COMMAND_SECONDS)
        if done.code:
            said = first_line(done.err.strip() or done.out.strip() or "it said nothing", 200)
            raise OrbitError(f"`{shlex.join(words)}` failed with code {done.code}: {said}")


def unfit(facts: probe.Facts, device: Device) -> list[str]:
    """Which of the device's limits the board does not meet; what is unknown is not held against it."""
    limits, problems = device.limits, []
    if facts.temperature is not None and facts.temperature > limits.max_temperature:
        warm = f"{facts.temperature:.0f} °C, more than {limits.max_temperature:g}"
        problems.append(f"too hot ({warm}): let it cool, or raise max_temperature of its limits")
    for name, free, least, advice in (
        ("memory", facts.memory_available, limits.min_free_memory, "stop what else runs there"),
        ("disk", facts.disk_free, limits.min_free_disk, "`docker system prune` there frees some"),
    ):
        if free is not None and free < least:
            short = f"{free / 1e6:.0f} MB, less than {least / 1e6:.0f} MB"
            problems.append(
                f"too little free {name} ({short}): {advice}, or lower min_free_{name} of its limits"
            )
    return problems
