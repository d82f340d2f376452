"""A board's fitness and the commands around a run: limits in words; what was changed is always put back."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrate.doctor import probe
from orchestrate.errors import OrbitError
from orchestrate.execution import board_setup
from tests.unit.orchestrate import sample


class FakeEngine:
    """A board that notes what it is told to run; commands in `failing` end with code 1."""

    def __init__(self, says: str = "", failing: tuple[str, ...] = ()) -> None:
        self.says, self.failing, self.ran = says, failing, []  # type: ignore[var-annotated]

    def info(self) -> Any:
        return SimpleNamespace(root="/var/lib/docker")

    def run(self, words: list[str], timeout: float = 0, stdin: bytes = b"") -> Any:
        if words == ["sh", "-s"]:
            return SimpleNamespace(code=0, out=self.says, err="")
        self.ran.append(shlex.join(words))
        bad = self.ran[-1] in self.failing
        return SimpleNamespace(code=int(bad), out="", err="sudo: a password is required" if bad else "")


def at(tmp_path: Path, engine: FakeEngine, run: str = sample.NAME, **settings: Any) -> board_setup.Host:
    folder = sample.run(tmp_path, "a", name=run).devices["local"]
    device = sample.device(transport="docker", image="i", host="pi4", **settings)
    return board_setup.Host(engine, folder, device)  # type: ignore[arg-type]


UNKNOWN = probe.facts("")
CHANGES = {"prepare": [["fast", "a b"]], "restore": [["slow"], ["default"]]}


def quiet(_: str) -> None:
    """Nobody listens."""


def test_what_the_records_keep_of_a_board_is_what_it_says_made_harmless(tmp_path: Path) -> None:
    says = "== time\n1\n== model\nRaspberry Pi 4\x1b[2J\n"
    says += "== l4t\n# R32 (release), REVISION: 7.1\njunk\n== disk\nx"
    kept = at(tmp_path, FakeEngine(says)).ready()
    assert kept["model"] == "Raspberry Pi 4?[2J"
    assert kept["l4t"] == "# R32 (release), REVISION: 7.1"
    assert kept["clock_ahead_seconds"] < -1e9


def test_a_board_that_says_nothing_leaves_nothing_in_the_records(tmp_path: Path) -> None:
    kept = at(tmp_path, FakeEngine()).ready()
    assert [kept[name] for name in ("model", "l4t", "clock_ahead_seconds")] == [None] * 3


def test_a_board_beyond_its_limits_is_not_made_ready(tmp_path: Path) -> None:
    with pytest.raises(OrbitError, match="too hot"):
        at(tmp_path, FakeEngine("== zones\ncpu-thermal 45000\ngpu-thermal 91500")).ready()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"temperature": 81.0}, "too hot (81 °C, more than 70)"),
        ({"memory_available": 10_000_000}, "too little free memory (10 MB, less than 200 MB)"),
        ({"disk_free": 10_000_000}, "too little free disk (10 MB, less than 500 MB)"),
    ],
)
def test_a_board_beyond_its_limits_is_told_with_what_to_do(facts: dict[str, Any], said: str) -> None:
    (problem,) = board_setup.unfit(replace(UNKNOWN, **facts), sample.device())
    assert problem.startswith(said)
    assert "limits" in problem


def test_a_board_that_says_nothing_is_not_held_unfit() -> None:
    assert board_setup.unfit(UNKNOWN, sample.device()) == []


def test_what_is_prepared_is_restored_word_by_word(tmp_path: Path) -> None:
    engine = FakeEngine()
    this = at(tmp_path, engine, **CHANGES)
    this.prepare(quiet)
    assert json.loads(this.note.read_text()) == {"host": "pi4", "restore": [["slow"], ["default"]]}
    this.restore()
    assert engine.ran == ["fast 'a b'", "slow", "default"]
    assert not this.note.exists()
    this.restore()
    assert len(engine.ran) == 3  # once


def test_a_preparation_that_fails_still_owes_the_restore(tmp_path: Path) -> None:
    engine = FakeEngine(failing=("fast 'a b'",))
    this = at(tmp_path, engine, **CHANGES)
    with pytest.raises(OrbitError, match=r"`fast 'a b'` failed with code 1: sudo: a password is required"):
        this.prepare(quiet)
    this.restore()
    assert engine.ran[1:] == ["slow", "default"]


def test_a_restore_that_fails_runs_the_others_and_is_owed_until_it_succeeds(tmp_path: Path) -> None:
    engine = FakeEngine(failing=("slow",))
    this = at(tmp_path, engine, **CHANGES)
    this.prepare(quiet)
    with pytest.raises(OrbitError, match="`slow` failed"):
        this.restore()
    assert engine.ran[1:] == ["slow", "default"]
    engine.failing = ()
    this.restore()
    assert not this.note.exists()


def test_the_next_run_restores_what_a_dead_one_left_on_the_same_board_only(tmp_path: Path) -> None:
    dead, elsewhere = FakeEngine(), FakeEngine()
    left = at(tmp_path, dead, "20261122-000001-tiny", **CHANGES)
    left.prepare(quiet)
    other = at(tmp_path, elsewhere, "20261122-000002-tiny", **CHANGES)
    other.device = other.device.model_copy(update={"host": "other"})
    other.prepare(quiet)
    engine = FakeEngine()
    at(tmp_path, engine, "20261122-000003-tiny").prepare(quiet)
    assert engine.ran == ["slow", "default"]
    assert not left.note.exists()
    assert other.note.exists()
