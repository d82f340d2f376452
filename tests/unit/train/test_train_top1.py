"""A result has two accuracies: after the last epoch, and after the best one, as published figures are."""

import json

import pytest
import torch

from bench import data
from bench.export import trained as trained_weights
from bench.export.errors import ExportError
from bench.train import accuracy, run
from bench.train.errors import TrainInputError
from bench.train.recipe import Recipe
from bench.train.run import CHECKPOINT, RESULT, WEIGHTS, train
from bench.train.task import TrainingTask
from bench.train.trainer import Trainer
from bench.work.resumable import Place
from bench.zoo import architecture, dataset

torch.set_num_threads(1)
SHORT = Recipe(epochs=2, batch=120, learning_rate=0.05, momentum=0.9, milestones=(2,), flip=False, crop=1)


def task(recipe: Recipe = SHORT) -> TrainingTask:
    widths = (8,) * 8
    cost = architecture("vgg11").cost(widths, dataset("digits"))
    numbers = (widths, int(cost.params), int(cost.macs), 0)
    return TrainingTask(
        "vgg11-digits-uniform-w0.01", "vgg11", "digits", "uniform", 0.01, "width", *numbers, recipe
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("top1")
    return out, train(task(), Place(out))


def test_the_best_epoch_stands_beside_the_last(trained):
    _, result = trained
    values = [epoch["top1"] for epoch in result["history"]]
    assert len(values) == 2
    assert (result["top1"], result["best_top1"]) == (values[-1], max(values))
    assert values[result["best_epoch"] - 1] == max(values)


def test_of_equally_good_epochs_the_first_is_the_best():
    history = [{"top1": value} for value in (10.0, 70.0, 70.0, 65.0)]
    assert run._accuracies(history) == {"top1": 65.0, "best_top1": 70.0, "best_epoch": 2}


def test_the_kept_weights_are_those_of_the_last_epoch(trained):
    out, result = trained
    trainer = Trainer(task(), *data.load_stored("digits", "train"))
    kept = torch.load(task().folder(out) / WEIGHTS, weights_only=True)["state"]
    trainer.module.load_state_dict(kept)
    assert trainer.evaluate(*data.load_stored("digits", "test")) == result["top1"]


def test_looking_at_the_test_split_does_not_change_the_training(trained):
    out, _ = trained
    trainer = Trainer(task(), *data.load_stored("digits", "train"))
    while not trainer.finished:
        trainer.step()
    kept = torch.load(task().folder(out) / WEIGHTS, weights_only=True)["state"]
    assert all(torch.equal(kept[name], tensor) for name, tensor in trainer.module.state_dict().items())


@pytest.mark.parametrize("name", [RESULT, CHECKPOINT])
def test_a_training_of_an_older_format_is_refused_in_one_line(tmp_path, name):
    """Its milestones have the same numbers and another meaning."""
    folder = task().folder(tmp_path)
    folder.mkdir(parents=True)
    older = {"schema": 1, "task": task().describe()}
    if name == RESULT:
        (folder / name).write_text(json.dumps(older))
    else:
        torch.save(older, folder / name)
    with pytest.raises(TrainInputError, match=r"holds a training of format 1, .*--restart") as caught:
        train(task(), Place(tmp_path))
    assert "\n" not in str(caught.value)


def test_an_older_result_is_neither_averaged_nor_exported(tmp_path):
    folder = task().folder(tmp_path)
    folder.mkdir(parents=True)
    (folder / RESULT).write_text(json.dumps({"schema": 1, "task": task().describe()}))
    with pytest.raises(TrainInputError, match="holds a training of format 1"):
        accuracy.results(tmp_path)
    with pytest.raises(ExportError, match=r"is of format 1, not 2; train the model again"):
        trained_weights.find_trained(tmp_path, task().model, list(task().widths))
    assert trained_weights.SCHEMA == run.SCHEMA
