"""Starting one measuring process, watching it without disturbing it, and naming how it ended."""

import json
import os
import selectors
import signal
import subprocess
import sys
from typing import IO, Callable, List, Optional, Tuple, Union

from bench.record.types import Part, Task
from bench.runtime.machine.clock import now_ns
from bench.runtime.machine.process import for_child
from bench.runtime.machine.procfs import read_text

POLL_SECONDS = (
    0.5  # between two readings of the sensors: twice a second costs well under a thousandth of a core
)
TAIL_BYTES = 4000
CHILD_ENVIRONMENT = {
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",  # numpy computes nothing here; its threads would be memory of ours
}


def child_command() -> List[str]:
    """Return how this very interpreter runs a task."""
    return [sys.executable, "-m", "bench.runtime.supervise.worker"]


def run_child(task: Task, timeout: float, watch: Callable[[int], None]) -> Part:
    """Return the part of a fresh process that runs `task`; a failed part when it dies, hangs or answers
    nonsense.

    watch: called with the process id at its start and then twice a second.
    """
    process = start(child_command(), subprocess.PIPE)
    try:
        output, tail, late = _converse(process, task, timeout, watch)
        if not late:
            _wait(process, 5.0)
    finally:
        end(process)
    return _part(output, tail, late, process.returncode, timeout)


def start(command: List[str], stderr: "Union[int, IO[bytes]]") -> "subprocess.Popen[bytes]":
    """Return a fresh measuring process in a group of its own, spoken to by pipes.

    `end` leaves nothing of it.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=stderr,
        start_new_session=True,
        env={**for_child(), **CHILD_ENVIRONMENT},
        cwd=_import_root(),
    )


def _import_root() -> str:
    """The folder that holds the package `bench`."""
    return os.path.abspath(os.path.join(os.path.dirname(__file__), *[os.pardir] * 3))


def _converse(
    process: "subprocess.Popen[bytes]", task: Task, timeout: float, watch: Callable[[int], None]
) -> Tuple[bytes, bytes, bool]:
    """Send the task, collect the result and the end of the chatter; True when the time was up."""
    assert process.stdin
    assert process.stdout
    assert process.stderr
    try:
        process.stdin.write(json.dumps(task).encode("utf-8"))
        process.stdin.close()
    except BrokenPipeError:  # it died at once; its exit code will show why
        pass
    output, tail = bytearray(), bytearray()
    deadline, due = now_ns() + timeout * 1e9, 0
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ, output)
        selector.register(process.stderr, selectors.EVENT_READ, tail)
        while selector.get_map():
            if now_ns() >= deadline:
                return bytes(output), bytes(tail), True
            if now_ns() >= due:
                due = now_ns() + int(POLL_SECONDS * 1e9)
                watch(process.pid)
            for key, _ in selector.select(max(0.0, (min(due, deadline) - now_ns()) * 1e-9)):
                block = os.read(key.fd, 65536)
                if not block:
                    selector.unregister(key.fileobj)
                key.data.extend(block)
                del tail[:-TAIL_BYTES]
    return bytes(output), bytes(tail), False


def _wait(process: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Give a process that has closed its pipes the time to end by itself."""
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        pass


def end(process: "subprocess.Popen[bytes]") -> None:
    """Leave nothing behind: kill what is left of the process group, then reap."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        try:
            if stream:
                stream.close()
        except BrokenPipeError:  # what it never read
            pass


def _part(output: bytes, tail: bytes, late: bool, code: int, timeout: float) -> Part:
    if late:
        advice = "raise timeout_seconds of the experiment's measure, or find out why the model hangs"
        return failed("timeout", "gave no result within {:g} s and was killed".format(timeout), advice)
    try:
        part: Part = json.loads(output.decode("utf-8"))
    except ValueError:
        return _death(code, tail.decode("utf-8", "replace"))
    return part


def _death(code: int, tail: str) -> Part:
    last = " ".join(tail.split())[-300:]
    if code == -signal.SIGKILL:
        advice = "most often memory ran out: use a smaller model, or free memory; see `dmesg` on the board"
        return failed("killed", "the process was killed by SIGKILL. " + last, advice)
    if code < 0:
        name = signal.Signals(-code).name
        advice = "the inference library crashed: try another version of it"
        return failed("crashed", "the process died of {}. {}".format(name, last), advice)
    return failed(
        "crashed", "the process ended with code {} and no result. {}".format(code, last), "see the message"
    )


def failed(kind: str, message: str, advice: str) -> Part:
    """Return a part that holds nothing but its error."""
    return {"status": "failed", "error": {"kind": kind, "message": message.strip(), "advice": advice}}


def resident(pid: int) -> Optional[int]:
    """Return resident bytes of a process; None when it is gone.

    Tells, after a death, how large it had become.
    """
    words = (read_text("/proc/{}/statm".format(pid)) or "").split()
    return int(words[1]) * os.sysconf("SC_PAGESIZE") if len(words) > 1 else None
