"""An accuracy is given only for the network that was trained, and says where it comes from."""

from pathlib import Path

import pytest

from bench.manifests.accuracies import lookup
from bench.scaling import fits, scale
from bench.zoo import architecture, dataset

TRAINED = [("vgg11", "cifar10"), ("mobilenetv2", "cifar100"), ("preact_resnet18", "cifar100")]


@pytest.mark.parametrize("method", ["uniform", "neuralscale"])
@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.75, 1])
@pytest.mark.parametrize(("name", "task"), TRAINED)
def test_every_published_network_has_its_accuracy(name: str, task: str, ratio: float, method: str) -> None:
    scaled = scale(architecture(name), dataset(task), method, ratio, "width")
    found = lookup(name, task, method, ratio, "width", scaled.widths)
    assert found is not None
    assert found["source"] == "published"
    assert found["seeds"] == 5
    assert "best epoch" in found["statistic"]
    assert found["width_difference"] <= (0 if method == "uniform" else 4)


def test_the_gains_of_the_abstract_are_in_the_figures() -> None:
    """At a quarter of the widths; the abstract's third gain (3.41) is on TinyImageNet."""
    gains = []
    for name, task in TRAINED:
        pair = [
            lookup(
                name,
                task,
                m,
                0.25,
                "width",
                scale(architecture(name), dataset(task), m, 0.25, "width").widths,
            )
            for m in ("neuralscale", "uniform")
        ]
        gains.append(round(pair[0]["value"] - pair[1]["value"], 2))  # type: ignore[index]
    assert gains == [3.04, 8.56, 3.04]


@pytest.mark.parametrize(("name", "task"), TRAINED)
def test_a_quarter_of_the_widths_is_never_given_for_a_quarter_of_the_parameters(name: str, task: str) -> None:
    net = architecture(name), dataset(task)
    for method in ("uniform", "neuralscale"):
        assert lookup(name, task, method, 0.25, "params", scale(*net, method, 0.25, "params").widths) is None
        assert lookup(name, task, method, 0.25, "params", scale(*net, method, 0.25, "width").widths) is None


def test_at_ratio_one_both_mean_the_same_network() -> None:
    widths = list(architecture("vgg11").default_widths)
    assert lookup("vgg11", "cifar10", "uniform", 1, "params", widths) is not None


def test_widths_of_another_search_get_no_accuracy() -> None:
    net = architecture("vgg11"), dataset("cifar10")
    widths = scale(*net, "neuralscale", 0.25, "width", fit=fits.named("vgg11-cifar10-it1")).widths
    assert lookup("vgg11", "cifar10", "neuralscale", 0.25, "width", widths) is None


def test_unknown_networks_and_refused_sources_get_none() -> None:
    widths = list(architecture("resnet50").default_widths)
    assert lookup("resnet50", "cifar100", "uniform", 1, "width", widths) is None
    widths = list(architecture("vgg11").default_widths)
    assert lookup("vgg11", "cifar10", "uniform", 1, "width", widths, sources=["trained"]) is None


def test_a_trained_accuracy_comes_before_a_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths = list(architecture("vgg11").default_widths)
    (tmp_path / "manifests/accuracy").mkdir(parents=True)
    (tmp_path / "manifests/accuracy/mine.yaml").write_text(
        "schema: 1\nname: mine\nsource: trained\nstatistic: top-1, last epoch\nreference: run 7\nentries:\n"
        "  - {architecture: vgg11, dataset: cifar10, method: uniform, ratio: 1, ratio_of: width,\n"
        f"     value: 90.0, seeds: 1, params: 9231114, widths: {widths}}}\n"
    )
    monkeypatch.chdir(tmp_path)
    found = lookup("vgg11", "cifar10", "uniform", 1, "width", widths)
    assert found is not None
    assert (found["source"], found["value"], found["std"]) == ("trained", 90.0, None)
