"""Which job of one run is compared with which of another: by device and id, own files by their names."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from orchestrate.analysis.job import Job
from orchestrate.analysis.reading import Excluded
from orchestrate.analysis.records import Study
from orchestrate.analysis.under_load import LoadedJob
from orchestrate.errors import BadInput, listed

AnyJob = Job | LoadedJob
Key = tuple[str, str]  # device, job
OWN = re.compile(r"onnx-(.+)-[0-9a-f]{8}(--.*)")  # `bench export` names files of one's own so


def is_own(job: str) -> bool:
    """Return whether a job is on a file of one's own, by its id."""
    return OWN.fullmatch(job) is not None


def own_name(job: str) -> str:
    """Return the id of a job on a file of one's own without the file's hash, so that its versions pair."""
    return OWN.sub(r"onnx-\1\2", job)


def jobs_of(study: Study) -> dict[Key, AnyJob]:
    """Return the valid jobs of a study, also those under load."""
    jobs: list[AnyJob] = [*study.jobs, *study.loaded]
    return {(job.device, job.id): job for job in jobs}


def rename_devices(study: Study, devices: Mapping[str, str], names: Iterable[str]) -> Study:
    """Return the first run with its devices under the names that they have in the second, one of `names`.

    A device that another one takes the name of is called `NAME (before)`. BadInput for an unknown one.
    """
    known, names = {device for device, _ in jobs_of(study)}, {*names}
    if unknown := sorted(devices.keys() - known):
        raise BadInput(
            f"--device-map: no valid record of device {unknown[0]!r} before; known: {listed(known)}"
        )
    if unknown := sorted({*devices.values()} - names):
        raise BadInput(f"--device-map: no record of device {unknown[0]!r} after; known: {listed(names)}")
    if not devices:
        return study
    taken = {**{each: f"{each} (before)" for each in devices.values()}, **devices}
    jobs = (replace(job, device=taken.get(job.device, job.device)) for job in study.jobs)
    loaded = (replace(job, device=taken.get(job.device, job.device)) for job in study.loaded)
    return replace(study, jobs=tuple(jobs), loaded=tuple(loaded))


def check_names(names: Mapping[str, str], before: Iterable[Key], after: Iterable[Key]) -> None:
    """Refuse a name that no file of one's own has in its run."""
    for which, given, keys in (("first", names.keys(), before), ("second", names.values(), after)):
        known = {found[1] for _, job in keys if (found := OWN.fullmatch(job))}
        if unknown := sorted({*given} - known):
            raise BadInput(
                f"--name: no file is called {unknown[0]!r} in the {which} run; files: {listed(known)}"
            )


def _called(job: str, names: Mapping[str, str]) -> str:
    """`own_name`, with the name in the second run."""
    return OWN.sub(lambda found: f"onnx-{names.get(found[1], found[1])}{found[2]}", job)


def pair(
    before: dict[Key, AnyJob], after: dict[Key, AnyJob], names: Mapping[str, str]
) -> tuple[dict[Key, AnyJob], dict[Key, str]]:
    """Return `after` with each changed file of one's own under the name it had before; those, in words.

    Only where one file of that name is alone on either side: two of one name are not guessed apart.
    """
    groups: list[dict[Key, list[Key]]] = [defaultdict(list), defaultdict(list)]
    alone = before.keys() - after.keys(), after.keys() - before.keys()
    for side, keys, renamed_to in zip(groups, alone, (names, dict[str, str]()), strict=True):
        for device, job in keys:
            if OWN.fullmatch(job):
                side[device, _called(job, renamed_to)].append((device, job))
    found, changed = dict(after), {}
    for name in sorted(groups[0].keys() & groups[1].keys()):
        (old, *more), (new, *others) = groups[0][name], groups[1][name]
        if more or others:
            continue
        found[old] = found.pop(new)
        hashes = [job.model["sha256"][:12] for job in (before[old], found[old])]
        changed[old] = f"{name[0]}, {name[1]}: the file has changed ({hashes[0]} -> {hashes[1]})"
    return found, changed


def lost_jobs(
    before: Mapping[Key, AnyJob],
    after: Iterable[Key],
    failed: Mapping[Key, Excluded],
    names: Mapping[str, str],
) -> dict[Key, str]:
    """Return the jobs of the first run that failed in the second, with the reason; own files by name."""
    gone = before.keys() - {*after}
    found = {key: failed[key].reason for key in gone & failed.keys()}
    again = {(device, own_name(job)): each for (device, job), each in failed.items() if is_own(job)}
    for device, job in gone - found.keys():
        if is_own(job) and (other := again.get((device, _called(job, names)))):
            found[device, job] = f"as another file ({other.job.partition('--')[0]}): {other.reason}"
    return found
