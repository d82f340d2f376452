"""An accuracy is given only for the network that was trained, and says where it comes from."""

from pathlib import Path
from typing import Any

import pytest

from bench.export.plan import plan
from bench.manifests import accuracies, reader
from bench.manifests.experiment import find, load
from bench.scaling import fits, scale
from bench.zoo import architecture, dataset

TRAINED = [("vgg11", "cifar10"), ("mobilenetv2", "cifar100"), ("preact_resnet18", "cifar100")]


def lookup(name: str, task: str, widths: list[int], **more: Any) -> dict[str, Any] | None:
    params = int(architecture(name).cost(widths, dataset(task)).params)
    return accuracies.lookup(name, task, widths, params, **more)


def widths_of(name: str, task: str, method: str, ratio: float, ratio_of: str) -> list[int]:
    return scale(architecture(name), dataset(task), method, ratio, ratio_of).widths


@pytest.mark.parametrize("method", ["uniform", "neuralscale"])
@pytest.mark.parametrize("ratio", [0.25, 0.5, 0.75, 1])
@pytest.mark.parametrize(("name", "task"), TRAINED)
def test_every_published_network_has_its_accuracy(name: str, task: str, ratio: float, method: str) -> None:
    found = lookup(name, task, widths_of(name, task, method, ratio, "width"))
    assert found is not None
    assert (found["source"], found["seeds"], found["epoch"], found["best"]) == ("published", 5, "best", None)
    assert "best epoch" in found["statistic"]
    assert found["of"] == {"method": method, "ratio": ratio, "ratio_of": "width"}
    assert found["width_difference"] <= (0 if method == "uniform" else 4)


def test_the_gains_of_the_abstract_are_in_the_figures() -> None:
    """At a quarter of the widths; the abstract's third gain (3.41) is on TinyImageNet."""
    gains = []
    for name, task in TRAINED:
        pair = [
            lookup(name, task, widths_of(name, task, method, 0.25, "width"))
            for method in ("neuralscale", "uniform")
        ]
        gains.append(round(pair[0]["value"] - pair[1]["value"], 2))  # type: ignore[index]
    assert gains == [3.04, 8.56, 3.04]


@pytest.mark.parametrize("method", ["uniform", "neuralscale"])
@pytest.mark.parametrize(("name", "task"), [TRAINED[0], TRAINED[2]])
def test_a_quarter_of_the_parameters_is_half_of_the_widths_where_the_networks_are_the_same(
    name: str, task: str, method: str
) -> None:
    found = lookup(name, task, widths_of(name, task, method, 0.25, "params"))
    assert found is not None
    assert found["of"] == {"method": method, "ratio": 0.5, "ratio_of": "width"}


@pytest.mark.parametrize("method", ["uniform", "neuralscale"])
def test_and_is_not_where_half_of_the_widths_leaves_more_than_a_quarter(method: str) -> None:
    assert (
        lookup("mobilenetv2", "cifar100", widths_of("mobilenetv2", "cifar100", method, 0.25, "params"))
        is None
    )


def test_five_pairs_of_the_thesis_have_known_accuracies() -> None:
    thesis = load(find("thesis"))
    groups = [
        group.model_copy(update={"align": None})
        for group in thesis.groups
        if "resnet50" not in group.architectures
    ]
    models, _ = plan(thesis.model_copy(update={"groups": groups}))
    known = {(m.request.architecture, m.request.ratio, m.request.method) for m in models if m.accuracy}
    pairs = {key[:2] for key in known if {(*key[:2], "uniform"), (*key[:2], "neuralscale")} <= known}
    assert pairs == {
        ("vgg11", 0.25),
        ("vgg11", 1.0),
        ("mobilenetv2", 1.0),
        ("preact_resnet18", 0.25),
        ("preact_resnet18", 1.0),
    }


def test_a_network_of_another_size_gets_none_however_near_its_widths_are() -> None:
    """In layers of a few units, two more make another network."""
    digits = next(file for file in accuracies._files() if file.name == "trained-digits")
    entry = min((e for e in digits.entries if e.architecture == "mobilenetv2"), key=lambda e: e.params)
    wider = [width + 1 for width in entry.widths]
    assert entry.resembles(wider)
    assert lookup("mobilenetv2", "digits", wider) is None


def test_widths_of_another_search_get_no_accuracy() -> None:
    net = architecture("vgg11"), dataset("cifar10")
    widths = scale(*net, "neuralscale", 0.25, "width", fit=fits.load_named("vgg11-cifar10-it1")).widths
    assert lookup("vgg11", "cifar10", widths) is None


def test_a_network_in_multiples_of_8_has_the_accuracy_of_its_own_widths_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MobileNetV2 in multiples of 8 at 1.0 had the 73.23 % of a network 4.8 % away."""
    widths = scale(
        architecture("mobilenetv2"), dataset("cifar100"), "neuralscale", 1, "params", align=8
    ).widths
    near = lookup("mobilenetv2", "cifar100", widths)
    assert near is not None
    assert near["width_difference"] > 0
    assert lookup("mobilenetv2", "cifar100", widths, exact=True) is None
    assert lookup("mobilenetv2", "cifar100", near["widths"], exact=True) is not None
    thesis = load(find("thesis"))
    models, _ = plan(thesis)
    aligned = [model.accuracy for model in models if model.request.align]
    assert any(aligned)
    assert [each["width_difference"] for each in aligned if each] == [0] * sum(map(bool, aligned))


def test_unknown_networks_and_refused_sources_get_none() -> None:
    assert lookup("resnet50", "cifar100", list(architecture("resnet50").default_widths)) is None
    widths = list(architecture("vgg11").default_widths)
    assert lookup("vgg11", "cifar10", widths, sources=["trained"]) is None


MINE = """\
schema: 1
name: mine
source: trained
statistic: top-1
reference: run 7
entries:
  - {architecture: vgg11, dataset: cifar10, method: uniform, ratio: 1, ratio_of: width,
     value: 90.0, best: {value: 91.5}, seeds: 1, params: 9231114, widths: WIDTHS}
"""


def test_a_published_accuracy_comes_before_a_trained_one_which_carries_both_epochs_and_its_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    widths = list(architecture("vgg11").default_widths)
    (tmp_path / "manifests/accuracy").mkdir(parents=True)
    (tmp_path / "manifests/accuracy/mine.yaml").write_text(MINE.replace("WIDTHS", str(widths)))
    monkeypatch.chdir(tmp_path)
    first, found = (lookup("vgg11", "cifar10", widths, **more) for more in ({}, {"sources": ["trained"]}))
    assert first is not None
    assert found is not None
    assert (first["source"], first["recipe"]) == ("published", None)
    assert found is not None
    assert first["other"] == {key: value for key, value in found.items() if key != "other"}
    assert found["other"] is None
    assert load(find("thesis")).accuracy == ["published", "trained"]
    assert (found["source"], found["value"], found["std"]) == ("trained", 90.0, None)
    assert (found["epoch"], found["best"]) == ("last", {"value": 91.5, "std": None})
    digits = next(file for file in accuracies._files() if file.name == "trained-digits").entries[0]
    known = accuracies.lookup(digits.architecture, "digits", digits.widths, digits.params)
    assert known is not None
    assert known["recipe"]["epochs"] == 6


@pytest.mark.parametrize("ratio_of", ["latency", "memory"])
def test_widths_that_were_chosen_for_a_device_have_accuracies_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ratio_of: str
) -> None:
    widths = list(architecture("vgg11").default_widths)
    (tmp_path / "manifests/accuracy").mkdir(parents=True)
    text = MINE.replace("WIDTHS", str(widths)).replace("uniform", "device")
    (tmp_path / "manifests/accuracy/mine.yaml").write_text(text.replace("of: width", f"of: {ratio_of}"))
    monkeypatch.chdir(tmp_path)
    found = lookup("vgg11", "cifar10", widths, sources=["trained"])
    assert found is not None
    assert found["of"] == {"method": "device", "ratio": 1.0, "ratio_of": ratio_of}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "source: trained",
            "source: published",
            "published accuracies need epoch: best (the best on the test",
        ),
        ("source: trained", "source: trained\nepoch: best", "leave best out"),
        (
            "source: trained",
            "source: trained\nepoch: first",
            "epoch: unknown value 'first' (allowed: best, last)",
        ),
    ],
)
def test_a_file_that_does_not_say_of_which_epoch_it_is_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(reader.ManifestError) as caught:
        reader.parse(MINE.replace("WIDTHS", "[1]").replace(old, new), accuracies.Accuracies)
    assert message in str(caught.value)
