"""What a run leaves on disk: OUT_DIR/parts/JOB.PROCESS.json and OUT_DIR/records/JOB.json, each whole or
absent."""

import json
import os
from typing import List, Mapping, Optional

from bench.record import measure, schema
from bench.record.files import BadFileError, read_json, write_json
from bench.record.types import Job, Part
from bench.runtime.supervise.job_list import JobList


class DiskError(Exception):
    """A result could not be stored; the text states what, where, why and what to do."""


class Store(object):
    """The results of one job list."""

    def __init__(self, out_dir: str) -> None:
        self.out = out_dir
        for folder in ("parts", "records"):
            os.makedirs(os.path.join(out_dir, folder), exist_ok=True)

    def record_path(self, job: Job) -> str:
        """Return where the record of a job lies."""
        return os.path.join(self.out, "records", job["id"] + ".json")

    def part_path(self, job: Job, process: int) -> str:
        """Return where the part of one of its processes lies."""
        return os.path.join(self.out, "parts", "{}.{}.json".format(job["id"], process))

    def sweep(self, jobs: JobList) -> None:
        """Make an earlier run's results fit to go on from: what is damaged or was skipped will be measured
        again.

        BadFileError when the folder holds results of another job list: they must not be mixed.
        """
        for job in jobs.jobs:
            record = self._read(self.record_path(job), jobs.run, job)
            if record is not None and record["status"] == "skipped":
                os.unlink(self.record_path(job))
            for process in range(measure.steps(job["measure"])):
                self._read(self.part_path(job, process), jobs.run, job)

    def _read(self, path: str, run: str, job: Job) -> Optional[Mapping[str, object]]:
        """The file at `path`; a damaged one is removed."""
        if not os.path.exists(path):
            return None
        try:
            value = schema.load(path, "record") if path == self.record_path(job) else read_json(path)
        except BadFileError:
            os.unlink(path)
            return None
        if value.get("run") != run or value.get("job") != json.loads(json.dumps(job)):
            message = "{}: belongs to another job list (run {}); give each its own folder"
            raise BadFileError(message.format(path, value.get("run")))
        return dict(value)

    def done(self, job: Job, process: int) -> bool:
        """Return whether there is nothing left to measure for this process of the job."""
        return os.path.exists(self.record_path(job)) or os.path.exists(self.part_path(job, process))

    def parts(self, job: Job) -> List[Part]:
        """Return the parts of a job that are there, in the order of its processes, the profile's last."""
        paths = [self.part_path(job, process) for process in range(measure.steps(job["measure"]))]
        return [read_json(path) for path in paths if os.path.exists(path)]

    def status(self, job: Job) -> Optional[str]:
        """Return the status in a job's record; None where there is none."""
        path = self.record_path(job)
        return str(schema.load(path, "record")["status"]) if os.path.exists(path) else None

    def write(self, path: str, value: object) -> None:
        """Store `value` whole or not at all; DiskError where the disk will not take it."""
        try:
            write_json(path, value)
        except OSError as error:
            message = (
                "{}: cannot be written: {}; make room or mend it, then run the same command again to go on"
            )
            raise DiskError(message.format(path, error.strerror)) from error
