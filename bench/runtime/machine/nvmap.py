"""GPU memory of one process on a Jetson: nvmap's debugfs by process, or what /proc/meminfo grew by.

`clients` (older kernels) and `maps` both hold a line `user  process  pid  sizeK` a client; `maps` adds lines
of single allocations below it, and both end in `total`. Format as rbonghi/jetson_stats 4.3.1 reads it
(jtop/core/processes.py). They need root and a mounted debugfs; the process ids are the host's. Any process
may read `NvMapMemUsed` of /proc/meminfo, the bytes of all processes together: what it grew by since before
the process started is the process's part, as long as no other program takes GPU memory meanwhile.
"""

import os
import re
from typing import Dict, Optional

from bench.record.readings import Rung
from bench.runtime.machine.procfs import read_text

FOLDER = "/sys/kernel/debug/nvmap/iovmm/"
_CLIENT = re.compile(r"^(\S+)\s+(\S.*?)\s+(\d+)\s+(\d+)([KMG]?)\s*$")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


def parse_clients(text: str) -> Dict[int, int]:
    """Return process id -> bytes, of a `clients` or `maps` table."""
    found: Dict[int, int] = {}
    for line in text.splitlines():
        match = _CLIENT.match(line)
        if match and match.group(1) != "total":
            pid, size = int(match.group(3)), int(match.group(4)) * _UNITS[match.group(5)]
            found[pid] = found.get(pid, 0) + size
    return found


def process_bytes(pid: Optional[int] = None, folder: str = FOLDER) -> Optional[int]:
    """Return the bytes that nvmap charges to the process, this one by default.

    None where the tables cannot be read.
    """
    for name in ("maps", "clients"):
        text = read_text(folder + name)
        if text is not None:
            return parse_clients(text).get(host_pid() if pid is None else pid, 0)
    return None


def host_pid(status: str = "/proc/self/status") -> int:
    """Return our id in the outermost pid namespace that we can see (`NSpid`, its first number)."""
    for line in (read_text(status) or "").splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[1])
    return os.getpid()


def total_bytes(meminfo: str = "/proc/meminfo") -> Optional[int]:
    """nvmap bytes of all processes (`NvMapMemUsed`), readable in a container; None where the kernel has no
    such line."""
    for line in (read_text(meminfo) or "").splitlines():
        if line.startswith("NvMapMemUsed:"):
            return int(line.split()[1]) * 1024
    return None


def reading(before: Optional[int], root: str = "/") -> Rung:
    """Return `nvmap` (bytes of this process), `nvmap_total` (of all) and `nvmap_source` (debugfs | meminfo).

    None each where it cannot be read. before: `total_bytes` before this process was started, for boards whose
    debugfs is closed to us. root: where /proc and /sys are.
    """
    total = total_bytes(root + "proc/meminfo")
    own, source = process_bytes(host_pid(root + "proc/self/status"), root + FOLDER[1:]), "debugfs"
    if own is None and total is not None and before is not None:
        own, source = max(0, total - before), "meminfo"
    return {"nvmap": own, "nvmap_total": total, "nvmap_source": None if own is None else source}
