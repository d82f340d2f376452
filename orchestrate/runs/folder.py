"""The results folder: the only state there is. Written whole or not at all; file names show what is missing.

results/RUN/plan.json  bundle/  DEVICE/jobs.json  DEVICE/records/JOB.json
"""

import fcntl
import hashlib
import os
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import cast

from bench.errors import did_you_mean
from bench.record import checks, files, schema
from bench.record.bundle import Bundle
from bench.record.types import Job, Json, Record
from orchestrate.console import first_line
from orchestrate.errors import BadInput, Busy, OrbitError, StoreFailed, listed
from orchestrate.runs import confined, plan
from orchestrate.runs.types import JobList

SCHEMA = 1
LATEST = "latest"  # what a user may call the newest run


def _read_json(folder: confined.Folder, name: str, kind: str) -> Json:
    """Return the JSON object in the file `name`, of `kind` and of a known schema version."""
    path = folder.path(name)
    try:
        value = files.parse_json(folder.read(name), str(path))
    except FileNotFoundError:
        raise BadInput(f"{path} is missing") from None
    except files.BadFileError as error:
        raise BadInput(first_line(error)) from None
    if not isinstance(value, dict) or value.get("kind") != kind:
        raise BadInput(f"{path} is not an {kind} file")
    if value.get("schema") != SCHEMA:
        version = checks.shown(value.get("schema"))
        raise BadInput(f"{path} has schema {version}; this program reads {SCHEMA}: update orbitbench")
    return value


def read_bundle(folder: confined.Folder) -> Bundle:
    """Return the bundle in `folder`, as `bench export` has just written it."""
    return cast(Bundle, _read_json(folder, "bundle.json", "orbitbench.bundle"))


def _damaged(path: Path, found: Sequence[checks.Problem]) -> BadInput:
    """Return the message for a file of a run that is not as `orchestrate run` wrote it."""
    first = first_line(f"{found[0].path} {found[0].reason}")
    return BadInput(f"{path} is damaged: {first}; begin a new run")


class DeviceFolder:
    """One device's part of a run: the plan holds what is wanted, the names in `records` what is there."""

    def __init__(self, path: Path, wanted: Iterable[str], run: str) -> None:
        self.path, self.name, self.run = path, path.name, run
        self.wanted = tuple(wanted)  # job ids, in the plan's order
        self.accept: Callable[[Record], None] = lambda record: None  # Refused for one not to be stored
        self.records, self.out = path / "records", path / "out"
        self.files = confined.Folder(path.parent)

    def inner(self, name: str) -> str:
        """Return the name, within the run, of something in this folder."""
        return f"{self.name}/{name}"

    def job_list(self) -> JobList:
        """Return the whole job list of this device, checked: of this run, this device and these jobs."""
        name = self.inner("jobs.json")
        jobs, path = _read_json(self.files, name, "orbitbench.jobs"), self.files.path(name)
        if found := schema.problems(jobs):
            raise _damaged(path, found)
        is_ours = (jobs["run"], jobs["device"]) == (self.run, self.name)
        if not is_ours or sorted(job["id"] for job in jobs["jobs"]) != sorted(self.wanted):
            raise BadInput(f"{path} is damaged: it is not of the plan beside it; begin a new run")
        return cast(JobList, jobs)

    @cached_property
    def planned(self) -> dict[str, Job]:
        """Job id -> the job as planned, with the list's `measure` under its own."""
        jobs = self.job_list()
        common = jobs.get("measure", {})
        return {job["id"]: {**job, "measure": {**common, **job["measure"]}} for job in jobs["jobs"]}

    def missing(self) -> list[str]:
        """Return the ids of the jobs without a record.

        Records are stored once verified, so their names are proof.
        """
        there = set(self.files.names(self.inner("records")))
        return [job for job in self.wanted if f"{job}.json" not in there]

    def to_retry(self, which: str) -> list[str]:
        """Return the ids of jobs whose record is `failed` (or skipped), `invalid`, or either (`all`)."""
        kinds = {"failed", "invalid"} if which == "all" else {which}
        return [record["job"]["id"] for record in self.stored() if record_quality(record) in kinds]

    def save(self, job: str, data: bytes, sha256: str | None = None) -> Record:
        """Verify the record of `job` as it came from a device and store its bytes; OrbitError if bad.

        Refused where `accept` does not want it.
        """
        where = f"record of {job} from {self.name}"
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise OrbitError(
                f"{where}: its SHA-256 is not the announced one: damaged on the board or on the way"
            )
        try:
            record = self.verified(data, job)
        except OrbitError as error:
            raise OrbitError(f"{where}: {error}") from None
        self.accept(record)
        try:
            self.files.make(self.inner("records"))
            self.supersede(job)
            self.files.write(self.inner(f"records/{job}.json"), data)
        except OSError as error:
            raise StoreFailed(
                f"{self.records}: {error.strerror}: mend that, then resume; nothing is lost"
            ) from None
        return record

    def verified(self, data: bytes, job: str) -> Record:
        """Return the record in `data`, checked as something that a hostile board may have sent."""
        try:
            record = schema.check_document(files.parse_json(data, "it"), "it", "record")
        except files.BadFileError as error:
            raise OrbitError(first_line(str(error).removeprefix("it: "))) from None
        if (record["run"], record["device"]) != (self.run, self.name):
            raise OrbitError(f"it is of run {record['run']} on {record['device']}, not of this one")
        planned = self.planned[job]
        if other := plan.differing_field(planned, record["job"]):
            shown = checks.shown(record["job"].get(other))
            raise OrbitError(first_line(f"its job is not the planned one: {other} is {shown}"))
        return cast(Record, record)

    def supersede(self, job: str) -> None:
        """Keep a second name for the record that is about to be replaced: nothing measured is thrown away."""
        old, kept = self.inner(f"records/{job}.json"), self.inner("records/superseded")
        if not self.files.is_file(old):
            return
        self.files.make(kept)
        there = set(self.files.names(kept))
        number = next(n for n in range(1, 10_000) if f"{job}.{n}.json" not in there)
        self.files.link(old, f"{kept}/{job}.{number}.json")

    def times_replaced(self) -> Counter[str]:
        """Return how many earlier records each job has had."""
        names = self.files.names(self.inner("records/superseded"))
        return Counter(name.rsplit(".", 2)[0] for name in names)

    def stored(self) -> Iterator[Record]:
        """Yield the records that are there, in the plan's order."""
        for job in self.wanted:
            name = self.inner(f"records/{job}.json")
            if self.files.is_file(name):
                try:
                    yield self.verified(self.files.read(name), job)
                except OrbitError as error:
                    text = str(error).removeprefix(f"{self.files.path(name)}: ")
                    advice = "remove it, and resume the run to measure it again"
                    raise BadInput(f"{self.files.path(name)}: {text}; {advice}") from None


def record_quality(record: Record) -> str:
    """Return `good`, `failed` (or skipped), or `invalid`: measured, but its figures do not count."""
    if record["status"] != "ok":
        return "failed"
    return "good" if record["validity"]["valid"] else "invalid"


class Run:
    """One folder under `results/`. `id` is its name here; `name` the one that its boards and records know."""

    def __init__(self, path: Path) -> None:
        self.path, self.id = path, path.name
        self.bundle = path / "bundle"
        self.files = confined.Folder(path)
        self.plan = _read_json(self.files, "plan.json", "orbitbench.plan")
        if found := plan.problems(self.plan):
            raise _damaged(path / "plan.json", found)
        self.name: str = self.plan["run"]
        parts = self.plan["devices"].items()
        self.devices = {name: DeviceFolder(path / name, part["jobs"], self.name) for name, part in parts}

    @classmethod
    def open(cls, results: Path, name: str) -> "Run":
        """Return the run called `name`, as `find_run` takes it; BadInput lists the known ones."""
        path = find_run(name, results)
        if not (path / "plan.json").is_file():
            raise _unknown_run(name, results)
        return cls(path)

    def missing(self) -> dict[str, list[str]]:
        """Return device -> ids of its jobs without a record."""
        return {name: folder.missing() for name, folder in self.devices.items()}

    def finished(self) -> bool:
        """Return whether every job has left a record."""
        return not any(self.missing().values())

    def resume_command(self, manifest: Path | None = None) -> str:
        """Return what to type to finish the run, on the devices of that devices.yaml."""
        words = ["orchestrate", "run", "--resume", self.id]
        words += [] if self.path.parent == Path("results") else ["--results", str(self.path.parent)]
        words += ["--devices", str(manifest)] if manifest else []
        return shlex.join(words)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run against a second orchestrator on this machine; freed by the kernel when we die."""
        with self.files.open(".lock", os.O_RDWR | os.O_CREAT) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                lock_owner = first_line(file.read(20).decode("ascii", "replace").strip() or "?")
                raise Busy(f"{self.id} is locked by process {lock_owner}") from None
            file.truncate(0)
            file.write(str(os.getpid()).encode())
            file.flush()
            yield


def find_run(name: str, results: Path) -> Path:
    """Return the folder of a run: by its id, the beginning of one id only, `latest`, or the path of its
    folder.

    BadInput lists the known ones.
    """
    if name and "/" not in name and results.is_dir():
        if (results / name).is_dir():
            return results / name
        known = known_runs(results)
        found = known[-1:] if name == LATEST else [run for run in known if run.startswith(name)]
        if len(found) > 1:
            raise BadInput(f"{name!r} is the beginning of {len(found)} runs: {listed(found[-10:])}")
        if found:
            return results / found[0]
    if name and Path(name).is_dir():
        return Path(name)
    raise _unknown_run(name, results)


def _unknown_run(name: str, results: Path) -> BadInput:
    """Return the message where `name` is no run: the newest ones that are there, or how to make one."""
    known = known_runs(results)[-10:]
    hint = did_you_mean(name, known)
    advice = "" if known else "; `orchestrate run` makes one, --results names another folder"
    return BadInput(f"no run {name!r} in {results}/{hint}; known: {listed(known)}{advice}")


def known_runs(results: Path) -> list[str]:
    """Return the ids of the runs in a results folder, oldest first; none where there is no folder yet."""
    if not results.is_dir():
        if results.exists():
            raise BadInput(f"--results {results}: this is a file; give the folder of all runs")
        return []
    return sorted(path.parent.name for path in results.glob("[!.]*/plan.json"))


def newest_unfinished(results: Path, plan_hash: str) -> Run | None:
    """Return the newest run of this very plan that still lacks records, or None."""
    return next((run for run in _of_plan(results, plan_hash) if not run.finished()), None)


def newest_of_plan(results: Path, plan_hash: str) -> Run | None:
    """Return the newest run of this very plan, finished or not, or None."""
    return next(_of_plan(results, plan_hash), None)


def _of_plan(results: Path, plan_hash: str) -> Iterator[Run]:
    for name in reversed(known_runs(results)):
        try:
            run = Run(results / name)
        except OrbitError:
            continue  # a folder that this program cannot read is not one to resume
        if run.plan["hash"] == plan_hash:
            yield run
