"""Which job of one run is compared with which of another: by device and id, own files by their names.

Files of one name pair only where an inference takes the same: eight images at once are another job.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from orchestrate.analysis.job import MeasuredJob, inputs_of
from orchestrate.analysis.reading import Excluded
from orchestrate.analysis.records import Study
from orchestrate.analysis.under_load import LoadedJob
from orchestrate.errors import BadInput, listed

AnyJob = MeasuredJob | LoadedJob
Key = tuple[str, str]  # device, job
OWN = re.compile(r"onnx-(.+)-[0-9a-f]{8}(--.*)")  # `bench export` names files of one's own so


def is_own(job: str) -> bool:
    """Return whether a job is on a file of one's own, by its id."""
    return OWN.fullmatch(job) is not None


def own_name(job: str) -> str:
    """Return the id of a job on a file of one's own without the file's hash, so that its versions pair."""
    return OWN.sub(r"onnx-\1\2", job)


def file_names(models: Iterable[str]) -> dict[str, str]:
    """Return what each model is called, by its id: files of one's own by name, any other as it is.

    Several files of one name are distinguished by their hashes: `net (0123abcd)`.
    """
    found = {model: OWN.fullmatch(f"{model}--") for model in dict.fromkeys(models)}
    known = Counter(own[1] for own in found.values() if own)
    return {
        model: model if not own else own[1] if known[own[1]] == 1 else f"{own[1]} ({model[-8:]})"
        for model, own in found.items()
    }


def jobs_of(study: Study) -> dict[Key, AnyJob]:
    """Return the valid jobs of a study, also those under load."""
    jobs: list[AnyJob] = [*study.jobs, *study.loaded]
    return {(job.device, job.id): job for job in jobs}


def records_of(study: Study) -> dict[Key, str]:
    """Return all jobs of which a study has a record, valid or not, each with its `inputs_of`.

    '' where its record cannot be read.
    """
    found = {(each.device, each.job): each.inputs for each in study.excluded}
    return found | {key: _inputs(job) for key, job in jobs_of(study).items()}


def _inputs(job: AnyJob) -> str:
    batch = job.figures["batch"] if isinstance(job, LoadedJob) else job.batch
    return inputs_of(job.model, batch)


def failed_of(study: Study) -> dict[Key, Excluded]:
    """Return the failed jobs of a study."""
    return {(each.device, each.job): each for each in study.excluded if each.code == "failed"}


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
    excluded = (each._replace(device=taken.get(each.device, each.device)) for each in study.excluded)
    return replace(study, jobs=tuple(jobs), loaded=tuple(loaded), excluded=tuple(excluded))


def check_own_names(names: Mapping[str, str], before: Iterable[Key], after: Iterable[Key]) -> None:
    """Refuse a name that no file of one's own has in its run; `before`, `after`: `records_of` the runs."""
    for which, given, keys in (("first", names.keys(), before), ("second", names.values(), after)):
        known = {found[1] for _, job in keys if (found := OWN.fullmatch(job))}
        if unknown := sorted({*given} - known):
            raise BadInput(
                f"--name: no file is called {unknown[0]!r} in the {which} run; files: {listed(known)}"
            )


def _called(job: str, names: Mapping[str, str]) -> str:
    """`own_name`, with the name in the second run."""
    return OWN.sub(lambda found: f"onnx-{names.get(found[1], found[1])}{found[2]}", job)


def changed_files(
    before: Mapping[Key, str], after: Mapping[Key, str], names: Mapping[str, str]
) -> dict[Key, Key]:
    """Return the jobs on own files that have changed: as in the first run -> as in the second.

    before, after: `records_of` the runs. Only where one file of a name is alone on either side, valid or not:
    two of one name are not guessed apart, unless an inference of one takes what that of the other does not.
    """
    groups: dict[Key, tuple[list[Key], list[Key]]] = defaultdict(lambda: ([], []))
    for side, keys, renamed_to in ((0, before.keys() - after, names), (1, after.keys() - before, {})):
        for device, job in keys:
            if is_own(job):
                groups[device, _called(job, renamed_to)][side].append((device, job))
    pairs = (alike for sides in groups.values() for alike in _alike(sides, (before, after)))
    return {old[0]: new[0] for old, new in pairs if len(old) == len(new) == 1}


def _alike(
    sides: tuple[list[Key], list[Key]], inputs: tuple[Mapping[Key, str], Mapping[Key, str]]
) -> Iterator[tuple[list[Key], list[Key]]]:
    """The jobs of either side by what an inference takes; all together where that of any is unknown."""
    taken = [{key: known[key] for key in side} for side, known in zip(sides, inputs, strict=True)]
    distinct = {each for side in taken for each in side.values()}
    if "" in distinct:
        yield sides
        return
    for each in distinct:
        old, new = ([key for key, known in side.items() if known == each] for side in taken)
        yield old, new


def pair(
    before: Mapping[Key, AnyJob], after: Mapping[Key, AnyJob], changed: Mapping[Key, Key]
) -> tuple[dict[Key, AnyJob], dict[Key, str]]:
    """Return `after` with each of `changed_files` under the name it had before; those, in words."""
    found, described = dict(after), {}
    for old, new in sorted(changed.items()):
        if old in before and new in after:
            found[old] = found.pop(new)
            hashes = [job.model["sha256"][:12] for job in (before[old], found[old])]
            name = f"{new[0]}, {own_name(new[1])}"
            described[old] = f"{name}: the file has changed ({hashes[0]} -> {hashes[1]})"
    return found, described


def lost_jobs(
    before: Mapping[Key, AnyJob],
    after: Mapping[Key, AnyJob],
    failed: Mapping[Key, Excluded],
    changed: Mapping[Key, Key],
) -> dict[Key, str]:
    """Return the jobs of the first run that failed in the second, with the reason."""
    found = {}
    for old in before.keys() - after.keys():
        new = changed.get(old, old)
        if new in failed:
            other = "" if new == old else f"as another file ({new[1].partition('--')[0]}): "
            found[old] = other + failed[new].reason
    return found


def nothing_valid(a: Study, b: Study, changed: Mapping[Key, Key], names: Mapping[str, str]) -> str | None:
    """Return why no job of one run meets its own in the other, where a record of it is in both."""
    valid, there = (jobs_of(a), jobs_of(b)), records_of(b)
    for old in sorted(records_of(a)):
        new = changed.get(old, old)
        if new in there and (old in valid[0]) != (new in valid[1]):
            (device, job), run = (new, b) if old in valid[0] else (old, a)
            return (
                f"no valid record of {job} on {device} in {listed(run.runs)}: `orchestrate report` shows why"
            )
    called: dict[Key, set[str]] = defaultdict(set)
    for (device, job), inputs in there.items():
        called[device, own_name(job)].add(inputs)
    for (device, job), measured in sorted(valid[0].items()):
        name, inputs = _called(job, names), _inputs(measured)
        if others := called.get((device, name)):
            file = name.partition("--")[0].removeprefix("onnx-")
            if not {inputs, ""} & others:
                took = f"{inputs} before, {'; '.join(sorted(others))} after"
                return f"an inference of {file!r} is not the same in both runs ({took})"
            return (
                f"several files are called {file!r}, and which is which is not known: "
                "`orchestrate run --name FILE=NAME` gives each a name"
            )
    return None
