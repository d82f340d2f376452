"""The results folder: the only state there is. Written whole or not at all; names say what is missing.

results/RUN/plan.json  bundle/  DEVICE/jobs.json  DEVICE/records/JOB.json
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.record import files, schema
from orchestrate.console import first_line
from orchestrate.errors import BadInput, Busy, OrbitError, StoreFailed, listed

SCHEMA = 1

Json = dict[str, Any]


def read_json(path: Path, kind: str) -> Json:
    """The JSON object at `path`, of `kind` and of a schema version that this program knows."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise BadInput(f"{path} is missing") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path} is not JSON: {error}") from None
    if not isinstance(value, dict) or value.get("kind") != kind:
        raise BadInput(f"{path} is not an {kind} file")
    if value.get("schema") != SCHEMA:
        newer = f"{path} has schema {value.get('schema')}; this program reads {SCHEMA}: update orbitbench"
        raise BadInput(newer)
    return value


class DeviceFolder:
    """One device's part of a run: the plan says what is wanted, the names in `records` what is there."""

    def __init__(self, path: Path, wanted: Iterable[str]) -> None:
        self.path, self.name = path, path.name
        self.wanted = tuple(wanted)  # job ids, in the plan's order
        self.records, self.out = path / "records", path / "out"

    def job_list(self) -> Json:
        """The whole job list of this device."""
        return read_json(self.path / "jobs.json", "orbitbench.jobs")

    def missing(self) -> list[str]:
        """Ids of the jobs without a record. Records are stored once verified, so their names are proof."""
        there = {entry.name for entry in os.scandir(self.records)} if self.records.is_dir() else set()
        return [job for job in self.wanted if f"{job}.json" not in there]

    def to_retry(self, which: str) -> list[str]:
        """Ids of the jobs whose record is `failed` or skipped, `invalid` (it does not count), or `all`."""
        kinds = {"failed", "invalid"} if which == "all" else {which}
        return [record["job"]["id"] for record in self.stored() if quality(record) in kinds]

    def save(self, job: str, data: bytes, sha256: str | None = None) -> Json:
        """Verify the record of `job` as it came from a device and store its bytes; OrbitError if bad."""
        where = f"record of {job} from {self.name}"
        if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
            raise OrbitError(
                f"{where}: its SHA-256 is not the announced one: damaged on the board or on the way"
            )
        self.records.mkdir(exist_ok=True)
        part = self.records / f".{job}.part"
        try:
            files.write_bytes(str(part), data)
            record = verified(part, job, self.name)
            self.supersede(job)
            part.replace(self.records / f"{job}.json")
        except OrbitError as error:
            raise OrbitError(f"{where}: {error}") from None
        except OSError as error:
            raise StoreFailed(
                f"{self.records}: {error.strerror}: mend that, then resume; nothing is lost"
            ) from None
        finally:
            part.unlink(missing_ok=True)
        return record

    def supersede(self, job: str) -> None:
        """Keep a second name for the record that is about to be replaced: nothing measured is thrown away."""
        old, kept = self.records / f"{job}.json", self.records / "superseded"
        if not old.exists():
            return
        kept.mkdir(exist_ok=True)
        number = next(n for n in range(1, 10_000) if not (kept / f"{job}.{n}.json").exists())
        (kept / f"{job}.{number}.json").hardlink_to(old)

    def stored(self) -> Iterator[Json]:
        """The records that are there, in the plan's order."""
        for job in self.wanted:
            path = self.records / f"{job}.json"
            if path.is_file():
                try:
                    yield read_json(path, "orbitbench.record")
                except BadInput as error:
                    raise BadInput(f"{error}; remove it, and resume the run to measure it again") from None


def quality(record: Json) -> str:
    """`good`, `failed` (or skipped), or `invalid`: measured, but its figures do not count."""
    if record["status"] != "ok":
        return "failed"
    return "good" if record["validity"]["valid"] else "invalid"


def verified(path: Path, job: str, device: str) -> Json:
    """The record at `path`, checked as something that a hostile board may have sent."""
    try:
        record: Json = schema.load(str(path), "record")
    except files.BadFileError as error:
        raise OrbitError(first_line(str(error).removeprefix(f"{path}: "))) from None
    if record["job"]["id"] != job or record["device"] != device:
        raise OrbitError(f"it says it is {record['job']['id']} of {record['device']}")
    return record


class Run:
    """One folder under `results/`."""

    def __init__(self, path: Path) -> None:
        self.path, self.id = path, path.name
        self.bundle = path / "bundle"
        self.plan = read_json(path / "plan.json", "orbitbench.plan")
        try:
            parts = {name: part["jobs"] for name, part in self.plan["devices"].items()}
        except (KeyError, TypeError, AttributeError):
            damaged = f"{path / 'plan.json'} is damaged: it names no devices with jobs; begin a new run"
            raise BadInput(damaged) from None
        self.devices = {name: DeviceFolder(path / name, jobs) for name, jobs in parts.items()}

    @classmethod
    def open(cls, results: Path, name: str) -> "Run":
        """The run called `name` (its id, or the path of its folder); BadInput lists the known ones."""
        path = Path(name) if "/" in name else results / name
        if not (path / "plan.json").is_file():
            raise unknown_run(name, results)
        return cls(path)

    def missing(self) -> dict[str, list[str]]:
        """Device -> ids of its jobs without a record."""
        return {name: folder.missing() for name, folder in self.devices.items()}

    def finished(self) -> bool:
        """Whether every job has left a record."""
        return not any(self.missing().values())

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the run against a second orchestrator on this machine; freed by the kernel when we die."""
        with (self.path / ".lock").open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                raise Busy(f"{self.id} is in the hands of process {file.read().strip() or '?'}") from None
            file.truncate(0)
            file.write(str(os.getpid()))
            file.flush()
            yield


def unknown_run(name: str, results: Path) -> BadInput:
    """What is said where `name` is no run: the newest ones that are there, or how to make one."""
    known = known_runs(results)[-10:]
    advice = "" if known else "; `orchestrate run` makes one, --results names another folder"
    return BadInput(f"no run {name!r} in {results}/; known: {listed(known)}{advice}")


def known_runs(results: Path) -> list[str]:
    """Ids of the runs in a results folder, oldest first."""
    if not results.is_dir():
        return []
    return sorted(path.parent.name for path in results.glob("[!.]*/plan.json"))


def newest_unfinished(results: Path, plan_hash: str) -> Run | None:
    """The newest run of this very plan that still lacks records, or None."""
    for name in reversed(known_runs(results)):
        try:
            run = Run(results / name)
        except OrbitError:
            continue  # a folder that this program cannot read is not one to resume
        if run.plan["hash"] == plan_hash and not run.finished():
            return run
    return None
