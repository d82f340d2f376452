"""What the orchestrator itself costs as boards grow: seconds, memory, descriptors, threads (stub engines)."""

import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrate.runs.folder import Run
from tests.service import rootfs
from tests.service.fleet import Fleet, missing
from tests.unit.orchestrate import sample

ROOT = Path(__file__).resolve().parents[2]
JOBS = 4
JOB_SECONDS = 1.0  # of a stub's job: what the boards themselves need is JOBS x this
TARGETS = {1: 10.0, 8: 12.0, 64: 30.0, 500: 180.0}  # seconds beyond the boards' own; two slow cores
MEMORY_MB = {1: 150, 8: 160, 64: 250, 500: 800}


class Peak(threading.Thread):
    """Watches a process: the most descriptors, threads and memory it ever had.

    Memory is VmHWM, not ru_maxrss, which a process inherits from the one that started it.
    """

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.proc, self.descriptors, self.threads, self.memory = Path(f"/proc/{pid}"), 0, 0, 0.0

    def run(self) -> None:
        while True:
            try:
                self.descriptors = max(self.descriptors, len(os.listdir(self.proc / "fd")))
                self.threads = max(self.threads, len(os.listdir(self.proc / "task")))
                status = (self.proc / "status").read_text()
                if "VmHWM" in status:  # gone from one that has ended
                    self.memory = int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6
            except OSError:
                return
            time.sleep(0.2)


def fleet(folder: Path, boards: int) -> dict[str, float]:
    """A whole run on so many stub boards: seconds, MB, descriptors and threads at most, records kept."""
    record = folder / "record.json"
    record.write_bytes(sample.encoded(sample.record("x")))
    devices = {
        f"board{n}": sample.device(transport="docker", host=f"unix://{folder}/{n}.sock", image="stub/job:1")
        for n in range(boards)
    }
    run = sample.real_run(folder / "results", JOBS, devices)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [
        sys.executable,
        "-m",
        "tests.performance.engine_stub",
        str(folder),
        str(boards),
        str(JOB_SECONDS),
    ]
    stub = subprocess.Popen([*words, str(record)], env=env)
    try:
        while not (folder / "ready").exists():
            time.sleep(0.05)
        return measured(run, env)
    finally:
        stub.kill()
        stub.wait()


def measured(run: Run, env: dict[str, str]) -> dict[str, float]:
    """Run the command line on it and watch."""
    start = time.perf_counter()
    manifest = run.path.parents[1] / "manifests/devices.yaml"
    command = [sys.executable, "-m", "orchestrate.cli", "run", "--no-report", "--resume", str(run.path)]
    command += ["--devices", str(manifest)]
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    peak = Peak(process.pid)
    peak.start()
    status = process.wait()
    return {
        "seconds": time.perf_counter() - start,
        "memory": peak.memory,
        "descriptors": peak.descriptors,
        "threads": peak.threads,
        "kept": sum(len(list(folder.stored())) for folder in run.devices.values()),
        "code": status,
    }


def scale() -> list[dict[str, Any]]:
    """1, 8, 64 and 500 boards."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard)
    )  # for the stub of 500 engines
    rows = []
    for boards, limit in TARGETS.items():
        with tempfile.TemporaryDirectory(prefix="ob-", dir="/tmp") as folder:
            got = fleet(Path(folder), boards)
        beyond = got["seconds"] - JOBS * JOB_SECONDS
        whole = got["kept"] == boards * JOBS and got["code"] == 0
        shared = {
            "better": "lower",
            "peer": f"boards need {JOBS * JOB_SECONDS:g} s; {got['kept']:g} records kept",
        }
        name = f"fleet.{boards}_boards"
        mb = MEMORY_MB[boards]
        rows += [
            {
                "name": f"{name}.beyond",
                "value": beyond,
                "unit": "s",
                "target": f"<= {limit:g}",
                "ok": whole and beyond <= limit,
                **shared,
            },
            {
                "name": f"{name}.memory",
                "value": got["memory"],
                "unit": "MB",
                "target": f"<= {mb}",
                "ok": got["memory"] <= mb,
                **shared,
            },
            {
                "name": f"{name}.descriptors",
                "value": got["descriptors"],
                "unit": "",
                "target": "",
                "ok": None,
                **shared,
            },
            {
                "name": f"{name}.threads",
                "value": got["threads"],
                "unit": "",
                "target": "",
                "ok": None,
                **shared,
            },
        ]
    return rows


def by_hand(fleet: Fleet, run: Run) -> float:
    """Seconds of the same work typed by hand: docker over ssh, volume, copy in, run, copy out, clean up."""
    host, out = f"ssh://{next(iter(fleet.boards))}", run.path / "by-hand"
    wrapper = fleet.folder / "bin" / "ssh"  # the docker command takes the first ssh on its path
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {fleet.ssh_config} "$@"\n')
    wrapper.chmod(0o755)
    env = {**os.environ, "PATH": f"{wrapper.parent}:{os.environ['PATH']}"}
    device = next(iter(run.devices))

    def docker(*words: str) -> None:
        subprocess.run(["docker", "-H", host, *words], env=env, check=True, stdout=subprocess.DEVNULL)

    start = time.perf_counter()
    docker("volume", "create", "hand")
    mount = ["--name", "hand", "--network", "none", "-v", "hand:/data", rootfs.JOB_IMAGE]
    docker("create", *mount, f"/data/{device}/jobs.json", "/data/out")
    for name in ("bundle", device):
        docker("cp", str(run.path / name), "hand:/data/")
    docker("start", "-a", "hand")
    docker("cp", "hand:/data/out/records", str(out))
    docker("rm", "hand")
    docker("volume", "rm", "hand")
    return time.perf_counter() - start


def against_hand() -> list[dict[str, Any]]:
    """One board behind ssh: what `orchestrate run` costs beyond typing the docker commands."""
    row = {
        "name": "fleet.one_board_against_docker_by_hand",
        "unit": "s",
        "better": "lower",
        "target": "<= peer + 6",
    }
    reason = missing() or rootfs.cannot_build_jobs()
    if reason:
        return [{**row, "value": None, "peer": reason, "ok": None}]
    measure = {"processes": 1, "min_seconds": 1.0, "max_seconds": 1.0}
    device = {"transport": "docker", "host": "board1", "image": rootfs.JOB_IMAGE}
    with tempfile.TemporaryDirectory(prefix="ob-", dir="/tmp") as name, Fleet(Path(name), "board1") as boards:
        load = ["docker", "-H", boards["board1"].docker_host, "load", "-q"]
        subprocess.run(load, input=rootfs.jobs(), check=True, stdout=subprocess.DEVNULL)
        run = sample.real_run(Path(name) / "results", JOBS, {"board1": sample.device(**device)}, **measure)
        peer = by_hand(boards, run)
        env = {**os.environ, "PYTHONPATH": str(ROOT), "ORBITBENCH_SSH_CONFIG": str(boards.ssh_config)}
        got = measured(run, env)
    ok = got["kept"] == JOBS and got["seconds"] <= peer + 6
    return [{**row, "value": got["seconds"], "peer": peer, "ok": ok}]


BENCHMARKS: list[Callable[[], list[dict[str, Any]]]] = [scale, against_hand]
