"""The memory instruments: a known allocation is seen, and every kernel's tables are read."""

import json
import mmap
import subprocess
import sys
from pathlib import Path

import pytest

from bench.runtime.machine import nvmap
from bench.runtime.measure import memory
from orchestrate.analysis import memory as memory_figures
from tests.conftest import PATIENCE, ROOT

ROLLUP = """55a5ebb65000-7ffcc0ca1000 ---p 00000000 00:00 0                          [rollup]
Rss:                1720 kB
Pss:                 269 kB
Pss_Dirty:           112 kB
Private_Clean:        40 kB
Private_Dirty:       112 kB
Swap:                  8 kB
SwapPss:               8 kB
Locked:                0 kB
"""
SMAPS = """00400000-00452000 r-xp 00000000 08:02 173521      /usr/bin/dbus-daemon
Size:                328 kB
Rss:                 100 kB
Pss:                  50 kB
Private_Clean:         4 kB
Private_Dirty:        16 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me dw
00e03000-00e24000 rw-p 00000000 00:00 0           [heap]
Rss:                  60 kB
Pss:                  60 kB
Private_Clean:         0 kB
Private_Dirty:        60 kB
Swap:                 12 kB
"""


def test_the_rollup_of_a_process_is_read_in_bytes() -> None:
    assert memory.parse_smaps(ROLLUP) == {
        "rss": 1720 * 1024,
        "pss": 269 * 1024,
        "uss": 152 * 1024,
        "swap": 8192,
    }


def test_an_older_kernel_without_a_rollup_is_summed_over_its_mappings(tmp_path: Path) -> None:
    (tmp_path / "smaps").write_text(SMAPS)
    found = memory.process_memory(str(tmp_path))
    assert found == {"rss": 160 * 1024, "pss": 110 * 1024, "uss": 80 * 1024, "swap": 12 * 1024}


def test_without_either_rss_remains_and_the_rest_is_unknown(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Name:\tx\nVmHWM:\t    9 kB\nVmRSS:\t    7 kB\nVmSwap:\t    1 kB\n")
    assert memory.process_memory(str(tmp_path)) == {"rss": 7168, "pss": None, "uss": None, "swap": 1024}
    assert memory.status_field("VmHWM", str(tmp_path)) == 9216


ALLOCATE = """
import json, sys
from bench.runtime.measure.memory import process_memory, reset_peak, status_field, trim
start = process_memory()
block = b"x" * 50_000_000
grown = process_memory()
del block
peak = status_field("VmHWM")
reset = reset_peak()
after = status_field("VmHWM")
print(json.dumps([start, grown, peak, after, reset]))
"""


def test_a_known_allocation_is_reported_within_2_percent_by_every_instrument() -> None:
    done = subprocess.run(
        [sys.executable, "-c", ALLOCATE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    start, grown, peak, after, reset = json.loads(done.stdout)
    for kind in ("rss", "pss", "uss"):
        assert grown[kind] - start[kind] == pytest.approx(50_000_000, rel=0.02)
    assert peak - start["rss"] == pytest.approx(50_000_000, rel=0.04)  # VmHWM's counters lag by pages a CPU
    if reset:
        assert after < peak - 40_000_000


MAPPED = """
import json, mmap, sys
from bench.runtime.measure.memory import process_memory
rungs = {"start": process_memory()}
with open(sys.argv[1], "rb") as file:
    block = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
sum(block[::4096])
rungs["steady"] = process_memory()
print("alone", flush=True)
sys.stdin.readline()
rungs["steady_trimmed"] = process_memory()
print(json.dumps(rungs))
"""


def test_own_is_the_uss_of_a_lone_process_and_stays_when_a_stranger_maps_the_same_file(
    tmp_path: Path,
) -> None:
    library = tmp_path / "library"
    library.write_bytes(b"x" * 50_000_000)
    command = [sys.executable, "-c", MAPPED, str(library)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, text=True, **pipes) as child:
        assert child.stdout
        assert child.stdout.readline() == "alone\n"
        with library.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as mine:
            assert sum(mine[::4096]) > 0  # every page is touched
            rungs = json.loads(child.communicate("\n", timeout=PATIENCE)[0])
    ladders = memory_figures.Ladders(memory_figures.rows_of(rungs))
    alone, beside = (ladders.read(rung, "own")[0] for rung in ("steady", "steady_trimmed"))
    assert alone == pytest.approx(rungs["steady"]["uss"], rel=0.03)
    assert beside == pytest.approx(alone, rel=0.03)
    assert rungs["steady_trimmed"]["uss"] < rungs["steady"]["uss"] - 40_000_000


def test_a_child_does_not_inherit_its_parents_peak() -> None:
    code = "from bench.runtime.measure.memory import status_field; print(status_field('VmHWM'))"
    parent = (
        f"x = b'x' * 300_000_000; import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}])"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 60_000_000


def tree(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def test_a_control_group_of_version_2_tells_current_and_peak(tmp_path: Path) -> None:
    tree(
        tmp_path,
        {
            "proc/cgroup": "0::/docker/abc\n",
            "sys/docker/abc/memory.current": "1000\n",
            "sys/docker/abc/memory.peak": "3000\n",
        },
    )
    assert memory.cgroup_memory(str(tmp_path / "proc"), str(tmp_path / "sys")) == (1000, 3000)


def test_a_kernel_before_5_19_has_no_peak_in_version_2(tmp_path: Path) -> None:
    tree(tmp_path, {"proc/cgroup": "0::/\n", "sys/memory.current": "1000\n"})
    assert memory.cgroup_memory(str(tmp_path / "proc"), str(tmp_path / "sys")) == (1000, None)


def test_a_control_group_of_version_1_is_found_also_where_a_container_sees_only_its_top(
    tmp_path: Path,
) -> None:
    tree(
        tmp_path,
        {
            "proc/cgroup": "9:cpu,cpuacct:/docker/abc\n4:memory:/docker/abc\n0::/\n",
            "sys/memory/memory.usage_in_bytes": "2000\n",
            "sys/memory/memory.max_usage_in_bytes": "5000\n",
        },
    )
    assert memory.cgroup_memory(str(tmp_path / "proc"), str(tmp_path / "sys")) == (2000, 5000)


def test_a_pi_without_the_memory_controller_says_nothing(tmp_path: Path) -> None:
    tree(tmp_path, {"proc/cgroup": "3:cpu:/docker/abc\n0::/docker/abc\n", "sys/cgroup.procs": ""})
    assert memory.cgroup_memory(str(tmp_path / "proc"), str(tmp_path / "sys")) == (None, None)


CLIENTS = """CLIENT                        PROCESS      PID        SIZE
user                          Xorg         7240      20816K
user                          gnome shell  7431      37420K
user                          python3      8123     102400K
user                          python3      8123       1024K
total                                              161660K
"""
MAPS = """CLIENT                        PROCESS      PID        SIZE
BASE        SIZE    FLAGS    REFS   DUPES   PINS   KMAPS  UMAPS SHARE UID
user                          python3      8123     102400K
00fffc0000        64K 20000061      1      1      1      0      1      0 ffffffc1
user                          Xorg         7240      20816K
total                                              123216K
"""


@pytest.mark.parametrize(("text", "size"), [(CLIENTS, 103424), (MAPS, 102400)])
def test_nvmaps_tables_tell_the_gpu_memory_of_a_process(tmp_path: Path, text: str, size: int) -> None:
    (tmp_path / "clients").write_text(text)
    assert nvmap.process_bytes(8123, str(tmp_path) + "/") == size * 1024
    assert nvmap.parse_clients(text)[7240] == 20816 * 1024
    assert nvmap.process_bytes(1, str(tmp_path) + "/") == 0


def test_without_debugfs_nvmap_is_unknown_rather_than_zero(tmp_path: Path) -> None:
    assert nvmap.process_bytes(1, str(tmp_path) + "/") is None
    (tmp_path / "meminfo").write_text("MemTotal: 8 kB\nNvMapMemUsed:    2048 kB\n")
    assert nvmap.total_bytes(str(tmp_path / "meminfo")) == 2048 * 1024


def test_in_a_container_the_process_is_looked_up_by_the_hosts_number(tmp_path: Path) -> None:
    (tmp_path / "status").write_text("Pid:\t7\nNSpid:\t8123\t7\n")
    assert nvmap.host_pid(str(tmp_path / "status")) == 8123
