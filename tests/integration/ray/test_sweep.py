"""A sweep makes the same files as single runs, survives a lost node, and tells its plan beforehand."""

import json
from dataclasses import replace
from importlib.util import find_spec

import pytest
from typer.testing import CliRunner

from bench.cli import build
from bench.train import accuracy as publishing
from bench.train.recipe import Recipe
from bench.train.run import train
from bench.train.sweep import gpu_hours, sweep
from bench.train.task import TrainingTask
from bench.work.cluster import ClusterError, Share
from bench.work.resumable import Place
from bench.zoo import architecture, dataset

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray (pip install 'orbitbench[train]')"),
]
RECIPE = Recipe(epochs=1, batch=480, milestones=(), flip=False)


def task(seed=0, epochs=1, **settings):
    widths = (2,) * 8
    cost = architecture("vgg11").cost(widths, dataset("digits"))
    model = "vgg11-digits-uniform-w0.01"
    numbers = (widths, int(cost.params), int(cost.macs), seed)
    recipe = replace(RECIPE, epochs=epochs, **settings)
    return TrainingTask(model, "vgg11", "digits", "uniform", 0.01, "width", *numbers, recipe)


def test_a_task_that_fails_is_told_and_the_others_go_on(ray_here, tmp_path):
    wild = task(seed=1, learning_rate=1e18, epochs=9)
    ends = {end.task.seed: end for end in sweep([wild, task()], Place(tmp_path), Share())}
    assert "the loss became" in ends[1].error
    assert ends[0].result["top1"] == train(task(), Place(tmp_path / "alone"))["top1"]


def test_what_is_finished_is_not_sent_to_the_cluster(ray_here, tmp_path):
    train(task(), Place(tmp_path))
    too_much = Share(cpus=1000)  # no node could hold it
    (end,) = sweep([task()], Place(tmp_path), too_much)
    assert end.result


def test_a_task_larger_than_the_cluster_is_refused_instead_of_waiting_for_ever(ray_here, tmp_path):
    with pytest.raises(ClusterError, match=r"wants 0\.5 GPU, but the cluster has 0: give a smaller --gpus"):
        list(sweep([task()], Place(tmp_path), Share(gpus=0.5)))


def test_gpu_hours_grow_with_work_and_shrink_with_speed():
    one = gpu_hours(task(epochs=10), tflops=1)
    assert one == pytest.approx(6 * task().macs * 1437 * 10 / 1e12 / 3600)
    assert gpu_hours(task(epochs=20), tflops=1) == pytest.approx(2 * one)
    assert gpu_hours(task(epochs=10), tflops=4) == pytest.approx(one / 4)


EXPERIMENT = """\
name: tiny
groups:
  - {architectures: [vgg11], dataset: digits, methods: [uniform], ratios: [0.0005, 0.001], ratio_of: params}
  - {architectures: [vgg11], dataset: tinyimagenet, methods: [neuralscale], ratios: [0.5], ratio_of: params}
training: {recipe: reduced, epochs: 1, seeds: 2}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "tiny.yaml").write_text(EXPERIMENT)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def bench(*arguments):
    return CliRunner().invoke(build(), list(arguments))


def test_the_dry_run_prints_every_training_and_an_estimate_and_trains_nothing(folder):
    result = bench("sweep", "tiny.yaml", "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [(t["ratio"], t["seed"]) for t in told["tasks"]] == [
        (r, s) for r in (0.0005, 0.001) for s in (0, 1)
    ]
    assert told["gpu_hours"] == pytest.approx(sum(t["gpu_hours"] for t in told["tasks"]))
    assert "no fit for vgg11 on tinyimagenet" in result.stderr
    assert not (folder / "results").exists()
    assert "4 trainings, about" in bench("sweep", "tiny.yaml", "--dry-run").stdout


def test_a_sweep_fills_the_accuracy_file_that_the_next_export_reads(ray_here, folder):
    result = bench("sweep", "tiny.yaml", "--set", "batch=480")
    assert result.exit_code == 0, result.output
    assert "4 of 4 trainings done" in result.stdout
    assert len(publishing.results(folder / "results/training")) == 4
    exported = bench("export", "tiny.yaml", "--out", "bundle", "--cache", "cache", "--json")
    sources = [model["accuracy"] for model in json.loads(exported.stdout)["models"]]
    assert [(a["source"], a["seeds"], a["width_difference"]) for a in sources] == [("trained", 2, 0)] * 2


def test_one_model_is_trained_by_its_id(folder):
    arguments = ["train", "vgg11-digits-uniform-p0.0005", "--recipe", "reduced", "--epochs", "1", "--json"]
    result = bench(*arguments, "--set", "batch=480")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["task"]["seed"] == 0
    assert (folder / told["accuracy_file"]).name == "trained-digits.yaml"
    again = bench(*arguments)
    assert again.exit_code == 2
    assert "batch is 480, not 64" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", "vgg12-digits-uniform-p0.5"], "not a model's id"),
        (
            ["train", "vgg11-digits-uniform-p0.5", "--recipe", "quick"],
            "unknown recipe 'quick'; known: published",
        ),
        (["train", "vgg11-cifar10-uniform-p0.5", "--data", "nowhere"], "cifar10 is not here"),
        (
            ["train", "mobilenetv2-digits-uniform-p0.01", "--set", "channels_last=yes"],
            "channels_last is for GPUs",
        ),
        (["sweep", "tiny.yaml", "--set", "channels_last=yes"], "channels_last is for GPUs"),
        (["sweep", "tiny.yaml", "--search", "quick"], "unknown recipe 'quick'; known: published, reduced"),
        (
            ["sweep", "tiny.yaml", "--search-set", "units=4"],
            "give --search published or --search reduced too",
        ),
        (["train", "vgg11-tinyimagenet-neuralscale-p0.5"], "no fit for vgg11 on tinyimagenet; make one with"),
        (["sweep", "nonsense"], "unknown experiment"),
    ],
)
def test_bad_input_is_one_line_with_exit_code_2(folder, arguments, expected):
    result = bench(*arguments)
    assert result.exit_code == 2
    assert expected in result.stderr
    assert "Traceback" not in result.stderr
