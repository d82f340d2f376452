"""Evidence that the board slows itself down: firmware bits, alarms, event counters, cooling states.

Sources: raspberrypi/linux (`get_throttled` of the firmware's driver, whose "has occurred" bits the kernel's
own poll clears every 2 s; the hwmon `rpi_volt`, also in mainline), the kernel's thermal and cpufreq ABI,
rbonghi/jetson_stats and NVIDIA's hwmon counters `oc*_event_cnt` (Orin and later). None of these files has
what `vcgencmd` prints on the host: that is asked before and after a run, from outside.
"""

import os
import re
from typing import Dict, List, Optional

from bench.record.readings import Slowing
from bench.runtime.machine.procfs import matching_paths, read_int, read_text

FIRMWARE = (
    "/sys/devices/platform/soc/soc:firmware/get_throttled",
    "/sys/devices/platform/*/*firmware/get_throttled",
    "/sys/devices/platform/*firmware/get_throttled",
)
HWMON = "/sys/class/hwmon/hwmon*/"
SLOWING = re.compile(r"cpufreq|devfreq|cpu|gpu|balanced|processor|powerclamp", re.IGNORECASE)
MEASURED = ("intel_pstate", "intel_cpufreq", "amd-pstate", "amd-pstate-epp")  # an idle CPU's reading is noise
POLICIES = "/sys/devices/system/cpu/cpufreq/policy*"


class Throttling(object):
    """Finds once what this machine has, then reads only that."""

    def __init__(self, root: str = "") -> None:
        self.firmware = [path for pattern in FIRMWARE for path in matching_paths(root + pattern)][:1]
        self.alarms = [
            os.path.join(os.path.dirname(path), "in0_lcrit_alarm")
            for path in matching_paths(root + HWMON + "name")
            if (read_text(path) or "").strip() == "rpi_volt"
        ]
        self.events = matching_paths(root + HWMON + "oc*_event_cnt")
        devices = matching_paths(root + "/sys/class/thermal/cooling_device*")
        self.cooling = [path for path in devices if _slows(path)]
        self.policies = [path for path in matching_paths(root + POLICIES) if fixed(path)]

    def read(self) -> Slowing:
        """Return one reading; None where the board has no such source.

        throttled: the firmware's bits; undervoltage: 1 while its alarm is on; over_current: events so far;
        cooling: steps by which each kind of cooling slows a device; clocks: Hz of each fixed policy.
        """
        return {
            "throttled": read_int(self.firmware[0], 16) if self.firmware else None,
            "undervoltage": _most(self.alarms),
            "over_current": _sum(self.events),
            "cooling": self._cooling(),
            "clocks": self._clocks(),
        }

    def _cooling(self) -> Optional[Dict[str, int]]:
        found = {}  # type: Dict[str, int]
        for path in self.cooling:
            state = read_int(path + "/cur_state")
            if state is not None:
                kind = _kind(path)
                found[kind] = max(state, found.get(kind, state))
        return found or None

    def _clocks(self) -> Optional[Dict[str, int]]:
        khz = {os.path.basename(path): read_int(path + "/scaling_cur_freq") for path in self.policies}
        return {name: value * 1000 for name, value in khz.items() if value is not None} or None


def fixed(policy: str) -> bool:
    """Return whether a policy's clock is meant to stay: pinned, or its governor asks for the maximum."""
    texts = {
        name: (read_text("{}/scaling_{}".format(policy, name)) or "").strip()
        for name in ("min_freq", "max_freq", "governor", "driver")
    }
    pinned = texts["min_freq"] == texts["max_freq"] != ""
    return pinned or (texts["governor"] == "performance" and texts["driver"] not in MEASURED)


def _kind(path: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", (read_text(path + "/type") or "").strip())[:60]


def _slows(path: str) -> bool:
    """A cooling device that lowers a clock, as a fan does not."""
    kind = _kind(path)
    return bool(SLOWING.search(kind)) and "fan" not in kind.lower()


def _values(paths: List[str]) -> List[int]:
    return [value for value in map(read_int, paths) if value is not None]


def _most(paths: List[str]) -> Optional[int]:
    return max(_values(paths), default=None)


def _sum(paths: List[str]) -> Optional[int]:
    values = _values(paths)
    return sum(values) if values else None
