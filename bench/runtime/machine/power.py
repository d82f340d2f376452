"""What an INA3221 monitor on a Jetson reports of its rails, in watts, and the total that is defined for each
board.

JetPack 4 speaks iio (`rail_name_K`, `in_powerK_input` in mW, K from 0), JetPack 5 hwmon (`inK_label`,
`inK_input` in mV, `currK_input` in mA, K from 1, no power file). Rails are found by label: the numbers move
between boots. Sources: rbonghi/jetson_stats 4.3.1 (jtop/core/power.py), mainline tegra194-p2888.dtsi.
"""

import os
import re
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence

from bench.runtime.machine.procfs import matching_paths, read_int, read_text

Rail = NamedTuple("Rail", [("label", str), ("watts", Callable[[], Optional[float]])])

# The module's input, where a rail measures it (TX2, Orin NX and Nano); otherwise the sum of the rails below.
# Neither is wall power.
INPUT_RAILS = ("VDD_IN", "POM_5V_IN")
# AGX Xavier has no rail for its input. AGX Orin neither, and has no total here: its rails are recorded, but
# no public source settles whether VIN_SYS_5V0 contains VDDQ_VDD2_1V8AO.
SUMS = (("GPU", "CPU", "SOC", "CV", "VDDRQ", "SYS5V"),)


def rails(root: str = "") -> List[Rail]:
    """Return every rail of every monitor under `root`, by label; the carrier's sum rail (in7) left out."""
    drivers = root + "/sys/bus/i2c/drivers/"
    found = [_iio(p) for p in matching_paths(drivers + "ina3221x/*/iio:device*/rail_name_*")]
    found += [_hwmon(p) for p in matching_paths(drivers + "ina3221/*/hwmon/hwmon*/in[1-6]_label")]
    return [rail for rail in found if rail is not None]


def _label(path: str) -> str:
    return re.sub(r"\W+", "_", (read_text(path) or "").strip())


def _iio(path: str) -> Optional[Rail]:
    folder, number = os.path.dirname(path), path.rpartition("_")[2]
    label, power = _label(path), "{}/in_power{}_input".format(folder, number)

    def watts() -> Optional[float]:
        milliwatts = read_int(power)
        return None if milliwatts is None else milliwatts / 1000.0

    return Rail(label, watts) if label and label != "NC" else None


def _hwmon(path: str) -> Optional[Rail]:
    folder, number = os.path.dirname(path), os.path.basename(path)[2]
    label = _label(path)

    def watts() -> Optional[float]:
        millivolts = read_int("{}/in{}_input".format(folder, number))
        milliamperes = read_int("{}/curr{}_input".format(folder, number))
        return None if millivolts is None or milliamperes is None else millivolts * milliamperes / 1e6

    return Rail(label, watts) if label and label not in ("NC", "sum_of_shunt_voltages") else None


def read(found: Sequence[Rail]) -> Optional[Dict[str, Optional[float]]]:
    """Return the watts by label, None for a rail that cannot be read; None without rails."""
    return {rail.label: rail.watts() for rail in found} if found else None


def total(values: Dict[str, Optional[float]]) -> Optional[float]:
    """Return the board's power in watts: its input rail, or the sum of rails in its place.

    None where it is not known; a sum below 0 is a shunt that is off by more than flows.
    """
    watts = _total(values)
    return None if watts is None or watts < 0 else watts


def _total(values: Dict[str, Optional[float]]) -> Optional[float]:
    for label in INPUT_RAILS:
        if values.get(label) is not None:
            return values[label]
    for labels in SUMS:
        parts = [values.get(label) for label in labels]
        known = [p for p in parts if p is not None]
        if len(known) == len(parts):
            return sum(known)
    return None
