"""Rates, warm-up and borders of a search are those of NeuralScale's released scripts (@ 67ddedc)."""

from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from bench.cli import build
from bench.search.round import Examples, SearchRound
from bench.search.settings import SearchSettings, is_as_published, recipe
from bench.work.cluster import gpu_time
from bench.zoo import architecture, dataset


def released(settings: SearchSettings, tiny: bool) -> list[float]:
    """The rate of each epoch from 1, as their adjust functions change it: step by step, nothing derived."""
    rate, rates, warmup = 0.1, [], settings.warmup_epochs
    for epoch in range(1, 80):
        if epoch == warmup:
            rate = 0.01
        elif epoch > warmup and (epoch % 10 if tiny else (epoch - warmup) % 10) == 0:
            rate = 0.01 / 1.5 ** ((epoch - warmup) // 10)
        rates.append(rate)
    return rates


@pytest.mark.parametrize(
    ("name", "data", "warmup"),
    [
        ("vgg11", "cifar10", 10),
        ("mobilenetv2", "cifar100", 10),
        ("preact_resnet18", "tinyimagenet", 10),
        ("mobilenetv2", "tinyimagenet", 15),
    ],
)
def test_the_rate_falls_when_theirs_does(name: str, data: str, warmup: int) -> None:
    settings = recipe("published", architecture(name), dataset(data))
    assert settings.warmup_epochs == warmup
    rates = [settings.rate(epoch) for epoch in range(1, 80)]
    assert rates == pytest.approx(released(settings, tiny=data == "tinyimagenet"))


@pytest.mark.parametrize("change", [{"crop": 4, "rotate": 0.0}, {"crop": 0, "rotate": 30.0}])
def test_what_comes_in_at_the_border_is_black(change: dict) -> None:
    """White images: every other value in a batch came in at a border, and is the normalised zero."""
    settings = recipe("reduced", architecture("vgg11"), dataset("digits"), batch=16, flip=False, **change)
    mean, deviation = torch.full((1, 3, 1, 1), 0.6), torch.full((1, 3, 1, 1), 0.2)
    examples = Examples(torch.ones(16, 3, 32, 32), torch.zeros(16, dtype=torch.int64), mean, deviation)
    now = SearchRound(architecture("vgg11"), dataset("digits"), [2] * 8, settings, 1, examples)
    images, _ = now._batch()
    values = images.unique()
    assert torch.allclose(values[[0, -1]], torch.tensor([-3.0, 2.0]), atol=1e-5)
    assert ((images - 2).abs() < 1e-4).logical_or((images + 3).abs() < 1e-4).all()


@pytest.mark.parametrize(
    ("name", "change", "full"),
    [
        ("published", {}, True),
        ("published", {"seed": 3, "amp": True}, True),
        ("published", {"iterations": 15}, True),  # the recipe's own
        ("published", {"iterations": 1, "width_ratio": 0.1, "max_epochs": 1}, False),
        ("published", {"flip": False}, False),
        ("reduced", {}, False),
    ],
)
def test_only_a_search_with_the_published_settings_is_one(
    name: str, change: dict[str, Any], full: bool
) -> None:
    """A minute's search with the published recipe's name decided verdicts."""
    net, data = architecture("vgg11"), dataset("cifar10")
    assert is_as_published(recipe(name, net, data, **change), net, data) is full


def test_a_sweep_does_not_search_for_days_what_it_would_not_train_by() -> None:
    words = ["sweep", "thesis", "--search", "published", "--dry-run", "--search-set"]
    refused = CliRunner().invoke(build(), [*words, "iterations=2"])
    assert (refused.exit_code, "--search published does not train by" in refused.stderr) == (2, True)
    assert CliRunner().invoke(build(), [*words, "amp=true"]).exit_code == 0


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (0, "0 GPU seconds"),
        (1e-3, "3.6 GPU seconds"),
        (0.05, "3 GPU minutes"),
        (1.5, "1.5 GPU hours"),
        (1234.5, "1,234 GPU hours"),
    ],
)
def test_a_time_of_a_gpu_is_in_the_unit_that_fits(hours: float, text: str) -> None:
    assert gpu_time(hours) == text
