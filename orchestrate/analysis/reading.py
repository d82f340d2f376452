"""Records of runs, read: jobs, and what is left out with its reason.

The one place where a record is believed. Each is validated whole. Beyond a few hundred, processes share them.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from bench.record import loads, schema
from bench.record.files import BadFileError
from bench.record.parent_process import die_with
from bench.record.types import Json
from orchestrate.analysis import forking, quick_json, under_load
from orchestrate.analysis.job import Job, build_all
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


Found = Job | LoadedJob | Excluded


class Share(NamedTuple):
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
def _in_processes(shares: Sequence[Share], workers: int) -> Iterator[Iterator[Found]]:
    import multiprocessing
    from concurrent.futures.process import ProcessPoolExecutor  # 30 ms that few need

    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, context, initializer=die_with, initargs=(os.getpid(),)) as pool:
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


def _shares(folder: Path) -> list[Share]:
    if not folder.is_dir():
        raise BadInput(f"{folder}: no such run; `ls results` lists the runs that are here")
    run, found = folder.resolve().name, []
    for device in ("", *sorted(os.listdir(folder))):
        records = os.path.join(folder, device, "records")
        names = sorted(os.listdir(records)) if os.path.isdir(records) else []
        names = [name for name in names if name.endswith(".json")]
        parts = (names[start : start + SHARE] for start in range(0, len(names), SHARE))
        found += [Share(records, part, device or run, run) for part in parts]
    if not found:
        raise BadInput(
            f"{folder}: no records in it (DEVICE/records/*.json); has the run measured anything yet?"
        )
    return found


def read(share: Share) -> list[Found]:
    """Return a job for each valid record of a share, otherwise why not."""
    found: list[Found] = []
    batch: list[_Valid] = []
    samples = 0
    for name in share.names:
        one = _one(share, name)
        if isinstance(one, Excluded):
            found.append(one)
        elif loads.of(one.record["job"]) != loads.SINGLE:
            found.append(_loaded(one))
        else:
            _share_parts(one.record, batch)
            batch.append(one)
            samples += sum(process["samples"]["n"] for process in one.record["latency"]["processes"])
        if len(batch) >= BATCH_RECORDS or samples >= BATCH_SAMPLES:
            found += _jobs(batch)
            batch, samples = [], 0
    return [*found, *_jobs(batch)]


class _Valid(NamedTuple):
    """A record that may count, its file, and what names it."""

    record: Json
    path: str
    where: Excluded


def _one(share: Share, name: str) -> _Valid | Excluded:
    path = os.path.join(share.folder, name)
    where = Excluded(printable(share.device), printable(name.removesuffix(".json")), "", "", share.run)
    try:
        record = schema.check_document(quick_json.read(path), path, "record", decode=None)
    except BadFileError as error:
        code = "contradictory" if isinstance(error, schema.ContradictionError) else "unreadable"
        return where._replace(code=code, reason=first_line(error, 1000))
    where = Excluded(record["device"], record["job"]["id"], *(_refusal(record) or ("", "")), share.run)
    return where if where.code else _Valid(record, path, where)


def _refusal(record: Json) -> tuple[str, str] | None:
    """Why a record must not be used: code and sentence."""
    if record["status"] != "ok":
        error = record.get("error") or {}
        return record["status"], "; ".join(
            filter(None, (error.get("message"), error.get("advice")))
        ) or "no reason given"
    reasons = record["validity"]["reasons"]
    first = {reason["code"]: reason["message"] for reason in reversed(reasons)}  # often one a process
    return (", ".join(sorted(first)), "; ".join(first[code] for code in sorted(first))) if first else None


def _share_parts(record: Json, batch: Sequence[_Valid]) -> None:
    """Let the record have the objects of the one before where they are equal: less to keep and to pass on."""
    if batch:
        before = batch[-1].record
        if record["environment"] == before["environment"]:
            record["environment"] = before["environment"]
        if record["job"]["model"] == before["job"]["model"]:
            record["job"]["model"] = before["job"]["model"]


def _jobs(batch: Sequence[_Valid]) -> Iterator[Job | Excluded]:
    found = build_all([(valid.record, os.path.basename(valid.path)) for valid in batch])
    for valid, job in zip(batch, found, strict=True):
        yield _damaged(valid, job) if isinstance(job, ValueError) else job


def _loaded(valid: _Valid) -> LoadedJob | Excluded:
    try:
        return under_load.build(valid.record, os.path.basename(valid.path))
    except ValueError as error:
        return _damaged(valid, error)


def _damaged(valid: _Valid, error: ValueError) -> Excluded:
    return valid.where._replace(code="unreadable", reason=first_line(f"{valid.path}: {error}", 1000))
