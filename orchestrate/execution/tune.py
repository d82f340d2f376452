"""A tuning: parts of networks and whole ones measured against a reference, and a profile made of them.

Each stage is an ordinary run in a folder of its own, so that a tuning has what runs have: boards, progress,
resuming. The second stage is chosen by the workshop (`bench cost design --after`) where the first one's fit
is poor. Killed, the same command goes on: finished stages are found by the hash of their plans.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from bench.errors import InputError
from bench.record import facts, files
from bench.record.bundle import Bundle
from bench.record.types import Json, Record
from bench.work import writable_paths
from bench.work.signals import terminated_is_interrupted
from orchestrate.analysis import setups, turns
from orchestrate.console import make_console
from orchestrate.errors import BadInput, OrbitError, Refused, listed
from orchestrate.execution import process_runner
from orchestrate.execution.follower import FollowPolicy
from orchestrate.execution.options import RunOptions
from orchestrate.execution.own_words import Sweep
from orchestrate.execution.run import announce, begin, bundle_of, execute, resolve, version
from orchestrate.execution.settings import Settings
from orchestrate.quantities import counted
from orchestrate.runs.folder import Run, newest_of_plan

LEAST, MOST = 16, 200
ALL_STAGES = 60  # measurements from which later stages pay
AGAIN = 2  # times that doubtful measurements are repeated
DOUBTFUL = 0.03  # relative standard error of a ratio
UNFIT = ("fake_backend", "wrong_output")  # reasons for which turns count as little


@dataclass(frozen=True)
class TuneStage:
    """How much one run measures: parts, whole networks, and networks measured before that surprise most."""

    parts: int = 0
    networks: int = 0
    again: int = 0

    def words(self, number: int, measured: Path) -> list[str]:
        """Return the options of `bench cost design`. measured: what the stages before have left."""
        counts = ["--parts", str(self.parts), "--networks", str(self.networks), "--again", str(self.again)]
        return [*counts, "--seed", str(number + 1), *(["--after", str(measured)] if number else [])]


@dataclass(frozen=True)
class Tuning:
    """What the command line asked for."""

    device: str
    measurements: int
    out: Path
    results: Path
    sweep: Sweep
    manifest: Path | None = None

    def stages(self) -> list[TuneStage]:
        """Two thirds networks, a seventh parts chosen by the first fit, then what surprises most again."""
        networks = max(4, 2 * self.measurements // 3)
        if self.measurements < ALL_STAGES:
            return [TuneStage(parts=self.measurements - networks, networks=networks)]
        later, again = self.measurements // 7, self.measurements // 20
        parts = self.measurements - networks - later - again
        return [TuneStage(parts=parts, networks=networks), TuneStage(parts=later), TuneStage(again=again)]


def main(wanted: Tuning, as_json: bool = False) -> int:
    """Measure what is missing, fit, write the profile; the exit code."""
    console = make_console(stderr=as_json)
    folder = wanted.results / "tuning" / wanted.device
    path = folder / "measurements.json"
    measured: Json = {}
    with terminated_is_interrupted(), time_spent(folder / "spent.json") as spent:
        for number, each in enumerate(wanted.stages()):
            run = _stage(wanted, folder, each.words(number, path), measured, console)
            measured = join_measurements(measured, run, spent())
            files.write_json(str(path), measured)
        fitted = workshop("fit", str(path), "--out", str(wanted.out), "--json")
    profile = {**json.loads(fitted), "measurements": len(measured["measurements"])}
    folder.rename(folder.with_name(f"{folder.name}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"))
    if as_json:
        print(json.dumps({**profile, "emulated": measured.get("emulated")}))
    else:
        console.print("\n".join(_summary(profile, measured)), highlight=False, soft_wrap=True)
    return 0


@contextmanager
def time_spent(path: Path) -> Iterator[Callable[[], float]]:
    """Yield a clock (s) that goes on where it was when the tuning was interrupted; a file keeps what it read.

    It is read once more at the end.
    """
    before, began = 0.0, time.monotonic()
    with suppress(files.BadFileError, TypeError, ValueError, KeyError):
        before = max(0.0, float(files.read_json(str(path))["seconds"]))

    def spent() -> float:
        seconds = before + time.monotonic() - began
        if path.parent.is_dir():
            files.write_json(str(path), {"seconds": round(seconds, 1)})
        return seconds

    try:
        yield spent
    finally:
        spent()


def _summary(profile: Json, measured: Json) -> Iterator[str]:
    """Yield what a person reads at the end."""
    yield f"profile {profile['profile']}: {counted(profile['measurements'], 'measurement')}"
    yield from profile["quality"]
    if measured.get("emulated"):
        yield f"the CPU is emulated ({measured['emulated']}): for tests only, it enters no verdict"
    yield "ask it: bench cost predict ARCH -d DATASET --widths N,N,... --profile " + profile["profile"]


def _stage(wanted: Tuning, folder: Path, design: list[str], before: Json, console: Console) -> Run:
    """Return the finished run of one stage: found, gone on with, or begun. before: of the stages before."""

    def make(options: RunOptions, out: Path, held: int) -> Bundle:
        workshop("design", "--out", str(out), *design, held=held)
        return bundle_of(out)

    options = RunOptions(
        devices=[wanted.device],
        sweep=wanted.sweep,
        results=folder,
        manifest=wanted.manifest,
        resume_last=True,
    )
    run = begin(options, console, make, newest_of_plan)
    announce(run, console, wanted.manifest)
    keep_environment(run, before)
    _bring(run, wanted, console)
    for _ in range(AGAIN):
        if not (again := _doubtful(run)):
            break
        console.print(f"measuring {len(again)} again, whose turns disagree: the machine was disturbed")
        _bring(run, wanted, console, again)
    return run


def keep_environment(run: Run, before: Json) -> None:
    """Have a run refuse what is measured in another environment than its records and `before`.

    So the first such record ends it; Refused where two of them differ already.
    """
    [folder] = run.devices.values()
    known = dict(before)

    def accept(record: Record) -> None:
        if fit_to_use(record):
            known["environment"] = environment_of([record], known, folder.path.parents[1])

    for record in folder.stored():
        accept(record)
    folder.accept = accept


def _bring(run: Run, wanted: Tuning, console: Console, again: Sequence[str] = ()) -> None:
    """Measure what the run lacks, and the jobs in `again`; OrbitError where a device failed."""
    problems = execute(run, Settings(wanted.manifest), console, FollowPolicy(), replaced=again)
    if problems:
        raise OrbitError(f"{'; '.join(problems.values())}; the same command goes on with what is measured")


def _doubtful(run: Run) -> list[str]:
    """Return jobs whose turns disagree too much: something else came and went while they ran.

    Not what was repeated AGAIN times, now or before a tuning was gone on with. On an emulated CPU all
    disagree, and nothing of it counts: none is worth the time.
    """
    [folder] = run.devices.values()
    repeated = folder.times_replaced()
    found = (record["job"]["id"] for record in folder.stored() if is_doubtful(record))
    return [job for job in found if repeated[job] < AGAIN]


def is_doubtful(record: Record) -> bool:
    """Return whether a record's turns count, and disagree too much."""
    emulated = record["environment"].get("emulated")
    return fit_to_use(record) and not emulated and turns.doubt(record) > DOUBTFUL


def join_measurements(before: Json, run: Run, seconds: float) -> Json:
    """Return the measurements so far with those of `run`, which replace older ones of the same network."""
    [folder] = run.devices.values()
    records = [record for record in folder.stored() if fit_to_use(record)]
    if not records and before:
        return before  # a later stage refines the first one
    if not records:
        failed = next((r["error"]["message"] for r in folder.stored() if r["error"]), "nothing was measured")
        raise OrbitError(f"no measurement of {folder.name} can be used: {failed}")
    return {
        "schema": 1,
        "name": folder.name,
        "environment": environment_of(records, before, folder.path.parents[1]),
        "emulated": _emulator(records[0]),
        "reference_seconds": turns.reference_seconds(records),
        "measured": time.strftime("%Y-%m-%d", time.gmtime()),
        "orbitbench": version(),
        **before,
        "tuning_seconds": round(seconds, 1),
        "measurements": latest([*before.get("measurements", []), *map(turns.measurement, records)]),
    }


def environment_of(records: Sequence[Record], before: Json, kept: Path) -> Json:
    """Return the one environment that all was measured in; Refused names what changed in between."""
    found = [setups.environment(record) for record in records]
    first = before.get("environment", found[0])
    for each in found:
        if changed := facts.differences(first, each, "then"):
            raise Refused(
                f"the device changed while it was tuned: {'; '.join(changed)}; "
                f"put that back, or remove {kept} to begin again"
            )
    return dict(first)


def _emulator(record: Record) -> str | None:
    """The emulator's name; records of orbitbench 0.1 have none where devices.yaml stated it."""
    found = record["environment"].get("emulated")
    return "an emulator" if found is True else found or None


def latest(measurements: Sequence[Json]) -> list[Json]:
    """One measurement of each network or part, in their order: the last one."""
    names = ("architecture", "dataset", "part")
    found = {(*(m[name] for name in names), *m["widths"]): m for m in measurements}
    return list(found.values())


def fit_to_use(record: Record) -> bool:
    """Return whether a record holds turns that count.

    A busy or emulated machine spoils other figures only.
    """
    reasons = {reason["code"] for reason in record["validity"]["reasons"]}
    return record["status"] == "ok" and bool(turns.pairs(record)) and not reasons & set(UNFIT)


def check(wanted: Tuning) -> None:
    """Refuse what cannot be tuned, before anything is done."""
    if not LEAST <= wanted.measurements <= MOST:
        raise BadInput(f"--measurements {wanted.measurements}: give a whole number from {LEAST} to {MOST}")
    devices = resolve(RunOptions(devices=[wanted.device], manifest=wanted.manifest))
    if [*devices] != [wanted.device]:
        raise BadInput(f"--device {wanted.device!r}: a profile is of one device; known: {listed(devices)}")
    swept = wanted.sweep.devices(devices)[wanted.device]
    for option, given in (("--threads", swept.threads), ("--precision", swept.precisions)):
        if len(given) > 1:
            raise BadInput(
                f"a profile is of one configuration, {wanted.device} has {', '.join(map(str, given))}: "
                f"choose one with {option}"
            )
    try:
        writable_paths.manifest("--out", wanted.out)
    except InputError as error:
        raise BadInput(str(error)) from None


def workshop(*arguments: str, held: int | None = None) -> str:
    """Return what `bench cost` prints; its errors are for the user, its exit code is for us."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.cli", "cost", *arguments],
        env=process_runner.environment(),
        stdout=subprocess.PIPE,
        pass_fds=[held] if held is not None else [],
        text=True,
        check=False,
    )
    if done.returncode == 2:
        raise BadInput("nothing was tuned: see above")
    if done.returncode:
        raise OrbitError(f"bench cost {arguments[0]} ended with code {done.returncode}: see above")
    return done.stdout
