"""What the board reports of itself while it works: clocks, temperature, throttle bits, load, power.

Read by the parent, which otherwise sleeps, so that the measured process does nothing but measure. Paths as in
the kernel's cpufreq and thermal ABI, and rbonghi/jetson_stats
(GPU, INA3221). `root` is put before every path, so that tests can show the tree of another board.
"""

import os
from typing import List, Optional

from bench.record.readings import Sensed
from bench.runtime.machine import power
from bench.runtime.machine.procfs import matching_paths, read_int, read_text
from bench.runtime.machine.throttling import Throttling

GPU_CLOCKS = (
    "/sys/class/devfreq/*.g[avp][0-9]*b/cur_freq",  # TX2 gp10b, Xavier gv11b, Orin until JetPack 5 ga10b
    "/sys/class/devfreq/*.gpu/cur_freq",  # Orin with JetPack 6
    "/sys/class/devfreq/gpu-gpc-*/cur_freq",  # Thor
    "/sys/devices/gpu.0/devfreq/*/cur_freq",
)


class Sensors(object):
    """Finds once what this machine has, then reads only that."""

    def __init__(self, root: str = "") -> None:
        self.root = root
        self.cpu = matching_paths(root + "/sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")
        self.gpu = [p for pattern in GPU_CLOCKS for p in matching_paths(root + pattern)][:1]
        self.rails = power.rails(root)
        self.throttling = Throttling(root)
        zones = matching_paths(root + "/sys/class/thermal/thermal_zone*/temp")
        self.zones = [zone for zone in zones if not _constant(zone)]

    def read(self) -> Sensed:
        """Return one reading in hertz, degrees Celsius, watts; None where the board has no such sensor."""
        clocks = [hz for hz in map(read_int, self.cpu) if hz is not None]
        heat = [t for t in map(read_int, self.zones) if t is not None]
        rails = power.read(self.rails)
        return {
            "cpu_hz": max(clocks) * 1000 if clocks else None,  # cpufreq speaks kHz
            "cpu_hz_min": min(clocks) * 1000 if clocks else None,
            "gpu_hz": read_int(self.gpu[0]) if self.gpu else None,
            "temperature": max(heat) / 1000.0 if heat else None,
            "load": self._load(),
            "power": power.total(rails) if rails else None,
            "rails": rails,
            **self.throttling.read(),
        }

    def _load(self) -> Optional[float]:
        words = (read_text(self.root + "/proc/loadavg") or "").split()
        return float(words[0]) if words else None


def _constant(zone: str) -> bool:
    """Jetson's PMIC zone always reads 50 or 100 degrees."""
    return "PMIC" in (read_text(os.path.join(os.path.dirname(zone), "type")) or "")


def names(sensors: Sensors) -> List[str]:
    """Return what was found, for the record's environment."""
    slow = sensors.throttling
    evidence = slow.firmware + slow.alarms + slow.events + slow.cooling + slow.policies
    paths = [p[len(sensors.root) :] for p in sensors.cpu[:1] + sensors.gpu + sensors.zones + evidence]
    return paths + ["rail " + rail.label for rail in sensors.rails]
