"""`python3 -m bench.runtime JOBS.json OUT_DIR`: measure a job list here; docs/formats.md describes what comes
out."""

import argparse
import os
import signal
import sys
import time
from typing import Any, List, Optional

from bench.record.files import BadFileError
from bench.runtime.machine.clock import iso_utc
from bench.runtime.supervise import job_list
from bench.runtime.supervise.lock import DeviceHeldError, DeviceLock, lock_folder
from bench.runtime.supervise.scheduler import Scheduler
from bench.runtime.supervise.store import DiskError, Store

OK, FAILED, BAD_INPUT, HELD, INTERRUPTED = 0, 1, 2, 3, 130


def _arguments(argv: Optional[List[str]]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python3 -m bench.runtime", description=__doc__)
    parser.add_argument("jobs", help="the job list, a JSON file")
    parser.add_argument("out_dir", help="folder for parts and records; an earlier run in it is resumed")
    return parser.parse_args(argv)


def _interrupt(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def main(argv: Optional[List[str]] = None) -> int:
    """Exit code 0 all ok, 1 some failed, 2 bad job list, 3 device held, 130 interrupted."""
    arguments = _arguments(argv)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        todo = job_list.load(arguments.jobs)
        os.makedirs(arguments.out_dir, exist_ok=True)
        owner = {"run": todo.run, "pid": os.getpid(), "since": iso_utc(time.time())}
        with DeviceLock(todo.device, lock_folder(arguments.out_dir), owner):
            return Scheduler(todo, Store(os.path.abspath(arguments.out_dir))).run()
    except BadFileError as error:
        return _say(str(error), BAD_INPUT)
    except DeviceHeldError as error:
        return _say(str(error), HELD)
    except (DiskError, OSError) as error:
        return _say(str(error), FAILED)
    except KeyboardInterrupt:
        return _say("interrupted; the same command goes on where this one stopped", INTERRUPTED)


def _say(message: str, code: int) -> int:
    sys.stderr.write("bench.runtime: {}\n".format(message))
    return code


if __name__ == "__main__":
    sys.exit(main())
