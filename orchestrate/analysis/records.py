"""The records of one or several runs, read and merged.

Whatever is left out is listed with its reason, never dropped.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bench.record import loaders, loads, schema
from bench.record.files import BadFileError
from orchestrate.analysis import accuracy, collector, reading, setups
from orchestrate.analysis.job import MeasuredJob, stated_of
from orchestrate.analysis.reading import Excluded
from orchestrate.analysis.setups import J
from orchestrate.analysis.under_load import LoadedJob
from orchestrate.console import own_command
from orchestrate.quantities import number

RULE = (
    "the newest valid record of a job on a device counts, in each setup of its own, by the ids of the runs; "
    "older ones are listed"
)
ONE_JOB = attrgetter("device", "id", *setups.NAMED, "setup")
RUN_TIME = re.compile(r"\d{8}-\d{6}(?=-|$)")


class Missing(NamedTuple):
    """A model that nobody could make, or whose accuracy nobody knows, and the command that changes this."""

    model: str
    what: str
    reason: str
    command: str


@dataclass(frozen=True)
class Study:
    """What a report is made of. `replaced`, `conflicts`: what merging several runs did."""

    runs: tuple[str, ...]
    jobs: tuple[MeasuredJob, ...]
    excluded: tuple[Excluded, ...]
    missing: tuple[Missing, ...]
    replaced: tuple[Excluded, ...]
    conflicts: tuple[str, ...]
    loaded: tuple[LoadedJob, ...] = ()  # of load offline and paced, which no figure pools with `jobs`

    def counting(self) -> list[MeasuredJob | LoadedJob]:
        """Return all that count, whatever the load."""
        return [*self.jobs, *self.loaded]


@collector.paused()
def read(run_dirs: Iterable[Path]) -> Study:
    """Return the study in `run_dirs`. BadInput where a folder is missing or holds no record."""
    with begun(run_dirs) as study:
        return study()


@contextmanager
def begun(run_dirs: Iterable[Path]) -> Iterator[Callable[[], Study]]:
    """Yield `read` as a call; of many records other processes read on while the block does something else."""
    folders = [Path(folder) for folder in run_dirs]
    with reading.begun(folders) as found:
        yield lambda: _study(folders, found)


def _study(folders: Sequence[Path], records: Iterable[reading.Found]) -> Study:
    jobs: list[MeasuredJob] = []
    loaded: list[LoadedJob] = []
    excluded: list[Excluded] = []
    for found in records:
        if isinstance(found, MeasuredJob):
            jobs.append(found)
        elif isinstance(found, LoadedJob):
            loaded.append(found)
        else:
            excluded.append(found)
    valid: list[MeasuredJob | LoadedJob] = [*jobs, *loaded]
    every, apart = setups.separated(valid)
    kept, replaced, conflicts = merge(job for job in every if isinstance(job, MeasuredJob))
    kept_loaded, replaced_loaded, unlike = merge(job for job in every if isinstance(job, LoadedJob))
    return Study(
        runs=tuple(sorted({folder.resolve().name for folder in folders})), jobs=tuple(kept),
        excluded=tuple(sorted(excluded)), missing=tuple(_missing(folders, kept)),
        replaced=tuple(replaced + replaced_loaded), conflicts=tuple(apart + conflicts + unlike),
        loaded=tuple(kept_loaded),
    )  # fmt: skip


def merge(jobs: Iterable[J]) -> tuple[list[J], list[Excluded], list[str]]:
    """Return one job of each device, id and setup: the newest, by the ids of the runs.

    jobs: as `setups.separated` names them, so that no record replaces one of another setup. Also what was
    replaced, and jobs of one name that are not alike.
    """
    groups: dict[tuple[Any, ...], list[J]] = defaultdict(list)
    for job in jobs:
        groups[ONE_JOB(job)].append(job)
    kept, replaced, conflicts = [], [], []
    clocks: dict[str, None] = {}  # what is said once of two runs on a device
    for key in sorted(groups):
        *older, newest = sorted(groups[key], key=when) if len(groups[key]) > 1 else groups[key]
        kept.append(newest)
        for job in older:
            reason = f"replaced by the newer record of run {newest.run}"
            replaced.append(Excluded(job.device, job.id, "replaced", reason, job.run))
            conflicts += [f"{job.device}, {job.id}: {text}" for text in _unlike(job, newest)]
            clocks |= dict.fromkeys(_of_clock(job, newest))
    return kept, replaced, [*clocks, *conflicts]


def when(job: MeasuredJob | LoadedJob) -> tuple[str, ...]:
    """Return when a record was made. The run's id is of the host's clock, `started` of the board's.

    A board without a battery begins in 1970. Runs of other names are ordered by `started`.
    """
    id_of_time = RUN_TIME.match(job.run)
    when = id_of_time[0] if id_of_time else re.sub("[-:]", "", job.started[:19]).replace("T", "-")
    return when, job.started, job.run, job.file


def _of_clock(older: MeasuredJob | LoadedJob, newer: MeasuredJob | LoadedJob) -> Iterator[str]:
    """Whether the board's clock contradicts which of two runs is newer."""
    if older.started > newer.started:
        yield (
            f"{older.device}: by the board's clock run {newer.run} ({newer.started[:10]}) was before run "
            f"{older.run} ({older.started[:10]}); the runs' ids decide which is newer"
        )


def _unlike(older: MeasuredJob | LoadedJob, newer: MeasuredJob | LoadedJob) -> list[str]:
    """What makes two records of one job incomparable, both values named."""
    reasons = []
    if older.model["sha256"] != newer.model["sha256"]:
        reasons.append(f"not the same ONNX file ({older.model['sha256'][:12]} in {older.run}, "
                    f"{newer.model['sha256'][:12]} in {newer.run})")  # fmt: skip
    lows, highs = (min(older.p50s), min(newer.p50s)), (max(older.p50s), max(newer.p50s))
    if lows[0] > highs[1] or lows[1] > highs[0]:
        shift = float(np.median(newer.p50s)) / float(np.median(older.p50s))
        offline = isinstance(newer, LoadedJob) and newer.load == loads.OFFLINE
        times = f"{number(shift)} times"
        moved = f"has {times} the throughput" if offline else f"is {times} as long"
        reasons.append(f"the newer run {moved}, beyond the spread of its processes")
    return reasons


def _missing(folders: Iterable[Path], jobs: Iterable[MeasuredJob]) -> list[Missing]:
    """Models that the bundle skipped or refused, and accuracies that are not known."""
    found = {}
    for folder in folders:
        for path in sorted(folder.rglob("bundle.json")):
            for skipped in _absent(path):
                command = own_command(skipped.get("command") or "")
                found[skipped["id"], "model"] = Missing(skipped["id"], "model", skipped["reason"], command)
    for job in jobs:
        if job.model.get("architecture") and not (job.accuracy or job.model.get("accuracy")):
            name = job.model["id"]
            makes = loaders.command(f"bench train {name}", job.model.get("dataset") or "")
            found[name, "accuracy"] = Missing(name, "accuracy", "nobody has measured it", makes)
        elif job.model.get("architecture") and not job.accuracy and (of := stated_of(job)):
            advice = accuracy.measure_it(job.model.get("dataset") or "")
            what = f"accuracy in {job.precision}"
            reason = f"known of the {of} network alone" + (f": {advice}" if advice else "")
            found[job.model["id"], what] = Missing(job.model["id"], what, reason, "")
    return [found[key] for key in sorted(found)]


def _absent(path: Path) -> list[dict[str, Any]]:
    """What a bundle lacks; nothing where it cannot be read, which the run itself reports."""
    try:
        bundle = schema.load(str(path), "bundle")
    except BadFileError:
        return []
    refused = [{"id": each["file"], "reason": each["reason"]} for each in bundle.get("refused", [])]
    return [*bundle.get("skipped", []), *refused]
