"""What the doctor reads out of a board's own words."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate.doctor import probe
from tests.conftest import PATIENCE
from tests.unit.orchestrate import sample

# As the boards print them (public logs; see docs/devices.md).
PI4 = """
== kernel
Linux 6.6.51+rpt-rpi-v8 aarch64
== user
bench
== time
1795371300
== model
Raspberry Pi 4 Model B Rev 1.4
== l4t

== nvidia_csv

== memory
MemTotal:        3885396 kB
MemFree:          210332 kB
MemAvailable:    3401232 kB
== kernel_options
coherent_pool=1M cgroup_disable=memory console=tty1 root=PARTUUID=1 rootwait
== disk
Filesystem     1024-blocks    Used Available Capacity Mounted on
/dev/mmcblk0p2    30410752 5893044  23233484      21% /
== governors
ondemand
ondemand
ondemand
ondemand
== zones
cpu-thermal 48686
== throttled
50005
== power_mode

== busy
cpu  1000 0 500 8000 100 0 0 0 0 0
cpu  1020 0 520 8150 110 0 0 0 0 0
== processes
12.0 chromium
 0.3 sshd
== sudoers
User bench may run the following commands on pi4:
    (root) NOPASSWD: /usr/sbin/reboot
== rights
no	/usr/bin/tee	/sys/devices/system/cpu/cpufreq/policy0/scaling_governor
missing	cpufreq-set	-r -g performance
yes	/usr/sbin/reboot
"""
TX2 = """
== kernel
Linux 4.9.253-tegra aarch64
== model
quill
== l4t
# R32 (release), REVISION: 7.1, GCID: 29818004, BOARD: t186ref, EABI: aarch64, DATE: Sat Feb 19 17:05:08 2022
== nvidia_csv
cuda.csv
cudnn.csv
l4t.csv
tensorrt.csv
== tensorrt_python
/usr/lib/python3.6/dist-packages/tensorrt
== csv_python
dir, /usr/lib/python3.6/dist-packages/tensorrt
== bits
64
== zones
BCPU-therm 35500
MCPU-therm 35500
GPU-therm 34000
PMIC-Die 100000
== power_mode
NV Fan Mode:quiet
NV Power Mode: MAXP_CORE_ARM
3
"""


def test_a_raspberry_pi_is_read_completely():
    facts = probe.facts(PI4)
    assert facts.model == "Raspberry Pi 4 Model B Rev 1.4"
    assert (facts.user, facts.time, facts.l4t, facts.power_mode) == ("bench", 1795371300, None, None)
    assert facts.memory_available == 3401232 * 1024
    assert facts.disk_free == 23233484 * 1024
    assert facts.governors == ("ondemand",)
    assert facts.temperature == 48.686
    assert facts.throttled == 0x50005
    assert facts.busy == pytest.approx(1 - 160 / 200)
    assert [right.state for right in facts.rights] == ["no", "missing", "yes"]
    assert facts.rights[0].words[1].endswith("policy0/scaling_governor")
    assert "cgroup_disable=memory" in facts.kernel_options


def test_a_jetson_tx2_is_read_completely():
    facts = probe.facts(TX2)
    assert facts.l4t == (32, 7)
    assert facts.nvidia_csv == ("cuda.csv", "cudnn.csv", "l4t.csv", "tensorrt.csv")
    assert facts.tensorrt_python == ("/usr/lib/python3.6/dist-packages/tensorrt",)
    assert facts.power_mode == "MAXP_CORE_ARM"
    assert facts.temperature == 35.5, "a PMIC's 100 degrees are a constant"


@pytest.mark.parametrize(
    "line", ["cpu 1 2 3 4 kB", "cpu 1 2 3", "cpu", f"cpu {'9' * 5000} 2 3 4 5", "cpu -1 \u0662 3 4 5"]
)
def test_a_line_of_processor_times_that_is_none_leaves_the_load_unknown(line):
    assert probe.facts(f"== busy\ncpu 1 2 3 4 5 6\n{line}\n").busy is None


def test_a_board_that_says_nothing_leaves_everything_unknown():
    facts = probe.facts("")
    assert (facts.time, facts.disk_free, facts.memory_available, facts.temperature) == (None,) * 4
    assert (facts.throttled, facts.busy, facts.l4t, facts.power_mode) == (None,) * 4


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("0", 0),
        ("throttled=0x50000", 0x50000),
        ("0x5\n".strip(), 5),
        ("e0008", 0xE0008),
        ("VCHI failed", None),
    ],
)
def test_throttle_bits_are_read_from_file_and_from_vcgencmd(text, bits):
    assert probe.throttled(text) == bits


def test_a_disk_whose_name_holds_spaces_is_read():
    text = "Filesystem 1024-blocks Used Available Capacity Mounted on\nmy disk a 100 40 60 40% /mnt/x 1"
    assert probe.disk_free(text) == 60 * 1024


def test_xavier_releases_are_told_by_major_and_minor():
    assert probe.l4t("# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref") == (35, 4)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=400))
def test_no_text_of_a_board_breaks_the_doctor(noise):
    names = (
        "time",
        "l4t",
        "memory",
        "disk",
        "zones",
        "throttled",
        "power_mode",
        "busy",
        "processes",
        "rights",
        "sudoers",
    )
    probe.facts("\n".join(f"== {name}\n{noise}" for name in names))


def test_the_probe_runs_here_and_its_words_are_understood():
    commands = [["sudo", "-n", "no-such-tool", "a b"], ["sudo", "-n", "true"], ["echo", "plain"]]
    script = probe.script("/", sample.device(prepare=commands, restore=[["sudo", "-n", "true"]]))
    done = subprocess.run(["sh", "-s"], input=script, capture_output=True, check=True, timeout=PATIENCE)
    facts = probe.facts(done.stdout.decode())
    assert done.stderr == b""
    assert facts.kernel.startswith("Linux ")
    assert facts.disk_free > 0
    assert facts.memory_available > 0
    assert 0 <= facts.busy <= 1
    assert facts.bits == 64
    assert facts.rights[0] == ("missing", ("no-such-tool", "a b"))
    assert [right.words[0].endswith("/true") for right in facts.rights] == [False, True]


def test_the_look_before_a_run_tells_what_its_limits_are_about_and_leaves_the_rest_unknown():
    done = subprocess.run(
        ["sh", "-s"], input=probe.brief("/"), capture_output=True, check=True, timeout=PATIENCE
    )
    facts = probe.facts(done.stdout.decode())
    assert done.stderr == b""
    assert facts.disk_free > 0
    assert facts.memory_available > 0
    assert facts.time > 1e9
    assert (facts.busy, facts.throttled, facts.processes) == (None, None, ())


def test_a_hostile_root_or_command_stays_an_argument(tmp_path: Path):
    victim = tmp_path / "touched"
    nasty = f"$(touch {victim}); touch {victim}; '"
    commands = [["sudo", "-n", nasty, f"`touch {victim}`"]]
    script = probe.script(nasty, sample.device(prepare=commands, restore=commands))
    subprocess.run(["sh", "-s"], input=script, capture_output=True, check=False, timeout=PATIENCE)
    assert not victim.exists()
