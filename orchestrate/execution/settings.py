"""What a run's devices are today. A run's folder may be a colleague's: host, commands, image and options come
from the user's own devices.yaml, and what the plan holds of them is only compared with it."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from orchestrate import device_files
from orchestrate.console import first_line
from orchestrate.devices import Device
from orchestrate.errors import BadInput, listed
from orchestrate.runs.folder import Run

# What a job measures: one run measures one thing, so these are never taken from anywhere but both.
MEASURED = ("backend", "options")


class Settings:
    """The devices.yaml of this command; read when it is first asked, as a report needs none."""

    def __init__(self, manifest: Path | None = None, trust: bool = False) -> None:
        self.manifest, self.trust = manifest, trust
        self._known: Mapping[str, Device] | None = None

    @property
    def known(self) -> Mapping[str, Device]:
        """Every device of devices.yaml."""
        if self._known is None:
            self._known = device_files.known(self.manifest)
        return self._known

    def of(self, name: str) -> Device:
        """Return the device called `name` as devices.yaml has it; BadInput where it has none."""
        if name not in self.known:
            source = device_files.named(self.manifest)
            advice = "add it there, or name another file with --devices"
            raise BadInput(f"device {name} of this run is not in {source} ({listed(self.known)}): {advice}")
        return self.known[name]

    def confirm(self, run: Run, names: Iterable[str], starts: bool = True) -> None:
        """Refuse a run that was planned with other settings than today's, unless it is trusted all the same.

        starts: jobs may be started, so that what they measure must be what devices.yaml has, trusted or not.
        """
        for name in names:
            found = differences(run, name, self.of(name))
            fixed = [text for key, text in found.items() if key in MEASURED]
            if fixed and starts:
                advice = "put that into devices.yaml, or begin a new run"
                raise BadInput(f"{run.id} was planned for another {name} ({'; '.join(fixed)}): {advice}")
            if found and not self.trust:
                advice = "devices.yaml counts; if that is what you want, add --trust-run"
                raise BadInput(
                    f"{run.id} was planned for another {name} ({'; '.join(found.values())}): {advice}"
                )


def differences(run: Run, name: str, present: Device) -> dict[str, str]:
    """Return setting -> how the plan and today's entry differ, in words. A description changes nothing."""
    before = Device.model_validate(run.plan["devices"][name]["settings"]).model_dump(mode="json")
    today = present.model_dump(mode="json")
    found = {
        key: _words(key, before[key], value)
        for key, value in today.items()
        if key != "description" and before[key] != value
    }
    for job in run.devices[name].planned.values():  # a stranger's job list need not follow his own plan
        swept = run.plan["devices"][name].get("swept") or today  # what the command line asked for instead
        precisions = {*swept["precisions"], job["model"].get("precision")}  # an int8 file runs as what it is
        for key, value, holds in (
            ("backend", job["backend"], job["backend"] == present.backend),
            ("options", job.get("options", {}), job.get("options", {}) == present.options),
            (
                "precisions",
                job["precision"],
                job["precision"] in precisions,
            ),
            ("threads", job["threads"], job["threads"] in swept["threads"]),
        ):
            if not holds:
                found.setdefault(key, _words(key, value, today[key]))
    return found


def _words(key: str, planned: object, present: object) -> str:
    """Return `host: planned "a", devices.yaml has "b"`."""
    sides = [first_line(json.dumps(side), 120) for side in (planned, present)]
    return f"{key}: planned {sides[0]}, devices.yaml has {sides[1]}"
