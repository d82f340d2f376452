"""Records of runs, read: jobs, and what is left out with its reason.

The one place where a record is believed. Each is validated whole. Beyond a few hundred, processes share them.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, cast

from bench.record import backends, files, loads, schema
from bench.record.files import BadFileError
from bench.record.types import Json, Record
from orchestrate.analysis import forking, quick_json, quick_record, statistics, under_load
from orchestrate.analysis.job import MeasuredJob, Taken, build_all, inputs_of, take
from orchestrate.analysis.under_load import LoadedJob
from orchestrate.console import first_line, printable
from orchestrate.errors import BadInput

ALONE = 200  # records that one process reads as soon as others could be started
SHARE = 100  # records that a process reads before it passes them on
MOST_PROCESSES = 4
BATCH_RECORDS, BATCH_SAMPLES = 100, 200_000  # whose arithmetic is done together


class Excluded(NamedTuple):
    """A record that enters no table, no plot and no ratio, and why."""

    device: str
    job: str
    code: str
    reason: str
    run: str
    inputs: str = ""  # as `job.inputs_of`; '' where its record cannot be read


Found = MeasuredJob | LoadedJob | Excluded


class FileShare(NamedTuple):
    """Files of one folder of records, and the names of its device and its run."""

    folder: str
    names: Sequence[str]
    device: str
    run: str


@contextmanager
def begun(folders: Iterable[Path]) -> Iterator[Iterator[Found]]:
    """Yield a job for each valid record in the run folders, otherwise why not, in the order of the files.

    Where there are many, other processes read them from now on, and no longer than the block.
    BadInput where a folder is missing or holds no record.
    """
    shares = [share for folder in folders for share in _shares(folder)]
    few = sum(len(share.names) for share in shares) <= ALONE
    workers = 1 if few else min(MOST_PROCESSES, forking.cores())
    if workers == 1:
        yield (found for share in shares for found in read(share))
        return
    with _in_processes(shares, workers) as found:
        yield found


@contextmanager
def _in_processes(shares: Sequence[FileShare], workers: int) -> Iterator[Iterator[Found]]:
    import multiprocessing
    from concurrent.futures.process import ProcessPoolExecutor  # 30 ms that few need

    statistics.special_functions()  # before the fork: else every process loads them
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, context, initializer=forking.begin, initargs=(os.getpid(),)) as pool:
        try:
            yield _each(pool.map(read, shares))
        finally:
            pool.shutdown(cancel_futures=True)


def _each(answers: Iterator[list[Found]]) -> Iterator[Found]:
    from concurrent.futures.process import BrokenProcessPool

    try:
        for found in answers:
            yield from found
    except BrokenProcessPool:
        raise BadInput("a process that read records was killed; is there enough memory?") from None


def _shares(folder: Path) -> list[FileShare]:
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such run; `ls results` lists the runs that are here")
    run, found = folder.resolve().name, []
    for device in ("", *sorted(os.listdir(folder))):
        records = os.path.join(folder, device, "records")
        names = sorted(os.listdir(records)) if os.path.isdir(records) else []
        names = [name for name in names if name.endswith(".json")]
        parts = (names[start : start + SHARE] for start in range(0, len(names), SHARE))
        found += [FileShare(records, part, device or run, run) for part in parts]
    if not found:
        raise BadInput(
            f"{folder}: no records in it (DEVICE/records/*.json); has the run measured anything yet?"
        )
    return found


def read(share: FileShare) -> list[Found]:
    """Return a job for each valid record of a share, otherwise why not."""
    found: list[Found] = []
    batch: list[Taken] = []
    samples = 0
    for name in share.names:
        one = _one(share, name)
        if not isinstance(one, Taken):
            found.append(one)
            continue
        _share_parts(one, batch)
        batch.append(one)
        samples += sum(series.n for series in one.series)
        if len(batch) >= BATCH_RECORDS or samples >= BATCH_SAMPLES:
            found += _jobs(share, batch)
            batch, samples = [], 0
    return [*found, *_jobs(share, batch)]


def _one(share: FileShare, name: str) -> Taken | LoadedJob | Excluded:
    path = os.path.join(share.folder, name)
    try:
        record = _checked(path)
    except BadFileError as error:
        code = "contradictory" if isinstance(error, schema.ContradictionError) else "unreadable"
        device, named = printable(share.device), printable(name.removesuffix(".json"))
        return Excluded(device, named, code, first_line(error, 1000), share.run)
    job = record["job"]
    if refusal := _refusal(record):
        inputs = inputs_of(job["model"], job["batch"])
        return Excluded(record["device"], job["id"], *refusal, share.run, inputs)
    single = loads.of(job) == loads.SINGLE
    try:
        return take(record, name) if single else under_load.build(record, name)
    except ValueError as error:
        known = {"device": record["device"], "id": job["id"], "file": name}
        return _damaged(share, known, error)


def _checked(path: str) -> Record:
    """The record in a file; BadFileError where there is none that is sound."""
    data = files.read_bytes(path, files.MAX_BYTES)
    found = quick_record.parse(data)
    document = found or schema.check_document(quick_json.parse(data, path), path, "record", decode=None)
    return cast("Record", document)


def _refusal(record: Record) -> tuple[str, str] | None:
    """Why a record must not be used: code and sentence."""
    if record["status"] != "ok":
        error = record.get("error")
        said = filter(None, (error.get("message"), error.get("advice"))) if error else ()
        return record["status"], "; ".join(said) or "no reason given"
    reasons = record["validity"]["reasons"]
    first = {reason["code"]: reason["message"] for reason in reversed(reasons)}  # often one a process
    if problem := backends.label_problem(record["job"]):
        first["unsupported_precision"] = f"it is called {record['job']['precision']}, but {problem}"
    return (", ".join(sorted(first)), "; ".join(first[code] for code in sorted(first))) if first else None


def _share_parts(taken: Taken, batch: Sequence[Taken]) -> None:
    """Let a job have the objects of the one before where they are equal: less to keep and to pass on.

    `quick_record` has done so for nearly all; this is for records that it left to others.
    """
    for key in ("environment", "model") if batch else ():
        before = batch[-1].known[key]
        if taken.known[key] == before:
            taken.known[key] = before


def _jobs(share: FileShare, batch: Sequence[Taken]) -> Iterator[MeasuredJob | Excluded]:
    for taken, job in zip(batch, build_all(batch), strict=True):
        yield _damaged(share, taken.known, job) if isinstance(job, ValueError) else job


def _damaged(share: FileShare, job: Json, error: ValueError) -> Excluded:
    """job: its `device`, `id` and the name of its `file`."""
    reason = first_line(f"{os.path.join(share.folder, job['file'])}: {error}", 1000)
    return Excluded(job["device"], job["id"], "unreadable", reason, share.run)
