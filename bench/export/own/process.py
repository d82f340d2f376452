"""Preparing one file in a child process with limits on time and memory: a stranger's model may take all.

The child (`python -m bench.export.own.process`) reads {path, dims, values, inputs, folder, room} as JSON on
standard input, and writes {prepared} or {error} on standard output. It dies with its parent.
"""

import dataclasses
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.export.errors import ExportError
from bench.export.own.request import OwnRequest, Prepared
from bench.runtime.machine.process import die_with_parent, for_child

SECONDS = 300.0  # for one file: reading it, and two runs
SHARE = 0.9  # of the free memory that a child may take
ERRORS = 100_000  # bytes of a child's standard error that are kept


def read(path: Path, request: OwnRequest, folder: Path, seconds: float = SECONDS) -> Prepared:
    """`prepare.prepare` in a child process. Raises ExportError, one line that begins with the file's name."""
    room = int(_free_memory() * SHARE)
    task = {
        "path": str(path),
        "dims": dict(request.dims),
        "batch": request.batch,
        "values": dict(request.values),
        "inputs": request.inputs and str(request.inputs),
        "folder": str(folder),
        "room": room,
    }
    with tempfile.TemporaryFile() as errors, _child(errors) as process:
        try:
            out, _ = process.communicate(json.dumps(task).encode(), seconds)
        except subprocess.TimeoutExpired:
            raise ExportError(
                f"{path}: reading and running it takes more than {seconds:g} s; is there a loop without end? "
                "`bench export --onnx-timeout`, or ORBITBENCH_ONNX_TIMEOUT in seconds, allows more"
            ) from None
        answer = _answer(out)
        if answer is None:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - ERRORS))
            raise ExportError(f"{path}: {_death(process.returncode, errors.read(), room)}")
    if "error" in answer:
        raise ExportError(answer["error"])
    found = answer["prepared"]
    return Prepared(**{**found, "model": Path(found["model"]), "reference": Path(found["reference"])})


@contextmanager
def _child(errors: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """The process, which has ended when the block has, however that ends."""
    process = subprocess.Popen(
        [sys.executable, "-m", __name__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
        start_new_session=True, env=for_child(),  # Ctrl-C is ours to pass on
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _answer(out: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(out)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _death(code: int, errors: bytes, room: int) -> str:
    """How a child ended that gave no answer."""
    if b"bad_alloc" in errors or b"MemoryError" in errors or code == -signal.SIGKILL:
        return f"needs more memory than the {room / 1e9:,.1f} GB that are free here"
    if code < 0:
        return f"the library died of {signal.Signals(-code).name} on it; is it damaged?"
    lines = errors.decode(errors="replace").strip().splitlines()
    return f"reading it failed: {lines[-1][:200] if lines else f'exit code {code}'}"


def _free_memory() -> int:
    """Bytes that the kernel can give without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    """Prepare the file of the task on standard input; the answer, also an error, goes to standard output."""
    die_with_parent()
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library's own lines are no answer
    task = json.load(sys.stdin)
    resource.setrlimit(resource.RLIMIT_DATA, (task["room"], task["room"]))
    from bench.export.own.prepare import prepare

    inputs = Path(task["inputs"]) if task["inputs"] else None
    request = OwnRequest(task["dims"], task["values"], inputs, task["batch"])
    try:
        found = prepare(Path(task["path"]), request, Path(task["folder"]), task["room"])
        answer: dict[str, Any] = {"prepared": dataclasses.asdict(found)}
    except ExportError as error:
        answer = {"error": str(error)}
    json.dump(answer, pipe, default=str)
    pipe.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
