"""One look at a board: a read-only shell script, run once over ssh, and what its text means.

A run looks too before it starts, at what does not take time: `BRIEF` alone.

The script needs a POSIX shell and `cat`; whatever else a board lacks leaves its section empty.
"""

import dataclasses
import re
import shlex

from orchestrate.devices import Device
from orchestrate.doctor import rights
from orchestrate.doctor.rights import Right
from orchestrate.engine.room import disk_free

BRIEF = r"""
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin:/usr/local/bin"
s() { printf '\n== %s\n' "$1"; }
s kernel; uname -srm
s bits; getconf LONG_BIT 2>/dev/null
s user; id -un
s time; date +%s
s model; cat /proc/device-tree/model 2>/dev/null | tr -d '\000'
s l4t; head -n 1 /etc/nv_tegra_release 2>/dev/null
s nvidia_csv; ls /etc/nvidia-container-runtime/host-files-for-container.d 2>/dev/null
s csv_python; cat /etc/nvidia-container-runtime/host-files-for-container.d/*.csv 2>/dev/null |
  grep 'dist-packages/tensorrt'
s gpus; ls -d /dev/nvidia[0-9]* 2>/dev/null
s tensorrt_python; ls -d /usr/lib/python3*/dist-packages/tensorrt 2>/dev/null
s memory; cat /proc/meminfo
s kernel_options; cat /proc/cmdline
s cgroup_controllers; cat /sys/fs/cgroup/cgroup.controllers 2>/dev/null
s disk; df -Pk "$root" 2>/dev/null || df -Pk / 2>/dev/null
s throttled; vcgencmd get_throttled 2>/dev/null </dev/null ||
  for f in /sys/devices/platform/soc*/*firmware /sys/devices/platform/*firmware; do
    cat "$f/get_throttled" 2>/dev/null && break
  done
s governors; cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor 2>/dev/null
s zones; for z in /sys/class/thermal/thermal_zone*; do
  t=$(cat "$z/temp" 2>/dev/null) && printf '%s %s\n' "$(cat "$z/type" 2>/dev/null)" "$t"
done
"""
LONG = r"""
s power_mode; nvpmodel -q 2>/dev/null </dev/null
s busy; grep '^cpu ' /proc/stat; sleep 1; grep '^cpu ' /proc/stat
s processes; ps -eo pcpu= -o comm= 2>/dev/null | sort -rn | head -n 3
"""


def brief(root: str) -> bytes:
    """Return the part of the probe that answers at once.

    Of the facts it leaves load, clocks and sudo unknown.
    """
    return f"root={shlex.quote(root)}\n{BRIEF}exit 0\n".encode()


def script(root: str, device: Device) -> bytes:
    """Return the probe for an engine with its data under `root`, asking also what sudo would run unasked."""
    lines = [f"root={shlex.quote(root)}", BRIEF, LONG, rights.script(device), "exit 0\n"]
    return "\n".join(lines).encode()


def sections(text: str) -> dict[str, str]:
    """Return name -> text of each part of the probe's output."""
    parts = re.split(r"^== (\w+)$", text, flags=re.MULTILINE)
    return {name: body.strip() for name, body in zip(parts[1::2], parts[2::2], strict=True)}


@dataclasses.dataclass(frozen=True)
class Facts:
    """A board at one moment. Bytes, seconds, degrees Celsius, shares of 1; None where it does not say."""

    kernel: str
    user: str
    time: int | None
    model: str
    l4t_text: str
    l4t: tuple[int, int] | None
    nvidia_csv: tuple[str, ...]
    tensorrt_python: tuple[str, ...]
    memory_available: int | None
    kernel_options: tuple[str, ...]
    disk_free: int | None
    governors: tuple[str, ...]
    temperature: float | None
    throttled: int | None
    power_mode: str | None
    busy: float | None
    processes: tuple[str, ...]
    bits: int | None = None
    csv_python: tuple[str, ...] = ()
    rights: tuple[Right, ...] = ()
    gpus: int = 0


def facts(text: str) -> Facts:
    """Return the facts in the probe's output."""
    found = sections(text)
    get = found.get
    return Facts(
        kernel=get("kernel", ""),
        user=get("user", ""),
        time=_whole(get("time", "")),
        model=get("model", ""),
        l4t_text=get("l4t", ""),
        l4t=l4t(get("l4t", "")),
        nvidia_csv=tuple(get("nvidia_csv", "").split()),
        tensorrt_python=tuple(get("tensorrt_python", "").split()),
        memory_available=_memory_available(get("memory", "")),
        kernel_options=tuple(get("kernel_options", "").split()),
        disk_free=disk_free(get("disk", "")),
        governors=tuple(dict.fromkeys(get("governors", "").split())),
        temperature=_temperature(get("zones", "")),
        throttled=throttled(get("throttled", "")),
        power_mode=_power_mode(get("power_mode", "")),
        busy=_busy(get("busy", "")),
        processes=tuple(line.strip() for line in get("processes", "").splitlines()),
        bits=_whole(get("bits", "")),
        csv_python=tuple(get("csv_python", "").splitlines()),
        rights=rights.read(get("rights", ""), get("sudoers", "")),
        gpus=len(get("gpus", "").split()),
    )


def _whole(text: str) -> int | None:
    """Return a whole number, or None."""
    return int(text) if re.fullmatch(r"-?\d{1,18}", text) else None


def l4t(text: str) -> tuple[int, int] | None:
    """Return (35, 4) from `# R35 (release), REVISION: 4.1, GCID: ...`, as /etc/nv_tegra_release begins."""
    match = re.search(r"R(\d+) \(release\), REVISION: (\d+)", text)
    return (int(match[1]), int(match[2])) if match else None


def _memory_available(text: str) -> int | None:
    """Return bytes, from /proc/meminfo."""
    match = re.search(r"^MemAvailable:\s+(\d+) kB$", text, re.MULTILINE)
    return int(match[1]) * 1024 if match else None


def _temperature(text: str) -> float | None:
    """Return that of the hottest zone; PMIC zones of Jetsons show a constant, some zones nothing."""
    found = []
    for line in text.splitlines():
        kind, _, value = line.rpartition(" ")
        degrees = (_whole(value) or 0) / 1000
        if "PMIC" not in kind and 0 < degrees < 150:
            found.append(degrees)
    return max(found, default=None)


def throttled(text: str) -> int | None:
    """Return the bits of a Raspberry Pi's firmware: hexadecimal, as a file or as `throttled=0x50000`."""
    match = re.fullmatch(r"(?:throttled=)?(?:0x)?([0-9a-fA-F]{1,8})", text)
    return int(match[1], 16) if match else None


def _power_mode(text: str) -> str | None:
    """Return the name that `nvpmodel -q` prints; the number is on the next line."""
    match = re.search(r"NV Power Mode: *(\S+)", text)
    return match[1] if match else None


def _busy(text: str) -> float | None:
    """Return the share of all CPUs' time in use between two `cpu` lines of /proc/stat."""
    rows = [re.findall(r" (\d{1,18})(?!\S)", line) for line in text.splitlines() if line.startswith("cpu ")]
    if len(rows) != 2 or min(map(len, rows)) < 5:
        return None
    spent = [int(after) - int(before) for before, after in zip(*rows, strict=False)][:8]  # guest is in user
    total = sum(spent)
    return 1 - (spent[3] + spent[4]) / total if total > 0 else None  # idle and iowait
