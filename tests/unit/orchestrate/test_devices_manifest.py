"""devices.yaml: what is refused, how it is said, and that nothing in it can do harm."""

from pathlib import Path

import pytest

from orchestrate.devices import Device, choose_devices, json_schema, load_devices
from orchestrate.errors import BadInput
from orchestrate.images.manifest import open_project


def load(tmp_path: Path, text: str) -> dict[str, Device]:
    path = tmp_path / "devices.yaml"
    path.write_text(text)
    return load_devices(path)


def test_the_shipped_file_is_valid_and_has_the_documented_devices(root: Path) -> None:
    devices = load_devices(root / "manifests" / "devices.yaml")
    boards = {"tx2", "xavier", "orin", "thor", "pi4", "pi5", "pi4-emulated"}
    assert set(devices) == {*boards, "minipc", "gpu"}
    assert devices["pi4-emulated"].emulated


def test_three_mistakes_are_told_at_once_each_with_its_line_and_what_is_allowed(tmp_path: Path) -> None:
    text = """devices:
  pi4:
    host: -oProxyCommand=reboot
    image: pi4
    backend: onxruntime
    threads: [1, 1]
    colour: red
"""
    with pytest.raises(BadInput) as error:
        load(tmp_path, text)
    lines = str(error.value).splitlines()
    assert len(lines) == 4
    assert ":3: devices.pi4.host:" in lines[0]
    assert "-oProxyCommand=reboot" in lines[0]
    assert ":5: devices.pi4.backend:" in lines[1]
    assert "onnxruntime" in lines[1]
    assert ":6: devices.pi4.threads:" in lines[2]
    assert "given twice: 1" in lines[2]
    assert ":7: devices.pi4.colour:" in lines[3]
    assert "precisions" in lines[3]


@pytest.mark.parametrize(
    "name",
    ["../up", "a/b", "-rf", ".hidden", "a b", "$(reboot)", "a;b", "bundle", "report", "ä", "x" * 64, "a.b"],
)
def test_a_name_that_could_leave_its_folder_or_clash_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput):
        load(tmp_path, f"devices:\n  {name!r}: {{transport: process, backend: onnxruntime}}\n")


@pytest.mark.parametrize(
    "host", ["-F/etc/passwd", "a b", "a;b", "a`id`", "$HOME", "u@-x", "-u@x", "a/b", "a\nb", "a'b", ""]
)
def test_a_host_that_ssh_could_misread_is_refused(tmp_path: Path, host: str) -> None:
    with pytest.raises(BadInput):
        load(tmp_path, f"devices:\n  d: {{host: {host!r}, image: pi4, backend: onnxruntime}}\n")


@pytest.mark.parametrize(
    "host",
    [
        "pi4",
        "bench@pi4.lab",
        "10.0.0.7",
        "ssh://bench@pi4:2222",
        "ssh://[::1]:22",
        "unix:///run/docker.sock",
        "_x",
    ],
)
def test_a_host_as_people_write_it_is_accepted(tmp_path: Path, host: str) -> None:
    device = load(tmp_path, f"devices:\n  d: {{host: {host!r}, image: pi4, backend: onnxruntime}}\n")["d"]
    assert device.host == host


@pytest.mark.parametrize(("text", "size"), [("512MB", 512_000_000), ("1.5 GiB", 1610612736), ("7", 7)])
def test_sizes_carry_units(tmp_path: Path, text: str, size: int) -> None:
    yaml = (
        f"devices: {{d: {{transport: process, backend: onnxruntime, limits: {{min_free_disk: {text}}}}}}}\n"
    )
    assert load(tmp_path, yaml)["d"].limits.min_free_disk == size


@pytest.mark.parametrize("text", ["12 parsecs", "-1MB", "true", "1e99999"])
def test_a_size_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match="min_free_disk"):
        load(
            tmp_path,
            f"devices: {{d: {{image: pi4, backend: onnxruntime, limits: {{min_free_disk: {text}}}}}}}",
        )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{host: pi4, backend: onnxruntime}", "docker needs an image"),
        ("{transport: process, host: pi4, backend: onnxruntime}", "leave out host"),
        ("{image: pi4, host: pi4, backend: onnxruntime, prepare: [[nvpmodel]]}", "prepare needs a restore"),
        ("{image: pi4, backend: onnxruntime, prepare: [reboot]}", "prepare"),
    ],
)
def test_a_combination_that_cannot_work_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        load(tmp_path, f"devices: {{d: {text}}}")


def test_an_unknown_device_lists_the_known_ones(root: Path) -> None:
    path = root / "manifests" / "devices.yaml"
    said = r"unknown device 'xaver' \(did you mean xavier\?\); .*devices.yaml knows: gpu, minipc,"
    with pytest.raises(BadInput, match=said):
        choose_devices(load_devices(path), ["xaver"], path)


def test_the_json_schema_says_what_a_device_needs() -> None:
    schema = json_schema()
    device = schema["$defs"]["Device"]
    assert device["additionalProperties"] is False
    assert "backend" in device["required"]
    assert schema["properties"]["schema"]["maximum"] == 1


def test_counts_in_measure_stay_whole_numbers_which_the_runtime_insists_on(root: Path) -> None:
    measure = load_devices(root / "manifests" / "devices.yaml")["pi4-emulated"].measure
    assert {name: type(measure[name]) for name in ("processes", "warmup", "max_seconds")} == {  # type: ignore[index]
        "processes": int,
        "warmup": int,
        "max_seconds": int,
    }
    assert measure["min_seconds"] == 0.1


def test_an_image_that_nobody_makes_is_refused_with_its_line_and_the_known_ones(tmp_path: Path) -> None:
    text = "devices:\n  pi5:\n    host: pi5\n    image: pi5\n    backend: onnxruntime\n"
    with pytest.raises(
        BadInput, match=r"devices.yaml:4: devices.pi5.image: unknown image 'pi5'.*pi4"
    ) as error:
        load(tmp_path, text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("image", ["registry.example/lab/own:1", "own@sha256:" + "0" * 64])
def test_an_image_by_its_full_reference_needs_no_entry(image: str, tmp_path: Path) -> None:
    text = f"devices: {{d: {{host: d, image: '{image}', backend: onnxruntime}}}}"
    assert load(tmp_path, text)["d"].image == image


def test_cpu_is_another_name_of_the_image_pi4(tmp_path: Path) -> None:
    device = load(tmp_path, "devices: {mini: {host: mini, image: cpu, backend: onnxruntime}}")["mini"]
    assert device.image == "pi4"
    assert open_project().target("cpu", "linux/amd64").name == "pi4"
