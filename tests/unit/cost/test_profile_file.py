"""A profile is a stranger's file: read strictly, in one place, with every mistake in a line."""

import copy

import pytest
import yaml

from bench.cost import design
from bench.cost.calibration import observe, samples_of
from bench.cost.profile import Profile, find_profile, save_profile
from bench.errors import InputError
from bench.manifests import reader
from bench.manifests.problems import ManifestError
from tests.unit.cost import synthetic_profile as synthetic

REFERENCES = synthetic.REFERENCES


def test_what_is_saved_is_what_is_read(tmp_path):
    save_profile(synthetic.profile(), tmp_path / "made-up.yaml")
    assert find_profile(str(tmp_path / "made-up.yaml")) == synthetic.profile()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"reference_seconds": {**REFERENCES, "vgg11": 0}}, "reference_seconds"),
        ({"reference_seconds": {**REFERENCES, "vgg11": float("nan")}}, "reference_seconds"),
        (
            {"reference_seconds": {"vgg11": 1e-3}},
            "reference_seconds lacks mobilenetv2, preact_resnet18, resnet50",
        ),
        ({"reference_seconds": {**REFERENCES, "alexnet": 1}}, "reference_seconds"),
        ({"measurements": []}, "measurements: must have at least 12 items, not 0$"),
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
        ({"kernels": [-1.0]}, "kernels"),
        ({"ratio": 5e-324}, "ratio"),
        ({"kernels": [1e-6] * 1001}, "kernels"),
        ({"layers": [["Conv", 1, 1]]}, "layers"),
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
    save_profile(synthetic.profile(), tmp_path / "manifests/profiles/mine.yaml")
    assert find_profile("mine").name == "made-up"
    with pytest.raises(InputError, match=r"no profile 'pi4'; known: .*mine.*tune --device pi4"):
        find_profile("pi4")


def test_times_of_more_kernels_than_a_fit_takes_are_refused() -> None:
    data = copy.deepcopy(synthetic.data())
    for each in data["measurements"][:23]:
        each["kernels"] = [1e-6] * 900
    with pytest.raises(ManifestError, match="times of 20700 kernels, at most 20000"):
        reader.parse(yaml.safe_dump(data), Profile)


def test_what_a_profiler_told_is_kept_as_times_of_kernels(tmp_path) -> None:
    read = Profile.model_validate(synthetic.told())
    save_profile(observe(read), tmp_path / "told.yaml")
    kept = find_profile(str(tmp_path / "told.yaml"))
    assert kept == observe(kept)
    assert all(m.layers is None for m in kept.measurements)
    for each in kept.measurements:
        kernels = design.kernels(each.item, synthetic.BLOCK)
        slowed = each.kernels[0] / (synthetic.seconds(kernels[0]) + synthetic.PROFILER)
        told = [slowed * (synthetic.seconds(kernel) + synthetic.PROFILER) for kernel in kernels]
        # reorders of about the same size may change places
        assert each.kernels == pytest.approx(told, rel=0.2)
        assert sum(each.kernels) == pytest.approx(sum(told), rel=1e-3)  # kept to 10 ns


def test_times_of_other_kernels_than_the_networks_count_for_nothing() -> None:
    data = copy.deepcopy(synthetic.data())
    for times in ([1e-6] * 3, [0.0] * 16):
        for each in data["measurements"]:
            each["kernels"] = times
        samples = samples_of(Profile.model_validate(data), synthetic.BLOCK)
        assert all(sample.observed is None for sample in samples)


def test_layers_without_an_operators_name_are_read(tmp_path) -> None:
    data = copy.deepcopy(synthetic.told())
    data["measurements"][0]["layers"] = [["", None, None, 1e-5]]
    kept = observe(Profile.model_validate(data))
    assert kept.measurements[0].kernels is None
    assert kept.measurements[1].kernels
