"""A fit says how far it can be trusted; one that was searched on other images is a stand-in."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.cli import build
from bench.export.plan import Planned, Skipped, plan, plan_one
from bench.manifests.experiment import Request, find, load
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
    assert fits.load_named(name).quality_on(dataset(task)) == quality


def test_a_fit_of_smaller_images_is_a_stand_in() -> None:
    fit = fits.load_named("vgg11-cifar10").model_copy(update={"resolution": 16})
    assert fit.quality_on(dataset("cifar10")) == "stand-in"


def test_a_planned_model_carries_name_data_set_resolution_and_quality_of_its_fit() -> None:
    request = Request("resnet50", "cifar100", "neuralscale", 0.5, "params", fit="resnet50-digits-reduced")
    entry = plan_one(request).entry()
    assert {key: entry[key] for key in entry if key.startswith("fit")} == {
        "fit": "resnet50-digits-reduced",
        "fit_quality": "stand-in",
        "fit_dataset": "digits",
        "fit_resolution": 16,
    }
    entry = plan_one(Request("vgg11", "cifar10", "uniform", 0.5, "params")).entry()
    assert [entry[key] for key in entry if key.startswith("fit")] == [None] * 4


def test_a_fit_without_its_quality_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(fits.text(fits.load_named("vgg11-cifar10")).replace("quality: published\n", ""))
    with pytest.raises(ManifestError, match="quality: required, but missing"):
        fits.load(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's manifests/scaling, before the installed one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "manifests" / "scaling"


def resnet_fit(folder: Path, name: str, **changes: object) -> None:
    fit = fits.load_named("resnet50-digits-reduced")
    searched = {"name": name, "dataset": "cifar100", "resolution": 32, "quality": "searched", **changes}
    fits.save(fit.model_copy(update=searched), folder / f"{name}.yaml")


def resnets(**options: Any) -> tuple[list[Planned], list[Skipped]]:
    """The NeuralScale models of ResNet-50 in the thesis."""
    thesis = load(find("thesis"))
    groups = [group for group in thesis.groups if group.architectures == ["resnet50"]]
    group = groups[0].model_copy(update={"methods": ["neuralscale"]})
    return plan(thesis.model_copy(update={"groups": [group]}), **options)


def test_the_thesis_takes_a_stand_in_for_resnet50_and_says_so() -> None:
    models, skipped = resnets()
    assert (len(models), skipped) == (8, [])
    assert {model.entry()["fit_quality"] for model in models} == {"stand-in"}
    assert models[0].request.id == "resnet50-cifar100-neuralscale-p0.25-resnet50-digits-reduced"


def test_the_thesis_takes_a_real_fit_of_resnet50_as_soon_as_there_is_one(folder: Path) -> None:
    resnet_fit(folder, "resnet50-cifar100")
    models, _ = resnets()
    assert {(m.scaled.fit, m.scaled.fit_quality) for m in models} == {("resnet50-cifar100", "searched")}
    assert models[0].request.id == "resnet50-cifar100-neuralscale-p0.25"


def test_a_reduced_search_of_resnet50_is_no_real_fit(folder: Path) -> None:
    resnet_fit(folder, "resnet50-cifar100-reduced-seed0", quality="stand-in", resolution=16)
    assert {model.scaled.fit for model in resnets()[0]} == {"resnet50-digits-reduced"}
    resnet_fit(folder, "resnet50-cifar100-published-seed0")
    assert {model.scaled.fit for model in resnets()[0]} == {"resnet50-cifar100-published-seed0"}


def test_without_stand_ins_their_models_wait_for_a_search() -> None:
    models, skipped = resnets(stand_ins=False)
    assert (models, len(skipped)) == ([], 8)
    assert skipped[0].command == "bench search resnet50 --dataset cifar100"


RESNETS = """\
name: resnets
groups:
  - {architectures: [resnet50], dataset: cifar100, methods: [uniform, neuralscale], ratios: [0.25],
     ratio_of: params, stand_in: resnet50-digits-reduced}
"""


def sweep(folder: Path, *search: str) -> dict[str, Any]:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "resnets.yaml").write_text(RESNETS)
    result = CliRunner().invoke(
        build(), ["sweep", str(folder / "resnets.yaml"), *search, "--dry-run", "--json"]
    )
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)  # type: ignore[no-any-return]


def test_a_sweep_plans_the_search_of_what_has_only_a_stand_in_and_plans_it_once(folder: Path) -> None:
    plan = sweep(folder, "--search", "published")
    assert [each["name"] for each in plan["searches"]] == ["resnet50-cifar100-published-seed0"]
    assert plan["after_search"] == ["resnet50-cifar100-neuralscale-p0.25"]
    assert [task["model"] for task in plan["tasks"]] == ["resnet50-cifar100-uniform-p0.25"]
    resnet_fit(folder, "resnet50-cifar100-published-seed0")
    plan = sweep(folder, "--search", "published")
    assert (plan["searches"], plan["after_search"]) == ([], [])
    assert "resnet50-cifar100-published-seed0" in plan["fits"]


def test_a_sweep_with_reduced_searches_makes_no_second_stand_in(tmp_path: Path) -> None:
    assert "resnet50-digits-reduced" in sweep(tmp_path, "--search", "reduced")["fits"]
