"""Which devices there are: the user's file and the project's extend what is shipped, entry by entry."""

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.manifests import search_path
from orchestrate import device_files
from orchestrate.cli import build as application
from orchestrate.errors import BadInput
from tests.conftest import ROOT

ENTRY = "{{host: {0}, image: cpu, backend: onnxruntime}}"


def write(folder: Path, **hosts: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "devices.yaml"
    lines = [f"  {name}: {ENTRY.format(host)}" for name, host in hosts.items()]
    path.write_text("\n".join(["devices:", *lines]) + "\n")
    return path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, Path]:
    """Folders of the project, the user and the program; the last two of one device each."""
    project, user, shipped = tmp_path / "here/manifests", tmp_path / "config/orbitbench", tmp_path / "shipped"
    project.parent.mkdir()
    write(shipped, pi4="shipped", tx2="shipped")
    shutil.copy(ROOT / "manifests/images.yaml", shipped)
    monkeypatch.chdir(project.parent)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("ORBITBENCH_DEVICES", raising=False)
    monkeypatch.setattr(search_path, "SHIPPED", shipped)
    return project, user, shipped


def hosts(given: Path | None = None) -> dict[str, str | None]:
    return {name: device.host for name, device in device_files.known(given).items()}


def test_without_any_file_there_is_this_machine(places: tuple[Path, Path, Path]) -> None:
    (places[2] / "devices.yaml").unlink()
    assert device_files.known()["local"].transport == "process"
    assert device_files.own() == {}
    assert device_files.named() == "devices.yaml"


def test_a_users_file_extends_what_is_shipped_and_replaces_entries_of_one_name(
    places: tuple[Path, Path, Path],
) -> None:
    write(places[1], pi4="users", shed="users")
    assert hosts() == {"local": None, "pi4": "users", "tx2": "shipped", "shed": "users"}


def test_the_projects_file_is_nearer_than_the_users(places: tuple[Path, Path, Path]) -> None:
    write(places[1], pi4="users", shed="users")
    write(places[0], pi4="projects", lab="projects")
    assert hosts() == {"local": None, "pi4": "projects", "tx2": "shipped", "shed": "users", "lab": "projects"}
    assert device_files.origin()["pi4"] == "manifests/devices.yaml"
    assert device_files.origin() | {"shed": ""} == {
        "local": "built in", "pi4": "manifests/devices.yaml", "tx2": "shipped", "shed": "",
        "lab": "manifests/devices.yaml",
    }  # fmt: skip


def test_an_entry_replaces_a_whole_one_not_its_keys(places: tuple[Path, Path, Path]) -> None:
    (places[2] / "devices.yaml").write_text(
        "devices: {pi4: {host: a, image: cpu, backend: onnxruntime, threads: [1, 4]}}\n"
    )
    write(places[1], pi4="users")
    assert device_files.known()["pi4"].threads == [1]


def test_local_may_be_written_all_the_same(places: tuple[Path, Path, Path]) -> None:
    places[1].mkdir(parents=True)
    text = "devices: {local: {transport: process, backend: onnxruntime, threads: [2]}}\n"
    (places[1] / "devices.yaml").write_text(text)
    assert device_files.known()["local"].threads == [2]


def test_all_devices_means_those_of_ones_own_files_or_else_the_shipped(
    places: tuple[Path, Path, Path],
) -> None:
    assert list(device_files.own()) == ["pi4", "tx2"]
    write(places[1], shed="users")
    assert list(device_files.own()) == ["shed"]


def test_a_named_file_is_the_only_one_with_this_machine(places: tuple[Path, Path, Path]) -> None:
    write(places[1], shed="users")
    path = write(places[0].parent / "other", lone="other")
    assert hosts(path) == {"local": None, "lone": "other"}
    assert list(device_files.own(path)) == ["lone"]
    assert device_files.named(path) == str(path)


def test_a_mistake_in_any_of_them_is_named_with_its_file_and_line(places: tuple[Path, Path, Path]) -> None:
    places[1].mkdir(parents=True)
    (places[1] / "devices.yaml").write_text("devices:\n  shed: {image: cpu}\n")
    with pytest.raises(BadInput, match=r"config/orbitbench/devices.yaml:2: devices.shed"):
        device_files.known()


def test_a_checkouts_own_file_counts_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert len(device_files.files()) == 1
    assert "xavier" in device_files.own(), "they are the shipped ones: nobody's own"


def test_the_list_says_where_each_entry_is(places: tuple[Path, Path, Path]) -> None:
    write(places[1], shed="users")
    done = CliRunner().invoke(application(), ["devices"], env={"COLUMNS": "400"})  # paths of any length
    assert re.search(r"^local .* built in ", done.stdout, re.MULTILINE)
    assert re.search(r"^pi4 .* shipped ", done.stdout, re.MULTILINE)
    assert re.search(r"^shed .*config/orb", done.stdout, re.MULTILINE)
    as_json = CliRunner().invoke(application(), ["devices", "--json"])
    assert set(json.loads(as_json.stdout)) == {"local", "pi4", "tx2", "shed"}


def test_an_unknown_device_is_refused_with_all_known_ones(places: tuple[Path, Path, Path]) -> None:
    write(places[1], shed="users")
    done = CliRunner().invoke(application(), ["devices", "check", "shet"])
    assert done.exit_code == 2
    assert "did you mean shed?" in str(done.stderr) + str(done.exception)
