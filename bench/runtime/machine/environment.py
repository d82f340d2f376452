"""What could explain a figure: machine, kernel, governor, libraries, and what only the host knows
(`board`)."""

import os
import platform
import re
import sys
from typing import Dict, List, Mapping, Optional

from bench.record.types import Environment
from bench.runtime.machine.emulation import emulated
from bench.runtime.machine.procfs import matching_paths, read_int, read_text

VARIABLES = ("CUDA_", "GLIBC_TUNABLES", "LD_PRELOAD", "MALLOC_", "NVIDIA_", "OMP_", "OPENBLAS_", "ORT_")
# Those that explain a figure by their value, which is a number or a word; of others only the name is kept, as
# they may hold a path, a token or whatever else their owner keeps there.
TELLING = (
    ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "CUDA_LAUNCH_BLOCKING", "CUDA_MODULE_LOADING")
    + ("GLIBC_TUNABLES", "MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_")
    + ("NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES", "NVIDIA_TF32_OVERRIDE")
    + ("OMP_NUM_THREADS", "OMP_PROC_BIND", "OMP_PLACES", "OMP_SCHEDULE", "OMP_DYNAMIC", "OMP_WAIT_POLICY")
    + ("OMP_THREAD_LIMIT", "OPENBLAS_NUM_THREADS", "OPENBLAS_CORETYPE")
)
PLAIN_VALUE = re.compile(r"[A-Za-z0-9_.,:;=+*{}() -]{0,200}\Z")

STATED = "an emulator that devices.yaml states"  # and that does not show itself to a process in it


def describe(board: Environment, root: str = "") -> Environment:
    """Return the part of the environment that does not change from job to job."""
    kernel = os.uname()
    return {
        "board": board,
        "model": (read_text(root + "/proc/device-tree/model") or "").strip("\0\n ") or board.get("model"),
        "machine": kernel.machine,
        "kernel": kernel.release,
        "python": platform.python_version(),
        "libc": " ".join(platform.libc_ver(sys.executable)),
        "cpu": _cpu(root),
        "memory_bytes": _memory_total(root),
        "governors": _texts(root + "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_governor"),
        "clock_limits_hz": _limits(root),
        "variables": variables(os.environ),
        "emulated": emulated(root) or (STATED if board.get("emulated") else None),
    }


def variables(environment: Mapping[str, str]) -> Dict[str, Optional[str]]:
    """Return name -> value of the variables that bear on a figure.

    None where the value is nobody's business.
    """
    found = {}  # type: Dict[str, Optional[str]]
    for name, value in sorted(environment.items()):
        if name == "LD_PRELOAD":
            found[name] = " ".join(os.path.basename(path) for path in re.split("[ :]+", value) if path)
        elif name.startswith(VARIABLES):
            found[name] = value if name in TELLING and PLAIN_VALUE.match(value) else None
    return found


def without_places(text: str, bundle: str) -> str:
    """Return a message without this user's folders: files of the bundle by their names in it."""
    for place, name in ((bundle, ""), (sys.prefix, ""), (os.path.expanduser("~"), "~/")):
        if len(place) > 1:
            text = text.replace(place + os.sep, name)
    return text


def _cpu(root: str = "") -> Dict[str, object]:
    """Return model, flags and count of the CPUs that /proc/cpuinfo shows."""
    found: Dict[str, str] = {}
    for line in (read_text(root + "/proc/cpuinfo") or "").splitlines():
        key, _, value = line.partition(":")
        found.setdefault(key.strip(), value.strip())
    keys = ("model name", "Model", "Hardware", "CPU implementer", "CPU part", "CPU variant", "CPU revision")
    return {
        "count": os.cpu_count(),
        "usable": len(os.sched_getaffinity(0)),
        "identity": {key: found[key] for key in keys if key in found},
        "flags": found.get("flags", found.get("Features", "")),
    }


def _memory_total(root: str) -> Optional[int]:
    for line in (read_text(root + "/proc/meminfo") or "").splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    return None


def _texts(pattern: str) -> List[str]:
    return sorted({(read_text(p) or "").strip() for p in matching_paths(pattern)})


def _limits(root: str) -> Dict[str, Optional[int]]:
    folder = root + "/sys/devices/system/cpu/cpu0/cpufreq/"
    khz = {name: read_int(folder + "scaling_{}_freq".format(name)) for name in ("min", "max")}
    return {name: value * 1000 if value is not None else None for name, value in khz.items()}
