"""Power settings of a board: saved, set, verified, put back, on strict stand-ins of its tools."""

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrate.engine import ssh
from orchestrate.engine.errors import CommandHung
from orchestrate.errors import CommandFailed, LinkLost, OrbitError, PasswordWanted, RebootWanted
from orchestrate.execution import board_commands, board_setup, owed
from orchestrate.execution.board_commands import Commands
from tests.fakes import board_tools
from tests.unit.orchestrate import sample

JETSON = {"power": "jetson", "power_mode": "MAXN"}
PI = {"power": "governor", "power_mode": "performance"}


class Here:
    """An engine on this machine, whose tools are the stand-ins."""

    def info(self) -> Any:
        return SimpleNamespace(root="/")

    def run(self, words: list[str], timeout: float = 30, stdin: bytes = b"") -> ssh.Output:
        return ssh.run_here(words, timeout=timeout, stdin=stdin)


class Boards:
    """Makes boards' trees, and the machine of a run on them."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path, self.monkeypatch = folder / "board", monkeypatch
        self.home = folder / "home"
        self.home.mkdir()
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "state"))
        monkeypatch.setattr(os, "geteuid", lambda: 1000)

    def make(self, **settings: Any) -> "Boards":
        tools = board_tools.install(self.path, **settings)
        (tools / "id").write_text('#!/bin/sh\n[ "$1" = -u ] && echo 1000 || echo bench\n')
        (tools / "id").chmod(0o755)
        for name, value in (
            ("PATH", f"{tools}:/usr/bin:/bin"),
            ("HOME", str(self.home)),
            ("BOARD", str(self.path)),
        ):
            self.monkeypatch.setenv(name, value)
        return self

    def host(self, run: str = sample.NAME, **settings: Any) -> board_setup.Host:
        device = sample.device(transport="docker", image="i", host="jetson", **settings)
        host = board_setup.Host(Here(), run, "board", {"board": device})  # type: ignore[arg-type]
        host.power.root = str(self.path)
        return host

    def fault(self, name: str) -> None:
        (self.path / name).touch()

    @property
    def settings(self) -> dict[str, str]:
        return board_tools.settings(self.path)

    @property
    def ran(self) -> list[str]:
        """What sudo ran, with the board's folders taken away."""
        path = self.path / "ran"
        text = path.read_text() if path.exists() else ""
        for folder in (self.path / "bin", self.path, self.home):
            text = text.replace(f"{folder}/", "")
        return text.splitlines()


@pytest.fixture
def boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Boards:
    return Boards(tmp_path, monkeypatch)


def quiet(_: str) -> None:
    """Nobody listens."""


def test_a_jetson_is_put_into_its_mode_with_pinned_clocks_and_back_to_what_it_was(boards: Boards) -> None:
    board = boards.make(mode="3")
    before = board.settings
    host = board.host(**JETSON)
    facts = host.prepare(quiet)
    assert facts == {
        "power_mode": "MAXN",
        "power_mode_id": 0,
        "governors": ["ondemand"],
        "clocks_pinned": True,
    }
    assert board.settings["sys/devices/system/cpu/cpufreq/policy0/scaling_min_freq"] == "2265600"
    host.restore()
    assert board.settings == before
    clocks = ".local/state/orbitbench/clocks"
    assert board.ran == [
        f"jetson_clocks --store {clocks}",
        "nvpmodel -m 0",
        "jetson_clocks",
        "nvpmodel -m 3",
        f"jetson_clocks --restore {clocks}",
    ]
    assert list(owed.notes()) == []


def test_the_second_run_after_a_boot_is_as_good_as_the_first(boards: Boards) -> None:
    board = boards.make()
    before = board.settings
    for _ in range(2):
        host = board.host(**JETSON)
        host.prepare(quiet)
        host.restore()
    assert board.settings == before


def test_a_mode_that_is_set_already_is_not_set_again(boards: Boards) -> None:
    board = boards.make(mode="0")
    board.host(**JETSON).prepare(quiet)
    assert not [command for command in board.ran if command.startswith("nvpmodel")]


def test_what_a_dead_run_left_is_put_back_before_the_next_one_looks(boards: Boards) -> None:
    board = boards.make(mode="2")
    before = board.settings
    board.host("20261122-000001-tiny", **JETSON).prepare(quiet)  # and dies
    host = board.host("20261122-000002-tiny", **JETSON)
    host.prepare(quiet)
    (note,) = owed.notes()
    assert note.before == {"mode": "2"}
    host.restore()
    assert board.settings == before


def test_clocks_that_were_stored_since_this_boot_survive_a_lost_note(boards: Boards) -> None:
    board = boards.make(mode="0")
    before = board.settings
    board.host(**JETSON).prepare(quiet)
    for note in owed.notes():
        owed.drop(note)  # another machine of the user's made it
    host = board.host(**JETSON)
    host.prepare(quiet)
    host.restore()
    assert board.settings == before


def test_clocks_stored_before_a_reboot_are_not_put_back(boards: Boards) -> None:
    board = boards.make(mode="0")
    host = board.host(**JETSON)
    host.prepare(quiet)
    (boards.home / ".local/state/orbitbench/clocks.boot").write_text("another boot\n")
    host.restore()
    assert not [command for command in board.ran if "--restore" in command]


def test_a_mode_that_this_board_lacks_lists_those_that_it_has_and_changes_nothing(boards: Boards) -> None:
    board = boards.make()
    before = board.settings
    with pytest.raises(OrbitError, match=r"'MAXP'.*known: MAXN, MODE_10W, MODE_15W, MODE_30W_ALL"):
        board.host(power="jetson", power_mode="MAXP").prepare(quiet)
    assert (board.settings, board.ran) == (before, [])


def test_a_mode_that_wants_a_reboot_is_refused_and_the_board_is_not_rebooted(boards: Boards) -> None:
    board = boards.make()
    before = board.settings
    host = board.host(power="jetson", power_mode="MODE_10W")
    with pytest.raises(RebootWanted, match="nvpmodel -m 1` wants a reboot") as raised:
        host.prepare(quiet)
    assert not isinstance(raised.value, LinkLost)
    host.restore()
    assert board.settings == before
    assert not (board.path / "rebooted").exists()


def test_a_mode_that_silently_stayed_is_no_success(boards: Boards) -> None:
    board = boards.make()
    board.fault("stuck")
    with pytest.raises(CommandFailed, match=r"nvpmodel -m 0 left the board in mode 2 \(MODE_15W\)"):
        board.host(**JETSON).prepare(quiet)


def test_a_missing_sudo_right_says_where_the_line_is_printed(boards: Boards) -> None:
    board = boards.make()
    board.fault("password")
    with pytest.raises(PasswordWanted, match=r"a password is required.*devices check") as raised:
        board.host(**JETSON).prepare(quiet)
    assert not isinstance(raised.value, LinkLost)


def test_jetson_clocks_soon_after_a_boot_is_quoted(boards: Boards) -> None:
    board = boards.make()
    board.fault("young")
    with pytest.raises(CommandFailed, match="Please run the script after 40 Seconds"):
        board.host(**JETSON).prepare(quiet)


def test_clocks_that_are_not_pinned_are_said_and_recorded(boards: Boards) -> None:
    board = boards.make(mode="0")
    board.fault("lax")
    said: list[str] = []
    facts = board.host(**JETSON).prepare(said.append)
    assert facts["clocks_pinned"] is False
    assert [text for text in said if "may move" in text]


def test_a_pi_needs_no_package_for_its_governor_and_gets_each_policys_back(boards: Boards) -> None:
    board = boards.make(jetson=False)
    (board.path / f"{board_tools.POLICY}4/scaling_governor").write_text("schedutil\n")
    before = board.settings
    host = board.host(**PI)
    facts = host.prepare(quiet)
    assert (facts["power_mode"], facts["governors"]) == (None, ["performance"])
    host.restore()
    assert board.settings == before


def test_an_unknown_governor_is_the_kernels_refusal(boards: Boards) -> None:
    board = boards.make(jetson=False)
    with pytest.raises(CommandFailed, match="Invalid argument"):
        board.host(power="governor", power_mode="fastest").prepare(quiet)


@pytest.mark.parametrize(
    ("power", "said"), [("jetson", "names no power mode"), ("governor", "has no cpufreq")]
)
def test_power_that_a_board_does_not_have_is_corrected_in_devices_yaml(
    boards: Boards, power: str, said: str
) -> None:
    board = boards.make(jetson=False)
    for policy in board.path.glob(f"{board_tools.POLICY}*/*"):
        policy.unlink()
    with pytest.raises(OrbitError, match=f"{said}.*devices.yaml"):
        board.host(power=power).prepare(quiet)


def test_an_owners_own_lists_still_run_around_the_program(boards: Boards) -> None:
    board = boards.make(mode="0")
    mark = boards.home / "mark"
    host = board.host(**JETSON, prepare=[["touch", str(mark)]], restore=[["rm", str(mark)]])
    host.prepare(quiet)
    assert mark.exists()
    host.restore()
    assert not mark.exists()


@pytest.mark.parametrize(
    "before", [{"mode": "0; reboot"}, {"../x": "performance"}, {"mode": 3}, ["mode"], {}]
)
def test_a_note_with_anything_but_plain_settings_is_not_put_back(boards: Boards, before: object) -> None:
    owed.write(owed.OwedRestore("board", "jetson", sample.NAME, "jetson", before))  # type: ignore[arg-type]
    assert list(owed.notes()) == []


def test_a_command_that_waits_for_an_answer_is_no_lost_link(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(board_commands, "COMMAND_SECONDS", 0.2)
    with pytest.raises(CommandFailed, match="does it ask something") as raised:
        Commands(Here()).run(["sleep", "9"])  # type: ignore[arg-type]
    assert not isinstance(raised.value, LinkLost)
    with pytest.raises(CommandHung):
        ssh.run_here(["sleep", "9"], timeout=0.1)
