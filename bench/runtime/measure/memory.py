"""The memory ladder: what the process, its control group and its device hold at each step of a model's life.

Sources: proc(5) for smaps_rollup (Linux >= 4.14), smaps, status and clear_refs; the kernel's
cgroup-v1/memory.rst and cgroup-v2.rst. All values are bytes; None where a source cannot be read here.
"""

import ctypes
from typing import Callable, Dict, List, NamedTuple, Optional

from bench.record.readings import Rung
from bench.runtime.machine import nvmap
from bench.runtime.machine.procfs import read_text

GroupMemory = NamedTuple("GroupMemory", [("current", Optional[int]), ("peak", Optional[int])])


def parse_smaps(text: str) -> Dict[str, int]:
    """rss, pss, uss and swap in bytes, summed over every mapping of /proc/PID/smaps_rollup or smaps."""
    wanted = {"Rss:": "rss", "Pss:": "pss", "Private_Clean:": "uss", "Private_Dirty:": "uss", "Swap:": "swap"}
    totals = {"rss": 0, "pss": 0, "uss": 0, "swap": 0}
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[2] == "kB" and words[0] in wanted:
            totals[wanted[words[0]]] += int(words[1]) * 1024
    return totals


def process_memory(root: str = "/proc/self") -> Dict[str, Optional[int]]:
    """rss, pss, uss, swap of the process; the older smaps where the kernel has no rollup, rss alone where
    neither."""
    for name in ("smaps_rollup", "smaps"):
        text = read_text(root + "/" + name)
        if text:
            return dict(parse_smaps(text))
    rss = status_field("VmRSS", root)
    return {"rss": rss, "pss": None, "uss": None, "swap": status_field("VmSwap", root)}


def status_field(name: str, root: str = "/proc/self") -> Optional[int]:
    """Return one size of /proc/PID/status, such as VmHWM, in bytes."""
    for line in (read_text(root + "/status") or "").splitlines():
        words = line.split()
        if len(words) == 3 and words[0] == name + ":":
            return int(words[1]) * 1024
    return None


def reset_peak(root: str = "/proc/self") -> bool:
    """Make VmHWM start again from now (`5` to clear_refs); False where that is not allowed."""
    try:
        with open(root + "/clear_refs", "w") as stream:
            stream.write("5")
    except OSError:
        return False
    return True


def cgroup_memory(proc: str = "/proc/self", mount: str = "/sys/fs/cgroup") -> GroupMemory:
    """Return bytes now and at most charged to our control group; v2 first, then v1. Includes page cache."""
    for folder in _cgroup_folders(read_text(proc + "/cgroup") or "", mount):
        for now, peak in (
            ("memory.current", "memory.peak"),
            ("memory.usage_in_bytes", "memory.max_usage_in_bytes"),
        ):
            current = _integer(read_text(folder + "/" + now))
            if current is not None:
                return GroupMemory(current, _integer(read_text(folder + "/" + peak)))
    return GroupMemory(None, None)


def _cgroup_folders(text: str, mount: str) -> List[str]:
    """Where our memory controller may be; inside a container the path of the host is often not visible:
    try the top."""
    folders = []
    for line in text.splitlines():
        number, controllers, path = (line.split(":", 2) + ["", ""])[:3]
        top = mount if number == "0" and not controllers else mount + "/memory"
        if top == mount or "memory" in controllers.split(","):
            folders += [top + path.rstrip("/"), top]
    return folders


def _integer(text: Optional[str]) -> Optional[int]:
    return int(text) if text and text.strip().isdigit() else None


def trim() -> bool:
    """Ask glibc to give free heap back to the system; False where the C library cannot (musl)."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError):
        return False
    return True


class Ladder(object):
    """Collects the rungs of one process, in order.

    nvmap_before: bytes that nvmap had given to all processes before this one was started (Jetsons).
    root: where nvmap's part of /proc and /sys is.
    """

    def __init__(self, process: int, nvmap_before: Optional[int] = None, root: str = "/") -> None:
        self.process, self.nvmap_before, self.root = process, nvmap_before, root
        self.rungs: List[Rung] = []

    def read(self, rung: str, device: Callable[[], Dict[str, int]] = dict) -> Rung:
        """Read every source now. `device` is the backend's own knowledge, called after the rest."""
        sizes, peak, group = process_memory(), status_field("VmHWM"), cgroup_memory()
        known = device()
        values: Rung = {
            "rss": sizes["rss"],
            "pss": sizes["pss"],
            "uss": sizes["uss"],
            "swap": sizes["swap"],
            "peak_rss": peak,
            "cgroup_current": group.current,
            "cgroup_peak": group.peak,
            "gpu_free": known.get("gpu_free"),
            "gpu_total": known.get("gpu_total"),
            **nvmap.reading(self.nvmap_before, self.root),
            "process": self.process,
            "rung": rung,
            "backend": known,
        }
        self.rungs.append(values)
        return values
