"""GPU memory of one process on a Jetson, from nvmap's debugfs; pure parsers of its two tables.

`clients` (older kernels) and `maps` both hold a line `user  process  pid  sizeK` a client; `maps` adds lines
of single allocations below it, and both end in `total`. Format as rbonghi/jetson_stats 4.3.1 reads it
(jtop/core/processes.py). Needs root and a mounted debugfs; the process ids are the host's.
"""

import os
import re
from typing import Dict, Optional

from bench.runtime.machine.procfs import read_text

FOLDER = "/sys/kernel/debug/nvmap/iovmm/"
_CLIENT = re.compile(r"^(\S+)\s+(\S.*?)\s+(\d+)\s+(\d+)([KMG]?)\s*$")
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}


def parse_clients(text: str) -> Dict[int, int]:
    """Process id -> bytes, of a `clients` or `maps` table."""
    found: Dict[int, int] = {}
    for line in text.splitlines():
        match = _CLIENT.match(line)
        if match and match.group(1) != "total":
            pid, size = int(match.group(3)), int(match.group(4)) * _UNITS[match.group(5)]
            found[pid] = found.get(pid, 0) + size
    return found


def process_bytes(pid: Optional[int] = None, folder: str = FOLDER) -> Optional[int]:
    """Bytes that nvmap charges to the process, this one unless told; None where the tables cannot be read."""
    for name in ("maps", "clients"):
        text = read_text(folder + name)
        if text is not None:
            return parse_clients(text).get(host_pid() if pid is None else pid, 0)
    return None


def host_pid(status: str = "/proc/self/status") -> int:
    """Our id in the outermost pid namespace that we can see (`NSpid`, its first number)."""
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
