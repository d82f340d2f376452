"""GPU memory on a Jetson: what nvmap charges to the measuring process, by either of its two readings.

The board is a fake /proc and /sys whose tables always agree with each other, in the formats of L4T's kernels.
"""

from pathlib import Path
from typing import Any

import pytest

from bench.record import schema
from bench.runtime.machine import nvmap
from bench.runtime.measure.memory import Ladder

OURS, DESKTOP = 8123, 7240
CONTEXT, MODEL = 150 << 20, 60 << 20


class Jetson:
    """Its nvmap: bytes by process. `debugfs` is whether we may read /sys/kernel/debug."""

    def __init__(self, root: Path, debugfs: bool) -> None:
        self.root, self.debugfs, self.held = str(root) + "/", debugfs, {DESKTOP: 80 << 20}
        self._write("proc/self/status", f"Name:\tpython3\nPid:\t7\nNSpid:\t{OURS}\t7\n")
        self.give(OURS, 0)

    def give(self, pid: int, size: int) -> None:
        """The process holds `size` bytes more."""
        self.held[pid] = self.held.get(pid, 0) + size
        total = sum(self.held.values())
        self._write("proc/meminfo", f"MemTotal:  8000000 kB\nNvMapMemUsed:  {total >> 10} kB\n")
        if self.debugfs:
            lines = [f"user  python3  {pid}  {held >> 10}K" for pid, held in self.held.items() if held]
            table = ["CLIENT  PROCESS  PID  SIZE", *lines, f"total  {total >> 10}K"]
            self._write("sys/kernel/debug/nvmap/iovmm/clients", "\n".join(table) + "\n")

    def _write(self, name: str, text: str) -> None:
        path = Path(self.root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def climb(board: Jetson) -> dict[str, dict[str, Any]]:
    """The rungs of a process that makes a CUDA context and loads a model on `board`, by name."""
    ladder = Ladder(0, nvmap.total_bytes(board.root + "proc/meminfo"), board.root)
    steps = {"device_initialised": CONTEXT, "model_loaded": MODEL}
    for rung in schema.RUNGS:
        board.give(OURS, steps.get(rung, 0))
        ladder.read(rung)
    return {rung["rung"]: rung for rung in ladder.rungs}


@pytest.mark.parametrize(("debugfs", "source"), [(True, "debugfs"), (False, "meminfo")])
def test_the_context_and_the_model_are_charged_to_their_rungs(
    tmp_path: Path, debugfs: bool, source: str
) -> None:
    rungs = climb(Jetson(tmp_path, debugfs))
    assert rungs["start"]["nvmap"] == rungs["backend_imported"]["nvmap"] == 0
    assert rungs["device_initialised"]["nvmap"] == CONTEXT
    assert rungs["steady_trimmed"]["nvmap"] - rungs["device_initialised"]["nvmap"] == MODEL
    assert {rung["nvmap_source"] for rung in rungs.values()} == {source}
    assert rungs["steady"]["nvmap_total"] == CONTEXT + MODEL + (80 << 20)


def test_what_a_desktop_takes_meanwhile_is_not_ours_where_debugfs_is_open(tmp_path: Path) -> None:
    board = Jetson(tmp_path, debugfs=True)
    before = nvmap.total_bytes(board.root + "proc/meminfo")
    board.give(DESKTOP, 40 << 20)
    assert nvmap.reading(before, board.root)["nvmap"] == 0


def test_memory_that_others_gave_back_is_no_negative_size(tmp_path: Path) -> None:
    board = Jetson(tmp_path, debugfs=False)
    before = nvmap.total_bytes(board.root + "proc/meminfo")
    board.give(DESKTOP, -(40 << 20))
    assert nvmap.reading(before, board.root)["nvmap"] == 0


def test_a_machine_without_nvmap_knows_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal: 8 kB\n")
    empty = {"nvmap": None, "nvmap_total": None, "nvmap_source": None}
    assert nvmap.reading(None, str(tmp_path) + "/") == empty


def test_without_a_reading_before_the_process_its_part_is_unknown_rather_than_all(tmp_path: Path) -> None:
    board = Jetson(tmp_path, debugfs=False)
    found = nvmap.reading(None, board.root)
    assert found["nvmap"] is None
    assert found["nvmap_total"] == 80 << 20
