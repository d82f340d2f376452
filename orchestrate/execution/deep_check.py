"""`devices check --deep`: a known network measured on devices exactly as a run measures, in about a minute.

It is a run: the same plan, container settings, power settings and records. Its folder is a temporary one, one
process measures each precision, and whatever happens the board is left free.
"""

import shutil
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from rich.console import Console

from bench.work.signals import terminated_is_interrupted
from orchestrate.devices import Device
from orchestrate.doctor import deep
from orchestrate.doctor.checks import Check
from orchestrate.errors import Interrupted, OrbitError
from orchestrate.execution import progress
from orchestrate.execution import run as runs
from orchestrate.execution.follower import Follower, FollowPolicy, Runner, Stop, drive
from orchestrate.execution.settings import Settings
from orchestrate.runs import confined, plan
from orchestrate.runs.folder import Run, read_bundle

KNOWN = Path(__file__).parent / "known_network"  # a bundle; tests/known_network.py makes it again
MEASURE = {
    "processes": 1,
    "builds": 1,
    "repeats": 0,
    "min_samples": 20,
    "min_seconds": 0.5,
    "max_seconds": 3.0,
}
PATIENCE = 60.0  # s for a lost link


def examine(names: list[str], devices: Settings, console: Console) -> dict[str, list[Check]]:
    """Measure the known network on all devices of `names`, side by side; device -> verdicts.

    Raises Interrupted, with nothing left on the boards.
    """
    known = {name: devices.of(name) for name in names}
    with tempfile.TemporaryDirectory(prefix="orbitbench-check-") as place:
        run = _begin(Path(place), known)
        problems = _measure(run, devices, console)
        return {
            name: deep.judge(device, [*run.devices[name].stored()], problems.get(name))
            for name, device in known.items()
        }


def _begin(place: Path, known: Mapping[str, Device]) -> Run:
    """Return a run of the known network on the devices, its folder in `place`."""
    folder = place / "new"
    shutil.copytree(KNOWN, folder / "bundle")
    bundle = read_bundle(confined.Folder(folder / "bundle"))
    planned = plan.plan(bundle, known, runs.version(), {name: _brief(each) for name, each in known.items()})
    return runs.create(place, planned, folder)


def _brief(device: Device) -> Device:
    """Return the device measured shortly, with one number of threads, and no samples of the user's own."""
    options = {name: value for name, value in device.options.items() if name != "calibration"}
    return device.model_copy(
        update={
            "threads": device.threads[:1],
            "options": options,
            "measure": {**device.measure, **MEASURE},
        }
    )


def _measure(run: Run, devices: Settings, console: Console) -> dict[str, str]:
    """Bring every record here and free the boards; device -> what went wrong there."""
    stop, policy = Stop(), FollowPolicy(patience=PATIENCE)
    runners = {name: runs.runner_of(run, folder, devices) for name, folder in run.devices.items()}
    with run.held(), terminated_is_interrupted():
        try:
            with progress.view(console, [*runners]) as view:
                folders = run.devices.values()
                followers = [Follower(runners[f.name], f, view, stop, policy) for f in folders]
                problems = drive(followers, view, stop, lambda: True)
        except KeyboardInterrupt:
            left = {name: _free(runner) for name, runner in runners.items()}
            kept = "; ".join(f"{name} was not left free: {text}" for name, text in left.items() if text)
            raise Interrupted(f"interrupted; {kept or 'nothing is left on the devices'}") from None
    for name in problems:
        if text := _free(runners[name]):
            problems[name] += f"; it was not left free: {text}"
    return problems


def _free(runner: Runner) -> str:
    """Remove what a check has left on its device; return why that could not be done, or nothing."""
    try:
        with closing(runner):
            runner.open()
            runner.stop()
            runner.restore()
            runner.clear()
    except OrbitError as error:
        return str(error)
    return ""
