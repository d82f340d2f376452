"""A board's own side of a run: is it fit, what is it, and the commands that ready it and put it back.

What `prepare` changes is noted in DEVICE/prepared.json before, and the note goes only once `restore` has
succeeded: whoever starts next on that board, after a crash or a lost link, finds the note and restores first.
"""

import json
import shlex
import time
from collections.abc import Callable
from typing import Any

from bench.record import files
from orchestrate.engine.connection import Engine
from orchestrate.engine.images import ImageEngine
from orchestrate.errors import OrbitError
from orchestrate.manifests import Device
from orchestrate.store import DeviceFolder, first_line

Say = Callable[[str], None]
COMMAND_SECONDS = 60
NOTE = "prepared.json"

# Constant text; the engine's folder comes as $1. One line a fact: `name value`.
FACTS = r"""
printf 'model %s\n' "$(tr -d '\0' 2>/dev/null </proc/device-tree/model)"
printf 'l4t %s\n' "$(head -n 1 /etc/nv_tegra_release 2>/dev/null)"
printf 'time %s\n' "$(date +%s)"
awk '/^MemAvailable:/ {printf "memory %.0f\n", $2 * 1024}' /proc/meminfo
df -Pk "$1" 2>/dev/null | awk 'END {if (NR > 1) printf "disk %.0f\n", $4 * 1024}'
for zone in /sys/class/thermal/thermal_zone*; do
  case "$(cat "$zone/type" 2>/dev/null)" in PMIC*) continue ;; esac
  echo "temperature $(cat "$zone/temp" 2>/dev/null)"
done
true
"""


def image(engine: Engine, device: Device, say: Say) -> str:
    """The id of the device's image on its board; brought there first where images.yaml knows how."""
    name = str(device.image)
    with engine.patient() as client:
        there = ImageEngine(client, engine.host)
        if "/" in name or ":" in name:  # a full reference: somebody else has put it there
            return there.get(name).id
        from orchestrate.images import ship
        from orchestrate.images.manifest import open_project
        from orchestrate.images.use import LOCK

        project = open_project()
        return ship.ensure(project, name, there, project.root / LOCK, say).id


class Host:
    """The machine around a device's engine."""

    def __init__(self, engine: Engine, folder: DeviceFolder, device: Device) -> None:
        self.engine, self.folder, self.device = engine, folder, device
        self.note = folder.path / NOTE

    def ready(self) -> dict[str, Any]:
        """Facts for the records; OrbitError where the board does not meet the device's limits."""
        facts = self.facts()
        problems = unfit(facts, self.device)
        if problems:
            raise OrbitError("; ".join(problems))
        return {
            "model": facts.get("model") or None,
            "l4t": facts.get("l4t") or None,
            "power_mode": self.device.power_mode,
            "emulated": self.device.emulated,
            "clock_ahead_seconds": facts.get("ahead"),
        }

    def facts(self) -> dict[str, Any]:
        """What the machine says of itself, as far as it does. Bytes, degrees Celsius, seconds."""
        script = ["sh", "-c", FACTS, "sh", self.engine.info().root]
        found: dict[str, Any] = {}
        for line in self.engine.run(script, timeout=COMMAND_SECONDS).out.splitlines():
            name, _, value = line.partition(" ")
            if name in ("model", "l4t"):
                found[name] = first_line(value, 200) if value.strip() else ""
            elif value.lstrip("-").isdigit():
                found[name] = max(int(value), found.get(name, int(value)))  # of many zones the hottest
        if "time" in found:
            found["ahead"] = found.pop("time") - int(time.time())
        if "temperature" in found:
            found["temperature"] /= 1000
        return found

    def prepare(self, say: Say) -> None:
        """Note what is to be undone, then run the device's commands; first undo what a dead run left."""
        self.mend(say)
        if not self.device.prepare:
            return
        files.write_json(str(self.note), {"host": self.device.host, "restore": self.device.restore})
        say("preparing")
        for command in self.device.prepare:
            self.command(command)

    def restore(self) -> None:
        """Run the restoring commands if any are owed: all of them, whatever the first ones said."""
        if self.note.exists():
            self.settle(self.note)

    def mend(self, say: Say) -> None:
        """Restore this board for runs that could not: it is ours now, so none of them is at work on it."""
        for note in self.folder.path.parents[1].glob(f"*/*/{NOTE}"):
            if json.loads(note.read_bytes())["host"] == self.device.host:
                say(f"restoring what {note.parts[-3]} left behind")
                self.settle(note)

    def settle(self, note: Any) -> None:
        """Run the commands that a note owes; it goes once all have succeeded."""
        problems = []
        for command in json.loads(note.read_bytes())["restore"]:
            try:
                self.command(command)
            except OrbitError as error:
                problems.append(str(error))
        if problems:
            raise OrbitError("; ".join(problems))
        note.unlink()

    def command(self, words: list[str]) -> None:
        """Run one argument list on the board; OrbitError with what it said when it fails."""
        done = self.engine.run(words, timeout=COMMAND_SECONDS)
        if done.code:
            said = first_line(done.err.strip() or done.out.strip() or "it said nothing", 200)
            raise OrbitError(f"`{shlex.join(words)}` failed with code {done.code}: {said}")


def unfit(facts: dict[str, Any], device: Device) -> list[str]:
    """Which of the device's limits the board does not meet; what is unknown is not held against it."""
    limits, problems = device.limits, []
    if facts.get("temperature", 0) > limits.max_temperature:
        warm = f"{facts['temperature']:.0f} °C, more than {limits.max_temperature:g}"
        problems.append(f"too hot ({warm}): let it cool, or raise max_temperature of its limits")
    for name, least, advice in (
        ("memory", limits.min_free_memory, "stop what else runs there"),
        ("disk", limits.min_free_disk, "`docker system prune` there frees some"),
    ):
        if facts.get(name, least) < least:
            free = f"{facts[name] / 1e6:.0f} MB, less than {least / 1e6:.0f} MB"
            problems.append(
                f"too little free {name} ({free}): {advice}, or lower min_free_{name} of its limits"
            )
    return problems
