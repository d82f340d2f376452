"""Power settings on a pretend Jetson with the real sudo: from the doctor's complaint to a board put back."""

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrate.devices import Device
from orchestrate.engine.connection import Engine
from orchestrate.errors import LinkLost, PasswordWanted, RebootWanted
from orchestrate.execution.board_setup import Host
from tests.conftest import PATIENCE, ROOT, require
from tests.fakes import board_tools
from tests.service.fleet import Fleet

pytestmark = pytest.mark.service
DEVICES = """
schema: 1
devices:
  jetson:
    {host: jetson, image: orbitbench/busybox:test, backend: onnxruntime, power: jetson, power_mode: MAXN}
"""
# The board's own /etc, in which sudo knows no rules of this machine; tools where ssh finds them.
SETUP = """
set -e
mkdir -p /run/etc/upper /run/etc/work
mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc/upper,workdir=/run/etc/work /etc
for file in passwd group shadow; do mount --bind /run/board/etc/$file /etc/$file; done
rm -rf /etc/sudoers.d && mkdir /etc/sudoers.d
printf '%s\\n' 'Defaults env_reset' 'root ALL=(ALL:ALL) ALL' '@includedir /etc/sudoers.d' >/etc/sudoers
chmod 440 /etc/sudoers
echo 127.0.1.1 jetson >>/etc/hosts
cp /run/board/jetson/etc/nvpmodel.conf /etc/nvpmodel.conf
mount --bind /run/board/jetson/bin /usr/local/bin
"""


@pytest.fixture(scope="module")
def fleet(namespaces: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """One board, `jetson`, with a Jetson's tools and the real sudo."""
    require(shutil.which("visudo", path="/usr/sbin:/usr/bin") is not None, "needs the Debian package sudo")
    with Fleet(Path(tmp_path_factory.mktemp("jetson")), "jetson") as fleet:
        board = fleet["jetson"]
        tools = board_tools.install(board.folder / "jetson")
        for name in ("sudo", "tee"):
            (tools / name).unlink()  # the real ones
        for tool in tools.iterdir():
            text = tool.read_text().replace('[ -n "$AS_ROOT" ]', '[ "$(id -u)" = 0 ]')
            tool.write_text(text.replace("#!/bin/sh\n", "#!/bin/sh\nBOARD=/run/board/jetson\n", 1))
        board.sh(SETUP)
        yield fleet


@pytest.fixture
def host(fleet: Fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    """The machine of a run on `jetson`, as user `bench`."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("ORBITBENCH_SSH_CONFIG", str(fleet.write_ssh_config("bench", "ssh_config_power")))
    device = Device(host="jetson", image="i", backend="onnxruntime", power="jetson", power_mode="MAXN")
    with Engine("jetson") as engine:
        yield Host(engine, "20261125-000000-tiny", "jetson", {"jetson": device})


def check(fleet: Fleet, folder: Path) -> dict[str, dict[str, str]]:
    """What `devices check` finds, by name."""
    (folder / "devices.yaml").write_text(DEVICES)
    config = fleet.write_ssh_config("bench", "ssh_config_power")
    environment = {"PATH": "/usr/bin:/bin", "ORBITBENCH_SSH_CONFIG": str(config)}
    environment["ORBITBENCH_DEVICES"] = str(folder / "devices.yaml")
    command = [sys.executable, "-m", "orchestrate.cli", "devices", "check", "jetson", "--json"]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE
    )
    return {each["name"]: each for each in json.loads(done.stdout)["jetson"]["checks"]}


def quiet(_: str) -> None:
    """Nobody listens."""


def test_the_line_that_the_doctor_prints_is_all_that_a_run_needs(
    fleet: Fleet, host: Host, tmp_path: Path
) -> None:
    board = fleet["jetson"]
    before = board_tools.settings(board.folder / "jetson")
    with pytest.raises(PasswordWanted) as refused:
        host.prepare(quiet)
    assert not isinstance(refused.value, LinkLost)
    found = check(fleet, tmp_path)["sudo"]
    assert found["level"] == "fail"
    pasted = found["advice"].removeprefix("on the board: ")
    assert "parsed OK" in board.sh(f"cd /tmp && {pasted}")
    assert check(fleet, tmp_path)["sudo"]["level"] == "ok"

    for _ in range(2):  # the second run after a boot is as good as the first
        facts = host.prepare(quiet)
        assert (facts["power_mode"], facts["power_mode_id"]) == ("MAXN", 0)
        host.restore()
        assert board_tools.settings(board.folder / "jetson") == before

    host.device = host.device.model_copy(update={"power_mode": "MODE_10W"})
    with pytest.raises(RebootWanted):
        host.prepare(quiet)
    host.restore()
    assert board_tools.settings(board.folder / "jetson") == before
    other = shlex.join(["ssh", "-F", str(fleet.ssh_config), "jetson", "sudo -n /usr/bin/id"])
    assert subprocess.run(["sh", "-c", other], capture_output=True, check=False).returncode != 0
