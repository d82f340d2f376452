"""A board's fitness and the commands around a run: limits in words; what was changed is always put back."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrate.doctor import limits, probe
from orchestrate.errors import OrbitError
from orchestrate.execution import board_setup, owed
from tests.unit.orchestrate import sample


class FakeEngine:
    """A board that notes what it is asked to run; commands in `failing` end with code 1."""

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


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """This user's state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state/orbitbench/owed"


def at(engine: FakeEngine, run: str = sample.NAME, host: str = "pi4", **settings: Any) -> board_setup.Host:
    """The machine behind `board`, whose entry `settings` make, for one run."""
    device = sample.device(transport="docker", image="i", host=host, **settings)
    return board_setup.Host(engine, run, "board", {"board": device})  # type: ignore[arg-type]


UNKNOWN = probe.facts("")
CHANGES = {"prepare": [["fast", "a b"]], "restore": [["slow"], ["default"]]}


def quiet(_: str) -> None:
    """Nobody listens."""


def test_a_board_at_work_is_asked_once_a_minute_and_only_where_it_can_tell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(board_setup.time, "monotonic", lambda: now[0])
    asked: list[float] = []

    def facts(_: board_setup.Host) -> probe.Facts:
        asked.append(now[0])
        return replace(UNKNOWN, throttled=0)

    monkeypatch.setattr(board_setup.Host, "facts", facts)
    host = at(FakeEngine())
    host.watch()  # whether it can tell is not known
    host.ready()
    for second in range(0, 150, 5):
        now[0] = 1000.0 + second
        host.watch()
    assert asked == [1000.0, 1060.0, 1120.0]


def test_what_the_records_keep_of_a_board_is_what_it_says_made_harmless() -> None:
    says = "== time\n1\n== model\nRaspberry Pi 4\x1b[2J\n"
    says += "== l4t\n# R32 (release), REVISION: 7.1\njunk\n== disk\nx"
    kept = at(FakeEngine(says)).ready()
    assert kept["model"] == "Raspberry Pi 4?[2J"
    assert kept["l4t"] == "# R32 (release), REVISION: 7.1"
    assert kept["clock_ahead_seconds"] < -1e9


def test_a_board_that_says_nothing_leaves_nothing_in_the_records() -> None:
    kept = at(FakeEngine()).ready()
    assert [kept[name] for name in ("model", "l4t", "clock_ahead_seconds")] == [None] * 3


def test_a_board_beyond_its_limits_is_not_made_ready() -> None:
    with pytest.raises(OrbitError, match="temperature: 92 °C, limit 70 °C"):
        at(FakeEngine("== zones\ncpu-thermal 45000\ngpu-thermal 91500")).ready()


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        ({"temperature": 81.0}, "temperature: 81 °C, limit 70 °C; let it cool"),
        ({"memory_available": 10_000_000}, "memory: 10 MB free, 200 MB wanted; stop what uses it"),
        ({"disk_free": 10_000_000}, "disk: 10 MB free, 500 MB wanted; `docker system prune`"),
    ],
)
def test_a_board_beyond_its_limits_is_told_with_what_to_do(facts: dict[str, Any], said: str) -> None:
    (problem,) = limits.unmet(replace(UNKNOWN, **facts), sample.device())
    assert problem.startswith(said)
    assert "limits" in problem


def test_a_board_that_says_nothing_is_not_held_unfit() -> None:
    assert limits.unmet(UNKNOWN, sample.device()) == []


def test_what_is_prepared_is_restored_word_by_word(state: Path) -> None:
    engine = FakeEngine()
    this = at(engine, **CHANGES)
    this.prepare(quiet)
    (note,) = state.iterdir()
    kept = {"device": "board", "host": "pi4", "run": sample.NAME, "power": None, "before": {}}
    assert json.loads(note.read_text()) == kept
    assert [each.stat().st_mode & 0o777 for each in (state, state.parent)] == [0o700, 0o700]
    this.restore()
    assert engine.ran == ["fast 'a b'", "slow", "default"]
    assert list(state.iterdir()) == []
    this.restore()
    assert len(engine.ran) == 3  # once


def test_a_preparation_that_fails_still_owes_the_restore() -> None:
    engine = FakeEngine(failing=("fast 'a b'",))
    this = at(engine, **CHANGES)
    with pytest.raises(OrbitError, match=r"`fast 'a b'` failed with code 1: sudo: a password is required"):
        this.prepare(quiet)
    this.restore()
    assert engine.ran[1:] == ["slow", "default"]


def test_a_restore_that_fails_runs_the_others_and_is_owed_until_it_succeeds(state: Path) -> None:
    engine = FakeEngine(failing=("slow",))
    this = at(engine, **CHANGES)
    this.prepare(quiet)
    with pytest.raises(OrbitError, match="`slow` failed"):
        this.restore()
    assert engine.ran[1:] == ["slow", "default"]
    engine.failing = ()
    this.restore()
    assert list(state.iterdir()) == []


def test_the_next_run_restores_what_a_dead_one_left_on_the_same_board_only(state: Path) -> None:
    at(FakeEngine(), "20261122-000001-tiny", **CHANGES).prepare(quiet)
    at(FakeEngine(), "20261122-000002-tiny", host="other", **CHANGES).prepare(quiet)
    engine = FakeEngine()
    at(engine, "20261122-000003-tiny", restore=CHANGES["restore"]).prepare(quiet)
    assert engine.ran == ["slow", "default"]
    (left,) = owed.notes()
    assert left.host == "other"


def test_what_another_run_owes_is_not_restored_by_collecting() -> None:
    at(FakeEngine(), "20261122-000001-tiny", **CHANGES).prepare(quiet)
    engine = FakeEngine()
    at(engine, "20261122-000002-tiny", **CHANGES).restore()
    assert engine.ran == []


def test_what_is_owed_to_an_entry_that_is_gone_is_said_and_stays_owed(state: Path) -> None:
    at(FakeEngine(), "20261122-000001-tiny", **CHANGES).prepare(quiet)
    device = sample.device(transport="docker", image="i", host="pi4")
    engine = FakeEngine()
    other = board_setup.Host(engine, "20261122-000002-tiny", "new", {"new": device})  # type: ignore[arg-type]
    with pytest.raises(OrbitError, match=r"20261122-000001-tiny changed this board as device board.*put the"):
        other.prepare(quiet)
    assert engine.ran == []
    assert len(list(state.iterdir())) == 1
