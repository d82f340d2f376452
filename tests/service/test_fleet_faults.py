"""The fault matrix: whatever happens to a board, a link or us, no finished record is lost or made twice.

Every fault hurts a real run on a pretend board: ssh, engine, container and runtime are the real ones. Most of
it is waiting, so three boards are hurt side by side, each by one fault after another; a test is one's end.
Most faults strike while the next measuring process idles (rootfs.SLOW_START); `container_killed` strikes one
that computes.
"""

import concurrent.futures
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests import matrix
from tests.conftest import PATIENCE, wait_for
from tests.service import rootfs
from tests.service.board import Board
from tests.service.board import run as shell
from tests.service.fleet import Fleet
from tests.unit.orchestrate import sample

pytestmark = pytest.mark.service
ROOT = Path(__file__).resolve().parents[2]
JOBS = 3
# A process has onnxruntime in memory from after its idle second to its end.
KILL_WHEN_COMPUTING = """
set -e
export DOCKER_HOST=unix:///run/docker.sock
first=$(docker inspect -f '{{.State.Pid}}' orbitbench)
until grep -qs onnxruntime_pybind11 /proc/[0-9]*/maps; do [ -d /proc/$first ] || exit; sleep .01; done
docker kill orbitbench
"""
ROWS: list[dict[str, Any]] = []


@pytest.fixture(scope="module", autouse=True)
def _matrix() -> Iterator[None]:
    """Print and keep what every fault cost."""
    yield
    matrix.write("fleet-faults", ROWS)
    for row in ROWS:
        print(f"{row['case']}: expected {row['expected']}, kept {row['got']}, {row['how']}")


@pytest.fixture(scope="module")
def small(
    tmp_path_factory: pytest.TempPathFactory, job_image: bytes, load_image: Callable[[Board, bytes], None]
) -> Iterator[Fleet]:
    """A board of its own: a small disk, and an engine that takes its containers down with it."""
    with Fleet(tmp_path_factory.mktemp("small"), "small", dockerd=(), disk_mb=700) as fleet:
        load_image(fleet["small"], job_image)
        load_image(fleet["small"], rootfs.slow_jobs())
        yield fleet


class Scene:
    """A run on one board, under way."""

    def __init__(self, fleet: Fleet, name: str, folder: Path, **device: Any) -> None:
        self.fleet, self.board, self.folder = fleet, fleet[name], folder
        settings = {"transport": "docker", "host": name, "image": rootfs.SLOW_IMAGE}
        limits = {"min_free_disk": 0, "min_free_memory": 0}
        devices = {name: sample.device(**{**settings, "limits": limits, **device})}
        self.run = sample.real_run(folder / "results", JOBS, devices, processes=1)
        self.records = self.run.devices[name]
        self.finished: dict[str, bytes] = {}  # on the board when the fault struck
        self.processes: list[subprocess.Popen[str]] = []
        self.env = {**os.environ, "PYTHONPATH": str(ROOT), "ORBITBENCH_SSH_CONFIG": str(fleet.ssh_config)}

    def start(self, *words: str, **env: str) -> subprocess.Popen[str]:
        words = words or ("run", "--resume", self.run.id)
        report = ["--no-report"] if words[0] in ("run", "collect") else []
        command = [sys.executable, "-m", "orchestrate.cli", *words, *report]
        out = subprocess.PIPE
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**self.env, **env},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            text=True,
        )
        self.processes.append(process)
        return process

    def beside(self, name: str, **device: Any) -> "Scene":
        """Another run on the same board; what it starts ends with this scene."""
        other = Scene(self.fleet, self.board.name, self.folder / name, **device)
        other.processes = self.processes
        return other

    def end(self) -> None:
        """End what a failed fault has left at work here."""
        for process in self.processes:
            process.kill()
            process.communicate()

    def begin(self, *words: str, **env: str) -> subprocess.Popen[str]:
        """Start, and return when the first of the records is here and others are to come."""
        process = self.start(*words, **env)
        wait_for(lambda: self.kept() or process.poll() is not None)
        assert process.poll() is None, process.communicate()
        return process

    def kept(self) -> dict[str, bytes]:
        """Records here, by job."""
        return {path.stem: path.read_bytes() for path in self.records.records.glob("[!.]*.json")}

    def on_board(self) -> dict[str, bytes]:
        """Records in the run's volume, by job."""
        folder = f"/var/lib/docker/volumes/orbitbench-{self.run.id}-*/_data/out/records"
        names = self.board.sh(f"cd {folder} 2>/dev/null && ls", check=False).split()
        return {
            name.removesuffix(".json"): self.board.sh(f"cat {folder}/{name}").encode()
            for name in names
            if name.endswith(".json")
        }

    def note(self) -> None:
        """Remember what is finished at this moment, here or on the board."""
        self.finished = {**self.on_board(), **self.kept()}

    def note_midway(self) -> None:
        """The same where a fault is to strike a run: work must be left to hurt."""
        self.note()
        assert len(self.finished) < JOBS, "all was finished before the fault: is rootfs.SLOW_START at work?"

    def ends(self, process: subprocess.Popen[str], code: int, seconds: float = PATIENCE) -> str:
        """Wait for the end; what it said."""
        out, err = process.communicate(timeout=seconds)
        assert process.returncode == code, out + err
        assert "Traceback" not in out + err
        return out + err

    def resumes(self, *words: str) -> str:
        """Go on, to the end."""
        return self.ends(self.start(*words) if words else self.start(), 0)

    def complete(self, case: str, how: str) -> None:
        """Every record is here, those finished before the fault as they were; the board is clean. One row."""
        kept = self.kept()
        again = [job for job, data in self.finished.items() if kept.get(job) != data]
        row = {"case": case, "expected": JOBS, "got": len(kept), "how": how}
        ROWS.append(
            {**row, "before": len(self.finished), "again": len(again), "ok": len(kept) == JOBS and not again}
        )
        assert len(kept) == JOBS
        assert again == []
        assert self.board.docker("ps", "-aq") == ""
        assert self.board.docker("volume", "ls", "-q") == ""


@contextlib.contextmanager
def held(board: Board) -> Iterator[None]:
    """The run there goes no further meanwhile, however long that takes."""
    board.docker("pause", "orbitbench")
    try:
        yield
    finally:
        board.docker("unpause", "orbitbench", check=False)


class Fault(NamedTuple):
    """What is done to a run, on which board, and how it ended."""

    name: str
    run: Callable[[Scene], None]
    board: str
    end: concurrent.futures.Future[None]


FAULTS: list[Fault] = []


def fault(*values: Any, board: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """List a function as a fault, with `values` after its scene; boards take turns unless one is named."""

    def listed(function: Callable[..., None]) -> Callable[..., None]:
        words = [function.__name__, *(str(getattr(value, "name", value)) for value in values)]
        run = lambda scene: function(scene, *values)  # noqa: E731
        turn = board or ("board1", "board2")[len(FAULTS) % 2]
        FAULTS.append(Fault("-".join(words), run, turn, concurrent.futures.Future()))
        return function

    return listed


@fault()
def link_cut_and_mended(scene: Scene) -> None:
    process = scene.begin()
    scene.note_midway()
    scene.board.link(False)
    time.sleep(2)
    scene.board.link(True)
    scene.ends(process, 0)
    scene.complete("link cut and mended", "by itself")


@fault()
def link_cut_for_good(scene: Scene) -> None:
    process = scene.begin("run", "--resume", scene.run.id, "--patience", "1")
    scene.note_midway()
    scene.board.link(False)
    said = scene.ends(process, 1)
    assert f"to go on: orchestrate run --resume {scene.run.id}" in said
    scene.board.link(True)
    wait_for(lambda: len(scene.on_board()) == JOBS)  # the board has gone on without us
    scene.note()
    scene.resumes()
    scene.complete("link cut for good", "--resume")


@fault()
def sshd_killed(scene: Scene) -> None:
    process = scene.begin()
    scene.note_midway()
    scene.board.kill_sshd()
    time.sleep(1)
    scene.board.start_sshd()
    scene.ends(process, 0)
    scene.complete("sshd killed, started again", "by itself")


@fault("KILL")
@fault("TERM")
def engine_restarted_with_live_restore(scene: Scene, sign: str) -> None:
    process = scene.begin()
    scene.note_midway()
    scene.board.kill_dockerd(sign)
    scene.board.start_dockerd()
    scene.ends(process, 0)
    scene.complete(f"engine restarted by {sign}, live-restore", "by itself")


@fault(board="small")
def engine_restarted_without_live_restore(scene: Scene) -> None:
    process = scene.begin()
    scene.note_midway()
    scene.board.kill_dockerd("KILL")
    scene.board.start_dockerd()
    if process.wait(PATIENCE):  # the containers went down with it: seen as killed, or started again at once
        scene.resumes()
    scene.complete("engine restarted, no live-restore", "by itself or --resume")


@fault()
def power_cut(scene: Scene) -> None:
    process = scene.begin()
    scene.note_midway()
    scene.board.power_cut()
    scene.board.switch_on()
    scene.ends(process, 0)
    scene.complete("power cut and reboot", "by itself")


@fault()
def container_killed(scene: Scene) -> None:
    process = scene.begin()
    scene.note_midway()
    scene.board.sh(KILL_WHEN_COMPUTING)
    assert "its container was killed" in scene.ends(process, 1)
    scene.note()
    scene.resumes()
    scene.complete("container killed", "--resume")


@fault()
def container_removed(scene: Scene) -> None:
    process = scene.begin()
    scene.note_midway()
    scene.board.docker("rm", "-f", "orbitbench")
    scene.ends(process, 1)
    scene.resumes()
    scene.complete("container removed by hand", "--resume")


@fault()
def out_of_memory(scene: Scene) -> None:
    process = scene.begin()
    scene.note_midway()
    scene.board.docker("update", "--memory", "8m", "--memory-swap", "8m", "orbitbench", check=False)
    code = process.wait(PATIENCE)
    said = "".join(process.communicate())
    assert code in (0, 1), said  # the measuring process died (a failed record) or the whole container
    assert "Traceback" not in said
    if code:
        scene.resumes("run", "--resume", scene.run.id, "--retry", "failed")
    scene.complete("out of memory", "--resume --retry failed")


@fault(board="small")
def disk_of_the_board_full(scene: Scene) -> None:
    process = scene.begin()
    scene.note_midway()
    scene.board.fill_disk()
    code = process.wait(PATIENCE)
    said = "".join(process.communicate())
    scene.board.free_disk()
    assert "Traceback" not in said
    if code:
        scene.resumes()
    scene.complete("the board's disk full", "--resume")


@fault()
def disk_here_full(scene: Scene) -> None:
    scene.records.records.mkdir()
    shell("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", str(scene.records.records))
    try:
        said = scene.ends(scene.start(), 1)
        assert "No space left on device" in said
        assert "nothing is lost" in said
    finally:
        shell("umount", str(scene.records.records))
    wait_for(lambda: len(scene.on_board()) == JOBS)
    scene.note()
    scene.resumes()
    scene.complete("the disk here full", "--resume")


@fault()
def orchestrator_killed(scene: Scene) -> None:
    process = scene.begin()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    scene.note()
    scene.resumes()
    scene.complete("orchestrator killed by SIGKILL", "--resume")


@fault()
def two_orchestrators(scene: Scene) -> None:
    process = scene.begin()
    scene.note_midway()
    with held(scene.board):
        other = scene.beside("other")
        other_id = other.run.path.rename(other.run.path.with_name("20261122-191501-tiny")).name
        for name in ("plan.json", f"{scene.board.name}/jobs.json"):
            file = other.run.path.with_name(other_id) / name
            file.write_text(file.read_text().replace(sample.NAME, other_id))
        said = other.ends(other.start("run", "--resume", other_id), 1)
        assert f"held by run {scene.run.id}" in said
        said = other.ends(other.start("run", "--resume", other_id, "--break-lock"), 1)
        assert f"held by run {scene.run.id}" in said  # a living holder keeps its board
    scene.ends(process, 0)
    scene.complete("two orchestrators at once", "the second is refused")


@fault()
def records_damaged_on_the_board(scene: Scene) -> None:
    scene.ends(scene.start("run", "--resume", scene.run.id, "--detach"), 0)
    wait_for(lambda: len(scene.on_board()) == JOBS)
    records = f"/var/lib/docker/volumes/orbitbench-{scene.run.id}-{scene.board.name}/_data/out/records"
    first, second, third = (f"{records}/{job}.json" for job in scene.records.wanted)
    scene.board.sh(f"echo garbage > {first}; ln -sf /etc/shadow {second}; truncate -s 100M {third}")
    said = scene.ends(scene.start("collect", scene.run.id), 1)
    assert f"{JOBS} of {JOBS} records missing" in said
    assert scene.kept() == {}
    scene.resumes()
    scene.complete("records damaged on the board: garbage, a link, 100 MB", "--resume")


@fault()
def clock_a_day_ahead(scene: Scene) -> None:
    folder = scene.folder / "skew"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import time\nreal = time.time\ntime.time = lambda: real() + 86400\n"
    )
    process = scene.begin(PYTHONPATH=f"{folder}:{ROOT}")
    scene.note_midway()
    scene.ends(process, 0)
    scene.complete("our clock a day ahead", "by itself")
    facts = [
        json.loads(data)["environment"]["board"]["clock_ahead_seconds"] for data in scene.kept().values()
    ]
    assert all(abs(ahead + 86400) < PATIENCE for ahead in facts)


@fault()
def image_deleted_midway(scene: Scene) -> None:
    process = scene.begin()
    scene.note_midway()
    scene.board.docker("rmi", "-f", rootfs.SLOW_IMAGE)
    try:
        scene.ends(process, 0)
    finally:
        scene.board.load(rootfs.slow_jobs())
    scene.complete("image deleted midway", "by itself")


@fault()
def slow_link(scene: Scene) -> None:
    scene.board.throttle("100kbps")
    try:
        scene.ends(scene.begin(), 0)
    finally:
        scene.board.throttle(None)
    scene.complete("link of 100 kB/s", "by itself")


@fault()
def detached_and_collected(scene: Scene) -> None:
    scene.ends(scene.start("run", "--resume", scene.run.id, "--detach"), 0)
    with held(scene.board):
        said = scene.ends(scene.start("status", scene.run.id), 1)
    assert "at work" in said
    wait_for(lambda: len(scene.on_board()) == JOBS)
    scene.note()
    assert '"event": "end"' in scene.ends(scene.start("logs", scene.run.id), 0)
    scene.resumes("collect", scene.run.id)
    scene.complete("detached, collected later", "collect")


@fault(signal.SIGINT)
@fault(signal.SIGTERM)
def interrupted_without_a_terminal_the_board_is_left_at_work(scene: Scene, number: signal.Signals) -> None:
    process = scene.begin()
    with held(scene.board):
        process.send_signal(number)
        said = scene.ends(process, 130)
        assert f"orchestrate run --resume {scene.run.id}" in said
        assert scene.board.docker("ps", "-q") != ""
    scene.note()
    scene.resumes()
    scene.complete(f"interrupted ({number.name})", "--resume")


@fault()
def what_was_prepared_is_restored_even_by_the_next_run_after_a_kill(scene: Scene) -> None:
    board = scene.board
    folder = board.sh("mktemp -d && chmod 777 /tmp/tmp.*").split()[0]
    changes = {
        "prepare": [["touch", f"{folder}/fast"], ["touch", f"{folder}/$(id);reboot"]],
        "restore": [["rm", f"{folder}/fast"], ["rm", f"{folder}/$(id);reboot"]],
    }
    scene = scene.beside("prepared", **changes)
    process = scene.begin()
    assert board.sh(f"ls {folder}").splitlines() == ["$(id);reboot", "fast"]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    scene.note()
    scene.resumes()
    assert board.sh(f"ls {folder}").split() == []
    scene.complete("prepared, killed, restored", "--resume")


def endured(faults: list[Fault], fleet: Fleet, folder: Path) -> None:
    """One fault after another on the board of theirs."""
    for each in faults:
        if not each.end.set_running_or_notify_cancel():
            continue
        try:
            run_one(each, Scene(fleet, each.board, folder / each.name))
        except BaseException as error:
            each.end.set_exception(error)
        else:
            each.end.set_result(None)


def run_one(fault: Fault, scene: Scene) -> None:
    """One fault; whatever it left, the next finds the board as new."""
    try:
        fault.run(scene)
    except BaseException:
        scene.end()
        scene.board.mend()
        raise
    scene.end()
    scene.board.clean()


@pytest.fixture
def no_failure_fails_the_next() -> None:
    """`run_one` sees to that: other faults are under way."""


@pytest.fixture(scope="module")
def faults(
    job_fleet: Fleet, small: Fleet, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[dict[str, Fault]]:
    """All faults that are asked for, under way."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    wanted = {item.callspec.params["name"] for item in items if item.module is request.module}
    folder = tmp_path_factory.mktemp("faults")
    for board in job_fleet.boards.values():
        board.load(rootfs.slow_jobs())
    with concurrent.futures.ThreadPoolExecutor() as pool:
        for name, fleet in {"board1": job_fleet, "board2": job_fleet, "small": small}.items():
            pool.submit(
                endured,
                [each for each in FAULTS if each.board == name and each.name in wanted],
                fleet,
                folder,
            )
        yield {each.name: each for each in FAULTS}
        for each in FAULTS:
            each.end.cancel()  # those that were not begun when the tests ended early


@pytest.mark.parametrize("name", [each.name for each in FAULTS])
def test_no_record_is_lost_or_made_twice(faults: dict[str, Fault], name: str) -> None:
    faults[name].end.result()
