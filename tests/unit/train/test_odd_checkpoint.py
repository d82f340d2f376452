"""A checkpoint or a result of an odd structure is refused in one line, whatever in it is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import data
from bench.train import accuracy, run
from bench.train.errors import TrainInputError
from bench.train.recipe import Recipe
from bench.train.run import CHECKPOINT, RESULT, SCHEMA, train
from bench.train.task import TrainingTask
from bench.train.trainer import Trainer
from bench.work.resumable import Place
from bench.zoo import architecture, dataset
from tests.odd import ODD
from tests.places import changed, places

torch.set_num_threads(1)
RECIPE = Recipe(epochs=2, batch=600, milestones=(2,), flip=False, ema=0.9)


def a_task() -> TrainingTask:
    widths = (4,) * 8
    cost = architecture("vgg11").cost(widths, dataset("digits"))
    numbers = (widths, int(cost.params), int(cost.macs), 0)
    return TrainingTask("m", "vgg11", "digits", "uniform", 0.01, "width", *numbers, RECIPE)


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    made = Trainer(a_task(), *data.load_stored("digits", "train"))
    made.step()
    return made


@pytest.fixture
def state(trainer) -> dict[str, Any]:
    return {"schema": SCHEMA, **trainer.state()}


def refused(trainer: Trainer, state: Any) -> str:
    with pytest.raises(TrainInputError) as error:
        run._refuse_odd(trainer, state, Path("seed-0") / CHECKPOINT)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_part_of_a_checkpoint_is_checked_before_it_is_used(trainer, state):
    kept = places(state, leave=("param_groups",))
    assert len(kept) > 60
    for number, where in enumerate(kept):
        odd = ODD[number % len(ODD)]
        if where == ("history",) and odd == []:
            continue  # which it is
        told = refused(trainer, changed(state, where, odd))
        assert "cannot be used (" in told or "holds a" in told, (where, told)


def test_an_odd_checkpoint_in_the_folder_is_refused_by_its_name(state, tmp_path):
    folder = a_task().folder(tmp_path)
    folder.mkdir(parents=True)
    torch.save(changed(state, ("optimizer",), None), folder / CHECKPOINT)
    with pytest.raises(
        TrainInputError, match=r"checkpoint\.pt cannot be used \('optimizer' is None, not an obj"
    ):
        train(a_task(), Place(tmp_path))


@pytest.mark.parametrize("whole", [[], {}, None, 3, "x", {"schema": SCHEMA}, {"schema": SCHEMA, "task": 1}])
def test_a_checkpoint_that_is_something_else_is_refused(trainer, whole):
    assert "holds a" in refused(trainer, whole)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epoch": 3}, "a history of 0 epochs in epoch 3"),
        ({"epoch": -5}, "epoch' is -5"),
        ({"minibatch": 10**9}, "minibatch' is"),
        ({"epoch": True}, "epoch' is True"),
        ({"more": 1}, "has 'more'"),
    ],
)
def test_counters_out_of_range_are_refused(trainer, state, changes, words):
    assert words in refused(trainer, {**state, **changes})


@pytest.mark.parametrize(
    "text",
    ["[]", "{", "", "null", '{"schema": 2}', '{"schema": 2, "task": []}', "[" * 100_000, '{"schema": [1]}'],
)
def test_a_result_that_is_something_else_is_refused(tmp_path, text):
    path = a_task().folder(tmp_path) / RESULT
    path.parent.mkdir(parents=True)
    path.write_text(text)
    for use in (lambda: train(a_task(), Place(tmp_path)), lambda: accuracy.results(tmp_path)):
        with pytest.raises(TrainInputError, match="--restart") as error:
            use()
        assert "\n" not in str(error.value)


def test_a_result_without_its_accuracy_is_refused(tmp_path):
    path = a_task().folder(tmp_path) / RESULT
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"schema": SCHEMA, "task": a_task().describe(), "top1": "99"}))
    with pytest.raises(TrainInputError, match="is damaged"):
        accuracy.results(tmp_path)


def test_an_optimisers_settings_are_the_recipes_not_the_checkpoints(state, tmp_path):
    folder = a_task().folder(tmp_path)
    folder.mkdir(parents=True)
    evil = changed(state, ("optimizer", "param_groups"), [{"params": [], "maximize": True}])
    for name, content in (("evil", evil), ("own", state)):
        torch.save(content, folder / CHECKPOINT)
        result = train(a_task(), Place(tmp_path))
        (folder / RESULT).rename(folder / name)
        assert result["resumed_at"] == 1
    first, second = (json.loads((folder / name).read_text())["history"] for name in ("evil", "own"))
    assert first == second
