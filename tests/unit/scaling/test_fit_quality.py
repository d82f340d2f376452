"""A fit says how far it can be trusted; one that was searched on other images is a stand-in."""

from pathlib import Path

import pytest

from bench.export.plan import planned
from bench.manifests.experiment import Request
from bench.manifests.reader import ManifestError
from bench.scaling import fits
from bench.zoo import dataset


@pytest.mark.parametrize(
    ("name", "task", "quality"),
    [
        ("vgg11-cifar10", "cifar10", "published"),
        ("vgg11-cifar10", "cifar100", "stand-in"),
        ("preact_resnet18-cifar100", "cifar100", "published"),
        ("resnet50-digits-reduced", "cifar100", "stand-in"),
        ("resnet50-digits-reduced", "digits", "stand-in"),
    ],
)
def test_a_fit_of_other_images_is_a_stand_in(name: str, task: str, quality: str) -> None:
    assert fits.named(name).quality_on(dataset(task)) == quality


def test_a_fit_of_smaller_images_is_a_stand_in() -> None:
    fit = fits.named("vgg11-cifar10").model_copy(update={"resolution": 16})
    assert fit.quality_on(dataset("cifar10")) == "stand-in"


def test_a_planned_model_carries_name_data_set_resolution_and_quality_of_its_fit() -> None:
    request = Request("resnet50", "cifar100", "neuralscale", 0.5, "params", fit="resnet50-digits-reduced")
    entry = planned(request).entry()
    assert {key: entry[key] for key in entry if key.startswith("fit")} == {
        "fit": "resnet50-digits-reduced",
        "fit_quality": "stand-in",
        "fit_dataset": "digits",
        "fit_resolution": 16,
    }
    entry = planned(Request("vgg11", "cifar10", "uniform", 0.5, "params")).entry()
    assert [entry[key] for key in entry if key.startswith("fit")] == [None] * 4


def test_a_fit_without_its_quality_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(fits.text(fits.named("vgg11-cifar10")).replace("quality: published\n", ""))
    with pytest.raises(ManifestError, match="quality: required, but missing"):
        fits.load(path)
