"""Two runs of the same jobs: what moved beyond noise, and what changed around them.

Each figure of each job is compared over fresh processes (Student's t on logarithms, as
`statistics.of_ratio`), and over all jobs of a device at once, where a small change of all shows.
Testing many figures finds some by chance: Benjamini and Hochberg's procedure keeps the expected share of
false alarms among the changes reported at 5%, and the chance of any alarm at 5% where nothing changed. A
change also has to exceed a threshold to be reported. Processes of one run cannot know what differs from day
to day: repeat both runs before you blame a commit.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.record import loads
from bench.record.facts import unlike, value_of
from orchestrate.analysis import memory, setups, statistics, under_load
from orchestrate.analysis.job import flat
from orchestrate.analysis.reading import Excluded
from orchestrate.analysis.records import Study
from orchestrate.analysis.same_jobs import (
    AnyJob,
    Key,
    changed_files,
    check_own_names,
    failed_of,
    jobs_of,
    lost_jobs,
    nothing_valid,
    pair,
    records_of,
    rename_devices,
)
from orchestrate.analysis.table import headlines, row
from orchestrate.analysis.under_load import LoadedJob
from orchestrate.errors import BadInput, listed

Measured = dict[str, tuple[float, Sequence[float]]]  # figure -> as tables have it, and of each process
RATE = 0.05
FIGURES = {
    "latency": "latency",
    "memory": memory.PROCESS,
    "peak": memory.PEAK,
    "load": "load",
    "first inference": "first",
    "time to steady": "steady",
}
MOVING = ("spans", "self_test", "sensors")  # facts that differ from process to process
COLD = {"cold load": "cold_load", "cold first inference": "cold_first", "cold time to steady": "cold_steady"}
# Load -> figure -> column: names of their own, so that no mean over jobs mixes them with a single stream's.
LOADED = {
    loads.OFFLINE: {"throughput": "throughput"},
    loads.PACED: {"paced latency": "latency", "response": "response"},
}
MORE_IS_BETTER = ("throughput",)
ALL = "all jobs"
REGRESSION, IMPROVEMENT, SAME = "regression", "improvement", "no change shown"
UNKNOWN = "not known"  # of one process or build a side nobody knows how far two of one build are apart


@dataclass(frozen=True)
class Change:
    """One figure of one job (or of all jobs of a device) in B relative to A; base units.

    p, adjusted: NaN where it is UNKNOWN.
    """

    device: str
    job: str
    figure: str
    before: float
    after: float
    ratio: statistics.Estimate
    p: float
    adjusted: float = 1.0
    verdict: str = SAME


@dataclass(frozen=True)
class RunComparison:
    """All changes, what could not be compared, and what differs around the runs."""

    changes: tuple[Change, ...]
    figures: tuple[dict[str, Any], ...]  # device, job, and its headlines before and after
    lost: tuple[str, ...]
    alone: tuple[str, ...]
    unlike: tuple[str, ...]
    paired: tuple[str, ...]  # own files that are compared though the file has changed
    environment: tuple[tuple[str, str, str, str], ...]
    threshold: float

    @property
    def regressions(self) -> list[Change]:
        """The changes for the worse."""
        return self.of(REGRESSION)

    @property
    def decided(self) -> bool:
        """Whether anything is known of any figure."""
        return len(self.of(UNKNOWN)) < len(self.changes)

    def of(self, verdict: str) -> list[Change]:
        """Return the changes of that verdict."""
        return [change for change in self.changes if change.verdict == verdict]


def compare(
    a: Study,
    b: Study,
    threshold: float = 0.01,
    devices: Mapping[str, str] | None = None,
    names: Mapping[str, str] | None = None,
) -> RunComparison:
    """Return what moved from `a` to `b`; `threshold` is the smallest relative change that is reported.

    `devices`: device of `a` -> the device of `b` that it is compared with. Files of one's own are paired by
    the names of their files, or by `names` (name in `a` -> name in `b`). BadInput where the runs have
    nothing in common.
    """
    names, failed = names or {}, failed_of(b)
    _need_records(a)
    if not failed:
        _need_records(b)
    a = rename_devices(a, devices or {}, {device for device, _ in records_of(b)})
    before, there = jobs_of(a), (records_of(a), records_of(b))
    check_own_names(names, *there)
    changed = changed_files(*there, names)
    after, paired = pair(before, jobs_of(b), changed)
    both = sorted(before.keys() & after.keys())
    lost = lost_jobs(before, after, failed, changed)
    if not both and not lost:
        why = nothing_valid(a, b, changed, names) or _nothing_common(*there)
        raise BadInput(f"nothing to compare: {why}")
    changes = [each for key in both for each in _changes(key, _measured(before[key]), _measured(after[key]))]
    changes += _overall(changes)
    return RunComparison(
        changes=tuple(_judged(changes, threshold)),
        figures=tuple(_figures(key, before[key], after[key]) for key in both),
        lost=tuple(f"{d}, {j}: {lost[d, j]}" for d, j in sorted(lost)),
        alone=(*_alone(before, after, lost), *_failed_alone(failed, failed_of(a), lost, changed)),
        unlike=tuple(_unlike(before, after, [key for key in both if key not in paired])),
        paired=tuple(paired.values()),
        environment=(*_environment(a, b), *_options(before, after, both)),
        threshold=threshold,
    )


def _figures(key: Key, before: AnyJob, after: AnyJob) -> dict[str, object]:
    device, job = key
    return {"device": device, "job": job, "before": _headlines(before), "after": _headlines(after)}


def _need_records(study: Study) -> None:
    if not jobs_of(study):
        raise BadInput(f"no valid record in {', '.join(study.runs)}: `orchestrate report` shows why")


def _unlike(before: dict[Key, AnyJob], after: dict[Key, AnyJob], both: Sequence[Key]) -> Iterator[str]:
    """Name the jobs whose model is another file than before."""
    for device, job in both:
        if before[device, job].model["sha256"] != after[device, job].model["sha256"]:
            yield f"{device}, {job}: not the same ONNX file"


def _headlines(job: AnyJob) -> dict[str, float | None]:
    return under_load.headlines(job) if isinstance(job, LoadedJob) else headlines(row(job))


def _nothing_common(before: Iterable[Key], after: Iterable[Key]) -> str:
    devices = [{device for device, _ in keys} for keys in (before, after)]
    if not devices[0] & devices[1]:
        return (
            f"the runs have no device in common ({listed(devices[0])}; {listed(devices[1])}): "
            "--device-map BEFORE=AFTER pairs two"
        )
    return "the runs have no model, backend, precision, threads and load in common"


def _measured(job: AnyJob) -> Measured:
    """The figures of a job that are compared: those whose processes all have a positive value."""
    if isinstance(job, LoadedJob):
        names = LOADED[job.load]
        found = {name: (float(job.figures[key]), job.of_processes[key]) for name, key in names.items()}
    else:
        columns, of_process = row(job), {"latency": job.p50s, **job.memory}
        cold = {name: key for name, key in COLD.items() if len(getattr(job, key)) > 1}
        values = {
            name: of_process[key] if key in of_process else getattr(job, key, ())
            for name, key in {**FIGURES, **cold}.items()
        }
        found = {name: (columns[{**FIGURES, **COLD}[name]], each) for name, each in values.items()}
    return {name: each for name, each in found.items() if each[1] and all(value > 0 for value in each[1])}


def _changes(key: Key, before: Measured, after: Measured) -> Iterator[Change]:
    """The figures of two jobs as every table has them; their ratio from the logarithms of the processes."""
    for figure in before:
        if figure in after:
            (old, x), (new, y) = before[figure], after[figure]
            yield Change(*key, figure, old, new, statistics.of_ratio(y, x), statistics.difference(y, x).p)


def _overall(changes: list[Change]) -> list[Change]:
    """The mean change of a figure over all jobs of a device, where there are three jobs or more."""
    groups: dict[tuple[str, str], list[Change]] = defaultdict(list)
    for change in changes:
        groups[change.device, change.figure].append(change)
    found = []
    for (device, figure), members in sorted(groups.items()):
        ratio = statistics.of_pairs([change.ratio.value for change in members])
        if ratio.known:
            before, after = (
                float(np.exp(np.log([getattr(c, at) for c in members]).mean())) for at in ("before", "after")
            )
            p = _one_sample([math.log(change.ratio.value) for change in members])
            found.append(Change(device, ALL, figure, before, after, ratio, p))
    return found


def _one_sample(logs: list[float]) -> float:
    """Two-sided p of a mean of zero, by Student's t."""
    values = np.asarray(logs)
    error = float(values.std(ddof=1)) / math.sqrt(len(values))
    return statistics.p_value(float(values.mean()), error, len(values) - 1)


def _judged(changes: list[Change], threshold: float) -> Iterator[Change]:
    for change, p in zip(changes, statistics.adjust_p_values([change.p for change in changes]), strict=True):
        yield replace(change, adjusted=p, verdict=UNKNOWN if math.isnan(p) else _known(change, p, threshold))


def _known(change: Change, p: float, threshold: float) -> str:
    shift = change.ratio.value - 1
    if p >= RATE or abs(shift) < threshold:
        return SAME
    worse = shift < 0 if change.figure in MORE_IS_BETTER else shift > 0
    return REGRESSION if worse else IMPROVEMENT


def _alone(before: dict[Key, AnyJob], after: dict[Key, AnyJob], lost: Mapping[Key, str]) -> Iterator[str]:
    for key in sorted(before.keys() ^ after.keys()):
        if key not in lost:
            side = "the first" if key in before else "the second"
            yield f"{key[0]}, {key[1]}: a valid record in {side} run only"


def _failed_alone(
    failed: Mapping[Key, Excluded],
    failed_before: Mapping[Key, Excluded],
    lost: Mapping[Key, str],
    changed: Mapping[Key, Key],
) -> Iterator[str]:
    """Name the jobs that failed in the second run alone and are no known job of the first."""
    known = {changed.get(key, key) for key in (*failed_before, *lost)}
    for device, job in sorted(failed.keys() - known):
        yield f"{device}, {job}: failed in the second run only: {failed[device, job].reason}"


def _environment(a: Study, b: Study) -> Iterator[tuple[str, str, str, str]]:
    """(device, fact, before, after) for every fact that is not the same in both."""
    seen = [_facts(study) for study in (a, b)]
    for device in sorted(seen[0].keys() & seen[1].keys()):
        old, new = seen[0][device], seen[1][device]
        for fact in sorted(old.keys() | new.keys()):
            values = ["; ".join(sorted(side.get(fact, {"-"}))) for side in (old, new)]
            if values[0] != values[1]:
                yield device, fact, values[0], values[1]


def _options(
    before: dict[Key, AnyJob], after: dict[Key, AnyJob], both: Sequence[Key]
) -> list[tuple[str, str, str, str]]:
    """The same for how the compared jobs were told to run: their backend's options, and the arithmetic."""
    found: dict[tuple[str, str], tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for key in both:
        jobs = before[key], after[key]
        told = [{"arithmetic": job.precision, **setups.of_options(job.options)} for job in jobs]
        for fact in unlike(told):
            for side, of in zip(found[key[0], f"{jobs[1].backend} {fact}"], told, strict=True):
                side.add(value_of(of, fact))
    return [
        (*fact, "; ".join(sorted(old)), "; ".join(sorted(new))) for fact, (old, new) in sorted(found.items())
    ]


def _facts(study: Study) -> dict[str, dict[str, set[str]]]:
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for job in jobs_of(study).values():
        for fact, value in flat({key: facts for key, facts in job.environment.items() if key not in MOVING}):
            found[job.device][fact].add(value)
    return found
