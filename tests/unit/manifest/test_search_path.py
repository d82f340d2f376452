"""One search path for every kind of manifest: the current folder, the user's folder, what is shipped."""

from pathlib import Path

import pytest

from bench.manifests import search_path


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(search_path, "SHIPPED", tmp_path / "shipped")
    return [tmp_path / "manifests", tmp_path / "config/orbitbench", tmp_path / "shipped"]


def put(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    return path


def test_the_first_folder_that_has_a_file_wins(places: list[Path]) -> None:
    for folder in reversed(places):
        path = put(folder, "devices.yaml")
        assert search_path.file("devices.yaml").resolve() == path
        path = put(folder, "scaling/mine.yaml")
        assert search_path.files("scaling")["mine"].resolve() == path


def test_every_file_leaves_none_out_and_names_none_twice(places: list[Path]) -> None:
    paths = [put(folder, "accuracy/trained.yaml") for folder in places]
    assert [path.resolve() for path in search_path.every_file("accuracy")] == paths
    places[1].joinpath("accuracy/trained.yaml").unlink()
    places[1].joinpath("accuracy/trained.yaml").symlink_to(paths[2])
    assert [path.resolve() for path in search_path.every_file("accuracy")] == [paths[0], paths[2]]


def test_without_a_configuration_folder_it_is_below_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/ada")
    assert search_path.folders()[1] == Path("/home/ada/.config/orbitbench")


def test_a_missing_file_is_reported_where_it_would_be_shipped(places: list[Path]) -> None:
    assert search_path.file("devices.yaml") == places[2] / "devices.yaml"
    assert search_path.files("scaling") == {}


def test_in_a_checkout_commands_write_to_the_users_folder_which_comes_first(
    places: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert search_path.own().resolve() == places[0]
    monkeypatch.setattr(search_path, "SHIPPED", places[0])
    assert search_path.own() == places[1]
    shipped, mine = (put(folder, "scaling/mine.yaml") for folder in (places[0], places[1]))
    assert search_path.files("scaling")["mine"] == mine
    assert search_path.file("scaling/mine.yaml") == mine
    assert [path.resolve() for path in search_path.every_file("scaling")] == [mine, shipped]
