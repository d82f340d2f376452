"""A board that slows itself down is noticed: on a Pi, on a Jetson, before, during and after the samples."""

from pathlib import Path
from typing import Any

import pytest

from bench.runtime.machine.sensors import Sensors
from bench.runtime.measure import validity
from bench.runtime.supervise.record_builder import surrounding
from tests.unit.runtime.test_sensors import tree
from tests.unit.runtime.test_validity import CLEAN, ENTRY, FACTS

CPUFREQ = "sys/devices/system/cpu/cpufreq/policy"


def policy(
    number: int, governor: str = "performance", driver: str = "cpufreq-dt", **khz: int
) -> dict[str, str]:
    values = {"governor": governor, "driver": driver, "min_freq": 600000, "max_freq": 1800000, **khz}
    return {f"{CPUFREQ}{number}/scaling_{name}": f"{value}\n" for name, value in values.items()}


def reasons(readings: list[dict[str, Any]]) -> list[tuple[str, str]]:
    verdict = validity.judge(ENTRY, FACTS, readings, CLEAN)
    return [(each["code"], each["message"]) for each in verdict.reasons]


def warnings(readings: list[dict[str, Any]]) -> list[str]:
    return [each["code"] for each in validity.judge(ENTRY, FACTS, readings, CLEAN).warnings]


@pytest.mark.parametrize(
    "path",
    [
        "sys/devices/platform/soc/soc:firmware/get_throttled",
        "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled",
        "sys/devices/platform/firmware/get_throttled",
    ],
)
def test_the_firmwares_bits_are_found_where_kernels_put_them(tmp_path: Path, path: str) -> None:
    assert Sensors(tree(tmp_path, {path: "50005\n"})).read()["throttled"] == 0x50005


def test_a_mainline_pi_shows_undervoltage_by_its_hwmon_alarm_alone(tmp_path: Path) -> None:
    hwmon = "sys/class/hwmon/hwmon"
    files = {
        f"{hwmon}1/name": "rpi_volt\n",
        f"{hwmon}1/in0_lcrit_alarm": "0\n",
        f"{hwmon}0/name": "cpu_thermal\n",
    }
    sensors = Sensors(tree(tmp_path, files))
    quiet = sensors.read()
    assert (quiet["throttled"], quiet["undervoltage"]) == (None, 0)
    tree(tmp_path, {f"{hwmon}1/in0_lcrit_alarm": "1\n"})
    (found,) = reasons([quiet, sensors.read()])
    assert found == ("throttled", "undervoltage: use a stronger power supply")
    assert reasons([quiet, quiet]) == []


def test_over_current_events_of_an_orin_count_where_they_grow(tmp_path: Path) -> None:
    counter = "sys/class/hwmon/hwmon3/oc1_event_cnt"
    sensors = Sensors(tree(tmp_path, {counter: "7\n", "sys/class/hwmon/hwmon3/oc3_event_cnt": "0\n"}))
    before = sensors.read()
    tree(tmp_path, {counter: "9\n"})
    (found,) = reasons([before, sensors.read()])
    assert found[0] == "throttled"
    assert "2 over-current events" in found[1]
    assert reasons([before, before]) == []


def test_a_cooling_device_that_slows_a_cpu_is_throttling_a_fan_is_not(tmp_path: Path) -> None:
    cooling = "sys/class/thermal/cooling_device"
    files = {f"{cooling}0/type": "cpufreq-cpu0\n", f"{cooling}0/cur_state": "0\n"}
    files |= {f"{cooling}1/type": "pwm-fan\n", f"{cooling}1/cur_state": "3\n"}
    sensors = Sensors(tree(tmp_path, files))
    assert sensors.read()["cooling"] == {"cpufreq-cpu0": 0}
    assert reasons([sensors.read()]) == []
    tree(tmp_path, {f"{cooling}0/cur_state": "2\n"})
    (found,) = reasons([sensors.read()])
    assert found == ("throttled", "the kernel slowed the board down to cool it (cpufreq-cpu0)")


def test_a_slow_cluster_does_not_hide_behind_the_fastest_core(tmp_path: Path) -> None:
    files = {**policy(0, cur_freq=1800000), **policy(4, cur_freq=2200000, max_freq=2200000)}
    sensors = Sensors(tree(tmp_path, files))
    before = sensors.read()
    tree(tmp_path, policy(0, cur_freq=900000))
    (found,) = reasons([before, sensors.read()])
    assert found[0] == "clock_changed"
    assert "CPU (policy0) clock moved between 900 and 1800 MHz" in found[1]


@pytest.mark.parametrize(
    ("settings", "judged"),
    [
        ({}, True),
        ({"governor": "ondemand"}, False),
        ({"governor": "schedutil", "min_freq": 1800000}, True),  # pinned, as jetson_clocks does
        ({"driver": "intel_pstate"}, False),  # measured: an idle CPU's value is noise
    ],
)
def test_only_clocks_that_are_meant_to_stay_are_judged_one_by_one(
    tmp_path: Path, settings: dict[str, Any], judged: bool
) -> None:
    clocks = Sensors(tree(tmp_path, policy(0, cur_freq=1800000, **settings))).read()["clocks"]
    assert clocks == ({"policy0": 1_800_000_000} if judged else None)


def test_where_nothing_can_be_known_the_record_says_so() -> None:
    blind = {
        "throttled": None,
        "undervoltage": None,
        "over_current": None,
        "cooling": None,
        "clocks": {"policy0": 1},
    }
    assert warnings([blind]) == ["throttling_unknown"]
    assert warnings([{**blind, "undervoltage": 0}]) == []


@pytest.mark.parametrize(
    ("moment", "valid"), [(0.2, True), (0.9, False), (1.1, False), (1.5, False), (2.5, True)]
)
def test_throttling_just_before_during_and_just_after_short_samples_is_seen(
    moment: float, valid: bool
) -> None:
    times = (0.4, 0.9, 1.4, 1.9, 2.4)  # a reading each half second; the samples took 0.2 s
    readings = [{"t": t, "throttled": 0x4 if abs(t - moment) <= 0.5 else 0} for t in times]
    around = surrounding(readings, {"begin": 1.0, "end": 1.2})
    assert [reading["t"] for reading in around] == [0.9, 1.4]
    verdict = validity.judge(ENTRY, FACTS, [], CLEAN, around)
    assert (verdict.reasons == []) is valid
