"""A profile is a stranger's file: read strictly, in one place, with every mistake in a line."""

import copy

import pytest
import yaml

from bench.cost.profile import Profile, find, save
from bench.errors import InputError
from bench.manifests import reader
from bench.manifests.problems import ManifestError
from tests.unit.cost import synthetic_profile as synthetic


def test_what_is_saved_is_what_is_read(tmp_path):
    save(synthetic.profile(), tmp_path / "made-up.yaml")
    assert find(str(tmp_path / "made-up.yaml")) == synthetic.profile()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reference_seconds": 0}, "reference_seconds"),
        ({"reference_seconds": float("nan")}, "reference_seconds"),
        ({"measurements": []}, "measurements"),
        ({"name": "../../etc/passwd"}, "name"),
        ({"surprise": 1}, "surprise"),
        ({"schema": 99}, "newer than this version"),
        ({"environment": {"device": "a"}}, "environment"),
        ({"fitted": {"block": 7, "stretch": 1, "networks": 1}}, "fitted.block"),
    ],
)
def test_a_wrong_field_is_refused_by_name(change, said):
    with pytest.raises(ManifestError, match=said):
        reader.parse(yaml.safe_dump({**synthetic.data(), **change}), Profile)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"architecture": "alexnet"}, "architecture"),
        ({"part": "conv9"}, "vgg11 has no part 'conv9'"),
        ({"widths": [3] * 7}, "searchable layers"),
        ({"part": "conv3", "widths": [3]}, "conv3 has 2 widths, not 1"),
        ({"part": "conv3", "widths": [0, 4]}, "at least 1"),
        ({"part": "conv0", "widths": [4, 4]}, "entry 0"),
        ({"widths": [10**30] * 8}, "widths"),
        ({"ratio": -1}, "ratio"),
        ({"ratio": "fast"}, "ratio"),
        ({"memory": {"process": -5, "model": 0, "peak": 0}}, "memory"),
    ],
)
def test_a_wrong_measurement_is_refused_by_name(change, said):
    data = copy.deepcopy(synthetic.data())
    whole = {"architecture": "vgg11", "dataset": "cifar10", "part": None, "widths": [8] * 8, "ratio": 1.0}
    data["measurements"][0] = {**whole, **change}
    with pytest.raises(ManifestError, match=said):
        reader.parse(yaml.safe_dump(data), Profile)


def test_an_unknown_profile_lists_the_known_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    save(synthetic.profile(), tmp_path / "manifests/profiles/mine.yaml")
    assert find("mine").name == "made-up"
    with pytest.raises(InputError, match=r"no profile 'pi4'; known: .*mine.*tune --device pi4"):
        find("pi4")
