"""The rule for sudo that the doctor prints: visudo accepts it, and it allows what a run needs and no more."""

import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from orchestrate.doctor import rights

NVPMODEL = ("/usr/sbin/nvpmodel", "-m", "0")
CLOCKS = ("/usr/bin/jetson_clocks", "--store", "/home/bench/.local/state/orbitbench/clocks")
ODD = ("/opt/a:b/tool", "--x=1,2", "*", 'say "x"', "a\\b", "!#", "[0-9]?")
PRINTED = [
    [NVPMODEL, ("/usr/bin/jetson_clocks",), CLOCKS],
    [("/usr/bin/tee", "/sys/devices/system/cpu/cpufreq/policy0/scaling_governor")],
    [ODD],
]


@pytest.fixture
def visudo() -> str:
    """The real one, of Debian's package `sudo`."""
    path = shutil.which("visudo", path="/usr/sbin:/usr/bin:/sbin")
    if path is None:
        pytest.skip("no visudo here: apt install sudo")
    return path


@pytest.mark.parametrize("commands", PRINTED)
def test_visudo_accepts_what_is_printed_as_it_is_pasted(
    commands: list[tuple[str, ...]], tmp_path: Path, visudo: str
) -> None:
    pasted = rights.advice("bench", commands).removeprefix("on the board: ")
    first, check, install = pasted.split(" && ")
    assert shlex.split(check) == ["sudo", "visudo", "-cf", "orbitbench.sudoers"]
    assert install.endswith("/etc/sudoers.d/orbitbench")
    subprocess.run(["sh", "-c", first], cwd=tmp_path, check=True)
    file = tmp_path / "orbitbench.sudoers"
    file.chmod(0o440)
    done = subprocess.run([visudo, "-cf", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, "parsed OK" in done.stdout) == (0, True), done.stdout + done.stderr


def test_visudo_refuses_a_name_without_its_path(tmp_path: Path, visudo: str) -> None:
    file = tmp_path / "rule"
    file.write_text(rights.rule("bench", [("nvpmodel", "-m", "0")]) + "\n")
    file.chmod(0o440)
    assert subprocess.run([visudo, "-cf", str(file)], capture_output=True, check=False).returncode != 0


def test_a_tool_without_arguments_is_allowed_without_arguments_only() -> None:
    assert rights.rule("bench", [("/usr/bin/jetson_clocks",)]).endswith('/usr/bin/jetson_clocks ""')


LISTING = """\
Matching Defaults entries for bench on board:
    env_reset, secure_path=/usr/sbin\\:/usr/bin

User bench may run the following commands on board:
    (ALL : ALL) ALL
    (root) NOPASSWD: /usr/sbin/nvpmodel -m 0, /usr/bin/tee, PASSWD: /usr/sbin/reboot
"""


@pytest.mark.parametrize(
    ("path", "free"),
    [("/usr/sbin/nvpmodel", True), ("/usr/bin/tee", True), ("/usr/sbin/reboot", False), ("/bin/ls", False)],
)
def test_what_sudo_runs_only_after_a_password_is_not_taken_for_allowed(path: str, free: bool) -> None:
    assert rights.unasked(LISTING, path) is free
    state = rights.read(f"yes\t{path}\t-m 0", LISTING)[0].state
    assert state == ("yes" if free else "no")


def test_a_stock_pi_that_allows_everything_needs_no_rule() -> None:
    assert rights.unasked("    (ALL) NOPASSWD: ALL\n", "/usr/bin/tee")
