"""What goes wrong on a board, done for real: each leaves a readable record or one clear line, and no process
behind.

The table of all cases is written to build/matrix-runtime-faults.json.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench.record import schema
from tests import matrix, models
from tests.conftest import PATIENCE, ROOT, require, wait_for

ROWS: list[dict[str, Any]] = []
LARGE = {"processes": 1, "max_samples": 5000, "min_samples": 5000, "max_seconds": 5}  # 4096 bytes and more
STEP_CLOCK = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
/* The wall clock jumps an hour ahead every tenth of a second. */
static int (*real)(clockid_t, struct timespec *);
static long long first;
int clock_gettime(clockid_t clock, struct timespec *t) {
    struct timespec now;
    if (!real) real = dlsym(RTLD_NEXT, "clock_gettime");
    real(CLOCK_MONOTONIC, &now);
    long long tenths = now.tv_sec * 10LL + now.tv_nsec / 100000000;
    if (!first) first = tenths;
    int result = real(clock, t);
    if (clock == CLOCK_REALTIME) t->tv_sec += (tenths - first) * 3600;
    return result;
}
"""


@pytest.fixture(scope="module", autouse=True)
def write_matrix() -> Iterator[None]:
    yield
    matrix.write("runtime-faults", ROWS)


@contextlib.contextmanager
def case(name: str, expected: str) -> Iterator[dict[str, str]]:
    """Note the outcome of a case in the matrix, whether its assertions hold or not."""
    seen = {"got": "nothing"}
    row = {"case": name, "expected": expected, "got": "", "ok": False}
    ROWS.append(row)
    try:
        yield seen
        row["ok"] = True
    finally:
        row["got"] = seen["got"]


class Board:
    """A folder with a bundle, a job list and the runtime at work on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bundle, self.out = folder, folder / "bundle", folder / "out"
        self.jobs: list[dict[str, Any]] = []

    def add(self, make: Callable[..., Path], *args: Any, reference: bool = False, **changes: Any) -> str:
        model = make(self.bundle / "models" / f"{make.__name__}.onnx", *args)
        self.jobs.append(models.job(self.bundle, model, with_reference=reference, **changes))
        return str(self.jobs[-1]["id"])

    def start(self, **options: Any) -> subprocess.Popen[str]:
        path = models.job_list(self.folder / "jobs.json", self.bundle, self.jobs, device=self.folder.name)
        command = [sys.executable, "-m", "bench.runtime", path, self.out]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, cwd=ROOT, **pipes, **options)  # type: ignore[call-overload, no-any-return]

    def finish(self, **options: Any) -> tuple[int, str]:
        with self.start(**options) as process:
            _, error = process.communicate(timeout=PATIENCE)
            return process.returncode, error

    def record(self, job: str) -> dict[str, Any]:
        return schema.load(str(self.out / "records" / f"{job}.json"), "record")

    def failure(self, job: str) -> dict[str, Any]:
        record = self.record(job)
        assert record["status"] == "failed"
        assert not record["validity"]["valid"]
        assert record["error"]["advice"]
        return dict(record["error"])


@pytest.fixture
def board(tmp_path: Path) -> Board:
    return Board(tmp_path)


def events(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert process.stdout is not None
    return (json.loads(line) for line in process.stdout)


def children(pid: int) -> list[int]:
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def at_work(process: subprocess.Popen[str]) -> int:
    """The measuring process, once it has its task and loads the library: it has long been watched then."""

    def found() -> int | None:
        maps = {pid: Path(f"/proc/{pid}/maps") for pid in children(process.pid)}
        return next((pid for pid, path in maps.items() if "onnxruntime" in path.read_text()), None)

    pid = wait_for(found)
    assert pid
    return pid


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except OSError:
        return True


def with_environment(text: str) -> list[str]:
    """The processes, but for zombies, that have `text` in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):  # ended meanwhile, or another user's
            if text.encode() in path.read_bytes():
                found.append(path.parent.name)
    return found


def test_a_model_deleted_midway_fails_its_own_job_only(board: Board) -> None:
    lost = board.add(models.mlp)
    kept = board.add(models.cnn, reference=True, measure={"processes": 1})
    with case("model file deleted midway", "failed record, kind model_missing; the other job ok") as seen:
        with board.start() as process:
            for event in events(process):
                if event["event"] == "process" and event["job"] == lost:
                    (board.bundle / "models/mlp.onnx").unlink(missing_ok=True)
        assert process.returncode == 1
        error = board.failure(lost)
        seen["got"] = f"{error['kind']}: {error['message']}"
        assert error["kind"] == "model_missing"
        assert "models/mlp.onnx" in error["message"]
        assert len(board.record(lost)["latency"]["processes"]) == 1
        assert board.record(kept)["status"] == "ok"


def test_a_model_changed_midway_is_noticed_by_its_hash(board: Board) -> None:
    job = board.add(models.mlp)
    with case("model file changed midway", "failed record, kind model_changed") as seen:
        with board.start() as process:
            for event in events(process):
                if event["event"] == "process":
                    with open(board.bundle / "models/mlp.onnx", "ab") as stream:
                        stream.write(b"x")
        error = board.failure(job)
        seen["got"] = f"{error['kind']}: {error['message']}"
        assert error["kind"] == "model_changed"


def test_a_killed_process_is_a_failed_record_that_says_how_large_it_was(board: Board) -> None:
    job = board.add(models.hanging)
    with case("child killed by SIGKILL", "failed record, kind killed, with its last size") as seen:
        with board.start() as process:
            pid = at_work(process)
            os.kill(pid, signal.SIGKILL)
            process.communicate(timeout=PATIENCE)
        error = board.failure(job)
        seen["got"] = f"{error['kind']}: {error['message']}"
        assert error["kind"] == "killed"
        assert "MB when last seen" in error["message"]


def test_memory_that_runs_out_is_a_failed_record(board: Board) -> None:
    job = board.add(models.greedy)
    with case("memory runs out (RLIMIT_AS)", "failed record, kind out_of_memory") as seen:
        limit = 4_000_000_000
        board.finish(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
        error = board.failure(job)
        seen["got"] = f"{error['kind']}: {error['message']}"
        assert error["kind"] == "out_of_memory"


def test_an_output_that_is_not_a_number_fails_however_fast_it_came(board: Board) -> None:
    job = board.add(models.one_node, "Log")
    with case("NaN output", "failed record, kind wrong_output, its timings invalid") as seen:
        assert board.finish()[0] == 1
        error = board.failure(job)
        seen["got"] = f"{error['kind']}: {error['message']}"
        assert error["kind"] == "wrong_output"
        assert "wrong_output" in {r["code"] for r in board.record(job)["validity"]["reasons"]}


def test_an_output_unlike_the_reference_fails(board: Board) -> None:
    job = board.add(models.cnn, reference=True)
    board.jobs[0]["model"]["reference"]["tolerance"] = 0.0
    npz = models.reference(board.bundle / "models/cnn.onnx", board.bundle / "reference/cnn.npz")
    models.spoil(npz)
    board.jobs[0]["model"]["reference"]["sha256"] = models.sha256(npz)
    with case(
        "output differs from the reference", "failed record, kind wrong_output, the error shown"
    ) as seen:
        board.finish()
        error = board.failure(job)
        seen["got"] = f"{error['kind']}: {error['message']}"
        assert "off by up to 1" in error["message"]
        assert board.record(job)["output_check"]["max_abs_error"] == pytest.approx(1, rel=1e-4)


def plug_in(folder: Path, name: str, module: str, clock: str) -> dict[str, str]:
    """The environment of a runtime that knows the backend `name`, and whose clock is as `clock` leaves it."""
    info = folder / f"{name}_backend-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}-backend\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[orbitbench.backends]\n{name} = {name}_backend:DECLARATION\n")
    (folder / f"{name}_backend.py").write_text(module)
    (folder / "sitecustomize.py").write_text(clock)
    return {**os.environ, "PYTHONPATH": str(folder)}


LATER = """
import os, time
real = time.perf_counter_ns
time.perf_counter_ns = lambda: real() + 10**13 * os.path.exists(os.environ["ORBITBENCH_TEST"])
"""
HANGING = """
import os, pathlib
from bench.record.backends import backend
from bench.runtime.backends.onnxruntime import OnnxRuntimeBackend
DECLARATION = backend("hanging_backend:Hanging")
class Hanging(OnnxRuntimeBackend):
    def bind(self, arrays):
        pathlib.Path(os.environ["ORBITBENCH_TEST"]).touch()
        super().bind(arrays)
"""


def test_a_hanging_inference_is_killed_when_its_time_is_up(board: Board, tmp_path: Path) -> None:
    """Its time is up as soon as it hangs, and not before: the clock then jumps hours ahead."""
    env, mark = plug_in(tmp_path, "hanging", HANGING, LATER), tmp_path / "hangs"
    job = board.add(models.hanging, backend="hanging", measure={"timeout_seconds": 2 * PATIENCE})
    with case("hanging inference", "failed record, kind timeout, no process left") as seen:
        board.finish(env={**env, "ORBITBENCH_TEST": str(mark)})
        error = board.failure(job)
        seen["got"] = f"{error['kind']}: {error['message']}"
        assert error["kind"] == "timeout"
        assert mark.exists()
        assert not with_environment(str(mark))


AHEAD = """
import time
real, time.ahead = time.perf_counter_ns, 0
time.perf_counter_ns = lambda: real() + time.ahead
"""
SLOW = """
import time
from bench.record.backends import backend
from bench.runtime.backends.null import NullBackend
DECLARATION = backend("slow_backend:Slow")
class Slow(NullBackend):
    def infer(self):
        time.ahead += 5 * 10**9
"""


def test_a_slow_model_is_measured_with_fewer_samples_not_timed_out(board: Board, tmp_path: Path) -> None:
    """With all of its 700 samples it would take an hour. It sets its process's clock ahead instead of
    waiting, so that a busy machine, which is late in all else, has as much time left for the samples."""
    env = plug_in(tmp_path, "slow", SLOW, AHEAD)
    measure = {"warmup": 50, "min_samples": 700, "max_samples": 2000, "max_seconds": 1e4, "processes": 1}
    job = board.add(models.mlp, backend="slow", measure=measure)
    with case("slow model", "ok, fewer samples, and the record says so") as seen:
        code, error = board.finish(env=env)
        assert code == 0, error
        record = board.record(job)
        assert record["status"] == "ok", record["error"]
        process = record["latency"]["processes"][0]
        seen["got"] = f"{process['samples']['n']} samples, stopped by {process['stopped_by']}"
        assert process["stopped_by"] == "time_left"
        assert process["warmup"]["n"] < 50
        assert process["samples"]["n"] < 700
        assert "time_left" in [each["code"] for each in record["validity"]["warnings"]]


def test_a_full_disk_is_one_clear_line_and_the_run_can_go_on(board: Board) -> None:
    job = board.add(models.mlp, measure=LARGE)
    with case(
        "disk full while writing", "one line on standard error, exit 1; completed when run again"
    ) as seen:
        code, error = board.finish(preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)))
        seen["got"] = error.strip()
        assert code == 1
        assert error.count("\n") == 1
        assert "cannot be written" in error
        assert not list(board.out.rglob("*.json"))
        assert not list(board.out.rglob(".tmp*"))
        assert board.finish()[0] == 0
        assert board.record(job)["status"] == "ok"


def test_a_full_file_system_is_the_same_one_line(board: Board) -> None:
    board.add(models.mlp, measure=LARGE)
    board.out.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16k", "none", board.out], capture_output=True
    )
    require(mounted.returncode == 0, "the right to mount a small tmpfs (root)")
    try:
        with case("file system full (tmpfs of 16 kB)", "one line naming the file, exit 1") as seen:
            code, error = board.finish()
            seen["got"] = error.strip()
            assert code == 1
            assert error.count("\n") == 1
            assert "No space left on device" in error
    finally:
        subprocess.run(["umount", board.out], check=True)


def test_a_wall_clock_that_steps_spoils_no_duration(board: Board, tmp_path: Path) -> None:
    source, library = tmp_path / "step.c", tmp_path / "step.so"
    source.write_text(STEP_CLOCK)
    try:
        built = subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], capture_output=True)
    except OSError:
        built = None
    require(built and built.returncode == 0, "a C compiler, to step a process's clock")
    job = board.add(
        models.mlp, measure={"processes": 1, "min_seconds": 0.3, "max_seconds": 0.3, "max_samples": 400_000}
    )
    with case("clock stepped by an hour", "warning clock_stepped; durations as before") as seen:
        assert board.finish(env={**os.environ, "LD_PRELOAD": str(library)})[0] == 0
        record = board.record(job)
        notes = [n for n in record["validity"]["warnings"] if n["code"] == "clock_stepped"]
        seen["got"] = notes[0]["message"] if notes else "no warning"
        assert notes
        assert "00.0 s" in notes[0]["message"]
        assert 0 < record["latency"]["processes"][0]["wall_seconds"] < 1800  # the clock steps by an hour


def test_a_second_runtime_on_a_device_is_refused_and_told_who_holds_it(board: Board) -> None:
    board.add(models.hanging)
    with case("two runtimes on one device", "exit 3, one line naming the holder") as seen:
        with board.start() as first:
            wait_for(lambda: children(first.pid))
            code, error = board.finish()
            seen["got"] = error.strip()
            first.send_signal(signal.SIGTERM)
            first.communicate(timeout=PATIENCE)
        assert code == 3
        assert f"process {first.pid}" in error
        assert error.count("\n") == 1


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_an_interrupted_run_leaves_no_process_and_goes_on_where_it_stopped(board: Board, name: str) -> None:
    quick = board.add(models.mlp)
    board.add(models.hanging)
    with case(f"interrupted by {name}", "exit 130, no process left, finished parts kept") as seen:
        with board.start() as process:
            stream = events(process)
            seen_first = [next(stream) for _ in range(3)]
            done = sum(e["event"] == "process" and e["status"] != "disturbed" for e in seen_first)
            pid = wait_for(lambda: children(process.pid))[0]
            process.send_signal(getattr(signal, name))
            _, error = process.communicate(timeout=PATIENCE)
        seen["got"] = f"exit {process.returncode}: {error.strip()}"
        assert process.returncode == 130
        assert wait_for(lambda: gone(pid))
        assert (
            len(list((board.out / "parts").glob(f"{quick}*"))) + len(list((board.out / "records").iterdir()))
            >= done
        )


def test_children_die_with_a_killed_runtime(board: Board) -> None:
    board.add(models.hanging)
    with case("the runtime itself killed", "its measuring process dies too") as seen:
        with board.start() as process:
            pid = at_work(process)
            process.kill()
            wait_for(lambda: gone(pid))
        seen["got"] = "no process left"


def test_damaged_results_of_an_earlier_run_are_measured_again(board: Board) -> None:
    job = board.add(models.mlp)
    with case("power cut left a torn part and record", "both measured again") as seen:
        assert board.finish()[0] == 0
        (board.out / "records" / f"{job}.json").write_text('{"schema": 1, "kin')
        (board.out / "parts" / f"{job}.1.json").write_text("")
        assert board.finish()[0] == 0
        record = board.record(job)
        seen["got"] = f"{record['status']} with {len(record['latency']['processes'])} processes"
        assert len(record["latency"]["processes"]) == 2
        assert "resumed" in {n["code"] for n in record["validity"]["warnings"]}


def test_results_of_another_job_list_are_not_mixed_in(board: Board) -> None:
    board.add(models.mlp, measure={"processes": 1})
    with case("results of another job list in the folder", "exit 2, one line") as seen:
        assert board.finish()[0] == 0
        board.jobs[0]["threads"] = 2
        code, error = board.finish()
        seen["got"] = error.strip()
        assert code == 2
        assert "another job list" in error
