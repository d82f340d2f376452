"""Faults of a first real board, each with what the user reads: build/matrix-board.json."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.runtime.measure import validity
from bench.runtime.supervise.record_builder import surrounding
from orchestrate.devices import Device
from orchestrate.doctor import limits, probe
from orchestrate.doctor.checks import BoardFacts
from orchestrate.doctor.judges import examine
from orchestrate.engine import room, sockets, ssh
from orchestrate.errors import OrbitError
from orchestrate.execution import board_commands, board_setup
from tests.conftest import ROOT
from tests.matrix import Part, part_of
from tests.unit.orchestrate import sample
from tests.unit.orchestrate.test_board_power import JETSON, PI, Boards, Here, quiet
from tests.unit.orchestrate.test_doctor_checks import HEALTHY, INFO
from tests.unit.orchestrate.test_doctor_probe import TX2
from tests.unit.runtime.test_validity import CLEAN, ENTRY, FACTS

Case = Callable[[Boards, pytest.MonkeyPatch], str]
XAVIER = Device(host="xavier", image="jetson-xavier", backend="tensorrt", runtime="nvidia", power="jetson")
DIED = "20261122-000001-tiny"


part = part_of("board", "unit")


@pytest.fixture
def boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Boards:
    return Boards(tmp_path, monkeypatch)


def said(call: Callable[[], object]) -> str:
    """The message with which `call` ends, or `no complaint`."""
    try:
        call()
    except OrbitError as error:
        return str(error)
    return "no complaint"


def prepared(fault: str = "", jetson: bool = True, **settings: Any) -> Case:
    """A run made ready on a board with a fault; what is said, and whether the board is as it was after."""

    def case(boards: Boards, _: pytest.MonkeyPatch) -> str:
        board = boards.make(jetson=jetson)
        if fault:
            board.fault(fault)
        before = board.settings
        host = board.host(**(settings or JETSON))
        text = said(lambda: host.prepare(quiet))
        (board.path / "password").unlink(missing_ok=True)
        back = said(host.restore)
        left = "as it was" if board.settings == before else "CHANGED"
        return f"{text} / {back} / {left}"

    return case


def stored_twice(boards: Boards, _: pytest.MonkeyPatch) -> str:
    board = boards.make()
    before = board.settings
    answers = []
    for _ in range(2):
        host = board.host(**JETSON)
        answers += [said(lambda h=host: h.prepare(quiet)), said(host.restore)]
    return f"{' / '.join(answers)} / {'as it was' if board.settings == before else 'CHANGED'}"


def died_between(boards: Boards, _: pytest.MonkeyPatch) -> str:
    board = boards.make()
    before = board.settings
    board.host(DIED, **JETSON).prepare(quiet)
    heard: list[str] = []
    host = board.host(**JETSON)
    host.prepare(heard.append)
    host.restore()
    return f"{heard[0]} / {'as it was' if board.settings == before else 'CHANGED'}"


def hung(_: Boards, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(board_commands, "COMMAND_SECONDS", 0.2)
    return said(lambda: board_commands.Commands(Here()).run(["sleep", "9"]))  # type: ignore[arg-type]


def doctor(name: str, text: str = "", info: Any = INFO, device: Device = XAVIER, **known: Any) -> Case:
    """What the doctor says under `name` of a board whose probe printed `text` too."""

    def case(_: Boards, __: pytest.MonkeyPatch) -> str:
        facts = probe.facts(f"{TX2}\n{text}")
        checks = examine(BoardFacts(device, facts, info, **known))
        return "; ".join(f"{c.level}: {c.message} {c.advice}" for c in checks if c.name == name)

    return case


def unfit(**changes: Any) -> Case:
    return lambda _, __: "; ".join(limits.unmet(replace(HEALTHY, **changes), sample.device()))


def after(bits: int, before: int | None) -> Case:
    """What is said at the end of a run by a host whose vcgencmd shows `bits`, and `before` at its start."""

    def case(boards: Boards, _: pytest.MonkeyPatch) -> str:
        board = boards.make(jetson=False)
        tool = board.path / "bin/vcgencmd"
        tool.write_text(f'#!/bin/sh\n[ "$1" = get_throttled ] || exit 255\necho throttled={bits:#x}\n')
        tool.chmod(0o755)
        host = board.host(**PI)
        host.throttled = before
        return host.doubt() or "no complaint"

    return case


def meanwhile(bits: int) -> Case:
    """What is said at the end of a run by a host that showed `bits` only while the run was at work."""

    def case(boards: Boards, monkeypatch: pytest.MonkeyPatch) -> str:
        monkeypatch.setattr(board_setup, "WATCH_SECONDS", 0.0)
        host = boards.make(jetson=False).host(**PI)
        shown = iter((bits, 0, 0))
        monkeypatch.setattr(host, "facts", lambda: replace(HEALTHY, throttled=next(shown)))
        host.throttled = 0
        host.watch()  # a record has come
        host.watch()
        return host.doubt() or "no complaint"

    return case


def measured(moment: float, **reading: Any) -> Case:
    """The verdict on samples from 1.0 to 1.2 s, with `reading` at one of two readings a second."""

    def case(_: Boards, __: pytest.MonkeyPatch) -> str:
        still = {"throttled": 0, "over_current": 0, "cooling": {"cpufreq-cpu0": 0}}
        readings = [{"t": t, **(reading if t == moment else still)} for t in (0.4, 0.9, 1.1, 1.4, 1.9)]
        around = surrounding(readings, {"begin": 1.0, "end": 1.2})
        verdict = validity.judge(ENTRY, FACTS, [], CLEAN, around)
        notes = [*verdict.reasons, *verdict.warnings]
        return "; ".join(f"{n['code']}: {n['message']}" for n in notes) or "valid"

    return case


def blind(_: Boards, __: pytest.MonkeyPatch) -> str:
    verdict = validity.judge(ENTRY, FACTS, [{"t": 1.0}], CLEAN)
    return "; ".join(["valid"] * (not verdict.reasons) + [w["code"] for w in verdict.warnings])


def forwarding(_: Boards, __: pytest.MonkeyPatch) -> str:
    return str(ssh.explain("board", "Error: remote port forwarding failed for listen port 5000"))


def no_room(_: Boards, __: pytest.MonkeyPatch) -> str:
    return said(lambda: room.check("xavier", 8 * 10**9, 10 * 10**9, "jetson-xavier"))


def rootless(_: Boards, __: pytest.MonkeyPatch) -> str:
    return f"socket: {sockets.other('other /run/user/1000/docker.sock')}"


CASES: list[tuple[str, str, Case]] = [
    (
        "jetson_clocks: a second run after a boot, its store would ask",
        r"^(no complaint / ){4}as it was",
        stored_twice,
    ),
    (
        "jetson_clocks refuses soon after a boot",
        r"run the script after 40 Seconds.* / as it was",
        prepared("young"),
    ),
    ("jetson_clocks does not pin", r"^no complaint / no complaint / as it was", prepared("lax")),
    ("sudo wants a password", r"password is required.*devices check.* / as it was", prepared("password")),
    (
        "a power mode wants a reboot",
        r"wants a reboot of the board: run it by hand.* / no complaint / as it was",
        prepared(power="jetson", power_mode="MODE_10W"),
    ),
    ("nvpmodel reports success and changes nothing", r"left the board in mode 2", prepared("stuck")),
    (
        "a power mode that the board does not have",
        r"no power mode 'MAXP'.*known: MAXN, .* / as it was",
        prepared(power="jetson", power_mode="MAXP"),
    ),
    ("power: jetson on a Pi", r"names no power mode.*devices.yaml", prepared(jetson=False)),
    ("a Pi without cpufreq-set", r"^no complaint / no complaint / as it was", prepared(jetson=False, **PI)),
    (
        "a governor that the kernel does not have",
        r"Invalid argument.* / as it was",
        prepared(jetson=False, power="governor", power_mode="fastest"),
    ),
    ("the run died before it restored", rf"restoring what {DIED} left behind / as it was", died_between),
    ("a command on the board waits for an answer", r"did not end within.*answers no questions", hung),
    (
        "doctor: sudo wants a password",
        r"NOPASSWD: /usr/sbin/nvpmodel -m 0.*visudo -cf",
        doctor("sudo", "== user\nbench\n== rights\nno\t/usr/sbin/nvpmodel\t-m 0"),
    ),
    (
        "doctor: a command is not installed",
        r"fail: not on the board: cpufreq-set",
        doctor("commands", "== rights\nmissing\tcpufreq-set\t-r"),
    ),
    (
        "doctor: L4T of another JetPack",
        r"fail: L4T r32.7, image for r35.4",
        doctor("jetpack", image_l4t=(35, 4)),
    ),
    (
        "doctor: r36.3 board, r36.4 image",
        r"fail: L4T r36.3, image for r36.4",
        doctor("jetpack", "== l4t\n# R36 (release), REVISION: 3.0, x", image_l4t=(36, 4)),
    ),
    (
        "doctor: the runtime's list lacks TensorRT's Python module",
        r"do not name TensorRT's Python module.*tee -a",
        doctor("mounted libraries", "== csv_python\n", image_l4t=(32, 7)),
    ),
    (
        "doctor: 32-bit user land on a 64-bit kernel",
        r"fail: the kernel is linux/arm64, the programs on the board are 32-bit",
        doctor("architecture", "== bits\n32", image_platforms=("linux/arm64",)),
    ),
    (
        "run: 32-bit user land on a 64-bit kernel",
        r"its kernel is 64-bit, the programs on the board are 32-bit; install the 64-bit system",
        unfit(bits=32, kernel="Linux 6.6 aarch64"),
    ),
    ("no room for the image", r"needs 10.0 GB there, 8.0 GB are free: nothing was sent.*data-root", no_room),
    ("sshd lends no port, so no registry", r"lends it no port.*AllowTcpForwarding", forwarding),
    ("rootless Docker", r"socket: /run/user/1000/docker.sock", rootless),
    (
        "throttled when the run would start",
        r"throttling: now: undervoltage; use a",
        unfit(throttled=0x50001),
    ),
    ("throttled just before the samples", r"^throttled", measured(0.9, throttled=0x4)),
    ("throttled during the samples", r"^throttled", measured(1.1, throttled=0x4)),
    ("throttled just after the samples", r"^throttled", measured(1.4, throttled=0x4)),
    ("throttled long before the samples", r"^valid$", measured(0.4, throttled=0x4)),
    ("over-current events during the samples", r"^throttled: 3 over-current", measured(1.4, over_current=3)),
    (
        "the kernel cools by slowing down",
        r"^throttled.*cpufreq-cpu0",
        measured(1.1, cooling={"cpufreq-cpu0": 1}),
    ),
    ("throttling that nothing shows", r"^valid; throttling_unknown$", blind),
    (
        "vcgencmd: throttled at the end of the run",
        r"slowed down during the run \(undervoltage\)",
        after(0x1, 0),
    ),
    (
        "vcgencmd: throttled since the start of the run",
        r"slowed down during the run \(throttled\)",
        after(0x40000, 0),
    ),
    (
        "vcgencmd: throttled in the midst of the run, cleared before its end",
        r"slowed down during the run \(throttled\)",
        meanwhile(0x4),
    ),
    ("vcgencmd: throttled before the run only", r"^no complaint$", after(0x40000, 0x40000)),
]


POWER = "tests/service/test_board_power.py::test_the_line_that_the_doctor_prints_is_all_that_a_run_needs"
IMAGES = "tests/service/test_images.py::"
# The same fault with a real sshd, engine or sudo.
SERVICE = {
    "sudo wants a password": POWER,
    "doctor: sudo wants a password": POWER,
    "no room for the image": f"{IMAGES}test_a_board_whose_disk_is_full_says_so_and_keeps_no_half",
    "sshd lends no port, so no registry": (
        f"{IMAGES}test_a_board_whose_sshd_forwards_nothing_is_told_apart_from_a_registry_that_is_down"
    ),
}


def test_the_service_tests_that_rows_name_are_there() -> None:
    assert SERVICE.keys() <= {name for name, _, _ in CASES}
    for place in SERVICE.values():
        file, _, test = place.partition("::")
        assert f"def {test}(" in (ROOT / file).read_text(), place


@pytest.mark.parametrize(("name", "expected", "case"), CASES, ids=[name for name, _, _ in CASES])
def test_a_fault_of_a_first_board_is_named_with_its_cure(
    name: str, expected: str, case: Case, boards: Boards, part: Part, monkeypatch: pytest.MonkeyPatch
) -> None:
    got = case(boards, monkeypatch)
    holds = re.search(expected, " ".join(got.split())) is not None
    part.add(name, expected, got, holds, SERVICE.get(name, ""))
