"""Sensors of boards that are not here, read from trees like theirs."""

import os
from pathlib import Path

import pytest

from bench.runtime.machine import emulation, power
from bench.runtime.machine.sensors import Sensors

PI = {
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq": "1500000\n",
    "sys/devices/system/cpu/cpu3/cpufreq/scaling_cur_freq": "1200000\n",
    "sys/class/thermal/thermal_zone0/temp": "51234\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n",
    "proc/loadavg": "1.25 0.9 0.5 1/99 1234\n",
}
I2C = "sys/bus/i2c/drivers/"
TX2 = {
    "sys/class/devfreq/17000000.gp10b/cur_freq": "1300500000\n",
    "sys/class/thermal/thermal_zone0/temp": "42500\n",
    "sys/class/thermal/thermal_zone0/type": "BCPU-therm\n",
    "sys/class/thermal/thermal_zone5/temp": "100000\n",
    "sys/class/thermal/thermal_zone5/type": "PMIC-Die\n",
    I2C + "ina3221x/0-0041/iio:device1/rail_name_0": "VDD_IN\n",
    I2C + "ina3221x/0-0041/iio:device1/in_power0_input": "7415\n",
    I2C + "ina3221x/0-0041/iio:device1/rail_name_1": "VDD_SYS_CPU\n",
    I2C + "ina3221x/0-0041/iio:device1/in_power1_input": "1220\n",
    I2C + "ina3221x/0-0040/iio:device0/rail_name_0": "VDD_SYS_GPU\n",
    I2C + "ina3221x/0-0040/iio:device0/in_power0_input": "2500\n",
}
XAVIER = {"sys/class/devfreq/17000000.gv11b/cur_freq": "1377000000\n"}
for _chip, _labels in (("1-0040", ("GPU", "CPU", "SOC")), ("1-0041", ("CV", "VDDRQ", "SYS5V"))):
    for _k, _label in enumerate(_labels, 1):
        _folder = f"{I2C}ina3221/{_chip}/hwmon/hwmon{3 if _chip[-1] == '0' else 4}/"
        XAVIER |= {
            f"{_folder}in{_k}_label": _label,
            f"{_folder}in{_k}_input": "19000\n",
            f"{_folder}curr{_k}_input": "100\n",
        }
        XAVIER |= {f"{_folder}in7_label": "sum of shunt voltages", f"{_folder}in7_input": "9\n"}


def tree(folder: Path, files: dict[str, str]) -> str:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return str(folder)


def test_a_pi_tells_its_fastest_clock_its_heat_and_the_firmwares_throttle_bits(tmp_path: Path) -> None:
    values = Sensors(tree(tmp_path, PI)).read()
    assert values["cpu_hz"] == 1_500_000_000
    assert values["cpu_hz_min"] == 1_200_000_000
    assert values["temperature"] == 51.234
    assert values["throttled"] == 0x50005
    assert values["load"] == 1.25
    assert values["power"] is None
    assert values["gpu_hz"] is None


def test_a_tx2_tells_gpu_clock_rails_and_its_input_as_the_total_but_not_the_constant_pmic(
    tmp_path: Path,
) -> None:
    values = Sensors(tree(tmp_path, TX2)).read()
    assert values["gpu_hz"] == 1_300_500_000
    assert values["temperature"] == 42.5
    assert values["rails"] == {"VDD_IN": 7.415, "VDD_SYS_CPU": 1.22, "VDD_SYS_GPU": 2.5}
    assert values["power"] == 7.415


def test_a_xavier_has_no_input_rail_so_its_six_rails_are_added(tmp_path: Path) -> None:
    values = Sensors(tree(tmp_path, XAVIER)).read()
    assert values["rails"] == {label: pytest.approx(1.9) for label in power.SUMS[0]}
    assert values["power"] == pytest.approx(6 * 1.9)


@pytest.mark.parametrize(
    "name", ["17000000.gp10b", "17000000.gv11b", "17000000.ga10b", "17000000.gpu", "gpu-gpc-0"]
)
def test_the_gpu_clock_of_every_jetson_is_found(name: str, tmp_path: Path) -> None:
    files = {f"sys/class/devfreq/{name}/cur_freq": "624750000\n", "sys/class/devfreq/bwmgr/cur_freq": "1\n"}
    assert Sensors(tree(tmp_path, files)).read()["gpu_hz"] == 624_750_000


def hwmon(chip: str, number: int, rails: dict[int, tuple[str, int, int]]) -> dict[str, str]:
    """Files of one INA3221: channel -> (label, millivolts, milliamperes)."""
    folder, files = f"{I2C}ina3221/{chip}/hwmon/hwmon{number}/", {}
    for channel, (label, millivolts, milliamperes) in rails.items():
        files |= {
            f"{folder}in{channel}_label": label,
            f"{folder}in{channel}_input": str(millivolts),
            f"{folder}curr{channel}_input": str(milliamperes),
        }
    return files


def test_an_orin_nano_has_an_input_rail(tmp_path: Path) -> None:
    rails = {1: ("VDD_IN", 5000, 1000), 2: ("VDD_CPU_GPU_CV", 5000, 300), 3: ("VDD_SOC", 5000, 250)}
    values = Sensors(tree(tmp_path, hwmon("1-0040", 1, rails))).read()
    assert values["rails"] == {"VDD_IN": 5.0, "VDD_CPU_GPU_CV": 1.5, "VDD_SOC": 1.25}
    assert values["power"] == 5.0


def test_the_rails_of_an_agx_orin_are_recorded_without_a_total_that_nobody_defined(tmp_path: Path) -> None:
    upper = {1: ("VDD_GPU_SOC", 20000, 200), 2: ("VDD_CPU_CV", 20000, 100), 3: ("VIN_SYS_5V0", 5000, 900)}
    lower = {1: ("NC", 0, 0), 2: ("VDDQ_VDD2_1V8AO", 5000, 80), 3: ("NC", 0, 0)}
    values = Sensors(tree(tmp_path, hwmon("1-0040", 3, upper) | hwmon("1-0041", 4, lower))).read()
    wanted = {"VDD_GPU_SOC": 4.0, "VDD_CPU_CV": 2.0, "VIN_SYS_5V0": 4.5, "VDDQ_VDD2_1V8AO": 0.4}
    assert values["rails"] == wanted
    assert values["power"] is None


def test_a_rail_that_cannot_be_read_leaves_the_total_unknown_rather_than_too_small(tmp_path: Path) -> None:
    root = tree(tmp_path, XAVIER)
    (tmp_path / I2C / "ina3221/1-0041/hwmon/hwmon4/curr2_input").unlink()
    values = power.read(power.rails(root))
    assert values is not None
    assert values["VDDRQ"] is None
    assert power.total(values) is None


def test_a_power_below_0_is_none() -> None:
    assert power.total({"VDD_IN": -0.001}) is None
    assert power.total({"VDD_IN": 0.0}) == 0.0


def test_a_machine_without_sensors_is_none_throughout(tmp_path: Path) -> None:
    assert set(Sensors(str(tmp_path)).read().values()) == {None}


def test_nothing_here_is_emulated_when_the_kernel_names_one_program(tmp_path: Path) -> None:
    assert emulation.user_mode() is None
    root = tree(
        tmp_path, {"proc/self/stat": "", "proc/thread-self/stat": "", "proc/cpuinfo": "CPU part : 0xd08\n"}
    )
    for name in ("self", "thread-self"):
        os.symlink("/usr/bin/python3", tmp_path / "proc" / name / "exe")
    assert emulation.emulated(root) is None


def test_an_emulator_that_poses_as_the_program_is_seen_through(tmp_path: Path) -> None:
    root = tree(tmp_path, {"proc/self/stat": "", "proc/thread-self/stat": ""})
    os.symlink("/usr/bin/python3", tmp_path / "proc/self/exe")
    os.symlink("/usr/bin/qemu-aarch64-static", tmp_path / "proc/thread-self/exe")
    assert emulation.user_mode(root) == "qemu-user"


def test_an_arm_program_on_a_cpu_that_intel_made_is_emulated(tmp_path: Path) -> None:
    root = tree(tmp_path, {"proc/cpuinfo": "vendor_id\t: GenuineIntel\n"})
    assert emulation.user_mode(root, machine="aarch64") == "qemu-user"
    assert emulation.user_mode(root, machine="x86_64") is None


@pytest.mark.parametrize(
    ("files", "verdict"),
    [
        ({"proc/device-tree/compatible": "linux,dummy-virt\0"}, "qemu-system"),
        ({"proc/device-tree/compatible": "raspberrypi,4-model-b\0brcm,bcm2711\0"}, None),
        ({"sys/class/dmi/id/sys_vendor": "QEMU\n"}, "qemu-system"),
        (
            {
                "sys/class/dmi/id/sys_vendor": "QEMU\n",
                "sys/devices/system/clocksource/clocksource0/available_clocksource": "kvm-clock tsc\n",
            },
            None,
        ),
    ],
)
def test_a_board_that_only_qemu_makes_is_emulated_a_virtual_machine_is_not(
    tmp_path: Path, files: dict[str, str], verdict: str | None
) -> None:
    assert emulation.whole_machine(tree(tmp_path, files)) == verdict
