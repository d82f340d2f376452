"""`orchestrate devices add`: the entry that fits a board, and a devices file that keeps all it had."""

from pathlib import Path

import pytest
import yaml

from orchestrate import device_files
from orchestrate.devices import load_devices
from orchestrate.doctor import probe, propose
from orchestrate.errors import BadInput

FILE = """# my boards
schema: 1
devices:
  local: {transport: process, backend: onnxruntime} # here

  # the one in the cellar
  mini: {host: mini, image: cpu, backend: onnxruntime}
"""


def facts(kernel: str = "Linux 5.10 aarch64", model: str = "", l4t: str = "", **more: str) -> probe.Facts:
    parts = {"kernel": kernel, "model": model, "l4t": l4t, **more}
    return probe.facts("".join(f"\n== {name}\n{text}\n" for name, text in parts.items()))


def release(major: int, revision: str) -> str:
    return f"# R{major} (release), REVISION: {revision}, GCID: 1, BOARD: t186ref, EABI: aarch64"


@pytest.mark.parametrize(
    ("seen", "wanted"),
    [
        (facts(model="NVIDIA Jetson TX2", l4t=release(32, "7.1")), ("jetson-tx2", "tensorrt")),
        (facts(model="Jetson-AGX Xavier", l4t=release(32, "7.4")), ("jetson-xavier-r32", "tensorrt")),
        (facts(model="Jetson AGX Xavier", l4t=release(35, "4.1")), ("jetson-xavier", "tensorrt")),
        (facts(model="Jetson Orin Nano", l4t=release(36, "4.3")), ("jetson-orin", "tensorrt")),
        (facts(model="Raspberry Pi 5 Model B Rev 1.0"), ("cpu", "onnxruntime")),
        (
            facts(model="Jetson AGX Thor Developer Kit", l4t=release(38, "2.0")),
            ("jetson-thor", "tensorrt"),
        ),
        (facts("Linux 6.1.0-18-amd64 x86_64"), ("cpu", "onnxruntime")),
        (facts("Linux 6.8.0 x86_64", gpus="/dev/nvidia0"), ("tensorrt", "tensorrt")),
    ],
)
def test_a_board_gets_the_image_that_fits_its_system(
    seen: probe.Facts, wanted: tuple[str, str], tmp_path: Path
) -> None:
    found = propose.entry("board", seen)
    assert (found["image"], found["backend"]) == wanted
    path = tmp_path / "devices.yaml"
    path.write_text("devices:\n" + propose.text_of("new", found))
    assert load_devices(path)["new"].host == "board"  # what is proposed is valid


def test_power_is_what_the_board_has_now() -> None:
    orin = facts(model="Orin", l4t=release(36, "4.0"), power_mode="NV Power Mode: 15W\n0")
    assert propose.entry("b", orin)["power_mode"] == "15W"  # mode 0 is not MAXN everywhere
    pi = facts(governors="ondemand\nondemand")
    assert propose.entry("b", pi)["power"] == "governor"
    assert "power" not in propose.entry("b", facts())  # a virtual machine has no governor


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (facts("Linux 6.1 armv7l"), "armv7l.*arm64 and amd64"),
        (
            facts(l4t=release(39, "2.0")),
            r"L4T r39.2.* no image \(known: r32.7, r35, r36, r38",
        ),
        (facts(l4t=release(32, "5.1")), r"L4T r32.5"),
        (facts(""), "no machine we know"),
    ],
)
def test_a_board_that_no_image_fits_is_refused_with_the_known_ones(seen: probe.Facts, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        propose.entry("board", seen)


def test_what_the_file_had_stays_as_it_was_comments_too(tmp_path: Path) -> None:
    path = tmp_path / "devices.yaml"
    path.write_text(FILE)
    propose.write(path, "pi5", propose.text_of("pi5", propose.entry("me@pi5", facts(model="Pi: 5 #1"))))
    assert path.read_text().startswith(FILE)
    assert list(load_devices(path)) == ["local", "mini", "pi5"]
    assert load_devices(path)["pi5"].description == "Pi: 5 #1"
    assert list(tmp_path.iterdir()) == [path]


def test_a_first_file_of_ones_own_holds_that_device_alone_and_extends_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    path = propose.users_file()
    assert path == tmp_path / "orbitbench/devices.yaml"
    propose.write(path, "pi4", propose.text_of("pi4", propose.entry("mine", facts())))
    assert list(load_devices(path)) == ["pi4"]
    assert device_files.known()["pi4"].host == "mine"
    assert {"local", "xavier"} <= device_files.known().keys()


@pytest.mark.parametrize(
    ("text", "name", "reason"),
    [
        (FILE, "mini", "has a device mini already"),
        (yaml.safe_dump({"devices": {"a": {"host": "a", "image": "cpu", "backend": "onnxruntime"}}},
                        default_flow_style=True), "pi5", "paste the entry"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_extended_stays_as_it_is(
    text: str, name: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "devices.yaml"
    path.write_text(text)
    with pytest.raises(BadInput, match=reason):
        propose.write(path, name, propose.text_of(name, propose.entry("h", facts())))
    assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("name", "host"), [("../x", "h"), ("x", "-oProxyCommand=reboot")])
def test_a_name_or_host_that_the_file_would_refuse_is_refused_before_ssh(name: str, host: str) -> None:
    with pytest.raises(BadInput, match="devices add"):
        propose.need_valid(name, host)
