"""Searches as tasks of a sweep: the fits of single runs, each kept whatever happens to the others."""

import json
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from bench.cli import build
from bench.manifests import search_path
from bench.scaling import fits
from bench.search.round import Examples, SearchRound
from bench.search.sweep import most_gpu_hours
from bench.search.task import most_work, plan_search
from bench.work import cluster
from bench.work.cluster import Outcome, Share, attempt
from bench.zoo import architecture, dataset

pytestmark = pytest.mark.integration

TINY = {"width_ratio": 0.04, "image_size": 8, "batch": 256, "warmup_epochs": 1, "minibatches": 1}
TINY |= {"units": 12, "iterations": 1}
PAIR = ("preact_resnet18", "mobilenetv2")

EXPERIMENT = """\
name: pair
groups:
  - architectures: [preact_resnet18, mobilenetv2]
    dataset: digits
    methods: [neuralscale]
    ratios: [0.005]
    ratio_of: params
training: {recipe: reduced, epochs: 1}
"""


def bench(*arguments: str) -> Result:
    return CliRunner().invoke(build(), list(arguments))


def settings(option: str) -> list[str]:
    return [part for key, value in TINY.items() for part in (option, f"{key}={value}")]


SWEEP = ["sweep", "pair.yaml", "--search", "reduced", *settings("--search-set"), "--set", "batch=480"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with an experiment and no fit, the installed ones included."""
    monkeypatch.setattr(search_path, "SHIPPED", tmp_path / "shipped")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pair.yaml").write_text(EXPERIMENT)
    torch.set_num_threads(1)
    return tmp_path


def here(
    tasks: Sequence[Any], work: Callable[[Any, int], Any], share: Share, address: str | None = None
) -> Iterator[Outcome[Any, Any]]:
    """The cluster's driver without a cluster: one task after another in this process."""
    for task in tasks:
        yield Outcome(task, *attempt(work, task, share.threads))


def fit_of(name: str) -> Path:
    return Path("manifests/scaling") / f"{name}-digits-reduced-seed0.yaml"


def test_the_command_in_a_fit_makes_the_same_search_again() -> None:
    task = plan_search("mobilenetv2", "digits", "reduced", {**TINY, "seed": 7, "crop": 2})
    words = shlex.split(task.command)
    assert words[:3] == ["bench", "search", "mobilenetv2"]
    pairs = dict(words[n + 1].split("=") for n, word in enumerate(words) if word == "--set")
    usual = plan_search("mobilenetv2", "digits", "reduced", {}).settings.as_data()
    changed = {**{key: type(usual[key])(value) for key, value in pairs.items()}, "seed": int(words[-1])}
    assert plan_search("mobilenetv2", "digits", "reduced", changed) == task


def test_the_estimate_is_what_the_first_round_needs_at_most_times_the_rounds() -> None:
    task = plan_search("preact_resnet18", "digits", "reduced", {**TINY, "iterations": 3, "batch": 479})
    images, labels = torch.zeros(1437, 3, 8, 8), torch.zeros(1437, dtype=torch.long)
    examples = Examples(images, labels, torch.zeros(1, 3, 1, 1), torch.ones(1, 3, 1, 1))
    net, shape = architecture("preact_resnet18"), dataset("digits")
    widths = [max(1, round(w * 0.04)) for w in net.default_widths]
    first = SearchRound(net, shape, widths, task.settings, 1, examples)
    macs, seen = most_work(task)
    assert seen == pytest.approx(3 * 479 * first.whole(), rel=0.05)  # widths are rounded otherwise here
    assert most_gpu_hours(task, tflops=2) == pytest.approx(6 * macs * seen / 2e12 / 3600)


def test_the_dry_run_tells_searches_fits_and_models_that_wait_for_one(folder: Path) -> None:
    fit_of("mobilenetv2").parent.mkdir(parents=True)
    there = plan_search("mobilenetv2", "digits", "reduced", TINY)
    made = fits.load(Path(__file__).parents[3] / "manifests/scaling/mobilenetv2-cifar100.yaml")
    fits.save(made.model_copy(update={"name": there.name, "dataset": "digits"}), fit_of("mobilenetv2"))
    before = sorted(folder.rglob("*"))
    told = json.loads(bench(*SWEEP, "--dry-run", "--json").stdout)
    assert told["fits"] == [there.name]
    assert [each["architecture"] for each in told["searches"]] == ["preact_resnet18"]
    assert told["after_search"] == ["preact_resnet18-digits-neuralscale-p0.005"]
    assert [each["model"] for each in told["tasks"]] == ["mobilenetv2-digits-neuralscale-p0.005"]
    assert told["gpu_hours"] == pytest.approx(
        sum(each["gpu_hours"] for each in told["searches"] + told["tasks"])
    )
    text = bench(*SWEEP, "--dry-run").stdout
    assert "search of preact_resnet18 on digits: reduced, rounds: 1, at most about" in text
    assert "1 search and 1 training," in text
    assert sorted(folder.rglob("*")) == before


def test_a_failed_search_costs_no_other_and_its_models_are_named(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "run", here)
    broken = folder / "results/search/preact_resnet18-digits-reduced-seed0"
    broken.mkdir(parents=True)
    (broken / "checkpoint.pt").write_bytes(b"half a file")
    result = bench(*SWEEP, "--json")
    assert result.exit_code == 1
    told = json.loads(result.stdout)
    assert told["fits"] == [str(fit_of("mobilenetv2"))]
    assert told["trained"] == 1
    assert told["untrained"] == ["preact_resnet18-digits-neuralscale-p0.005"]
    assert "search of preact_resnet18 on digits: " in told["errors"][0]
    assert "not a checkpoint" in told["errors"][0]
    assert "not trained: preact_resnet18-digits-neuralscale-p0.005: no fit for" in result.stderr
    assert "1 of 2 searches failed; run the same command again" in result.stderr.splitlines()[-1]

    (broken / "checkpoint.pt").unlink()
    again = bench(*SWEEP, "--json")  # the same command, the cause mended: only what is missing
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["fits"] == [str(fit_of("preact_resnet18"))]
    assert json.loads(again.stdout)["trained"] == 2


def test_on_ray_two_searches_leave_the_fit_of_a_single_run_and_cost_nothing_again(
    ray_here: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = bench(*SWEEP, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert sorted(told["fits"]) == sorted(str(fit_of(name)) for name in PAIR)
    assert (told["trained"], told["untrained"]) == (2, [])
    swept = [fit_of(name).read_bytes() for name in PAIR]

    again = bench(*SWEEP, "--json", "--cpus", "1000")  # no node could hold a task: none is sent
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout) == {**told, "fits": []}

    alone = folder / "alone"
    alone.mkdir()
    monkeypatch.chdir(alone)
    single = bench("search", PAIR[0], "-d", "digits", "--recipe", "reduced", *settings("--set"))
    assert single.exit_code == 0, single.output
    assert fit_of(PAIR[0]).read_bytes() == swept[0]
