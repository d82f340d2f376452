"""A training is the same whether or not it was interrupted; errors are reported; its result is found."""

import json
import math
import signal
from dataclasses import replace

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench import data
from bench.data import augment
from bench.errors import DivergedError, InputError
from bench.manifests import accuracies
from bench.train import accuracy as publishing
from bench.train.errors import TrainInputError
from bench.train.recipe import Recipe, parse, published, recipe
from bench.train.run import CHECKPOINT, RESULT, WEIGHTS, train
from bench.train.task import TrainingTask
from bench.train.trainer import Trainer, statistics
from bench.work.resumable import Place
from bench.work.torch_device import DeviceFailedError
from bench.zoo import architecture, dataset

torch.set_num_threads(1)
QUICK = Recipe(epochs=2, batch=240, milestones=(2,), flip=False)


@pytest.fixture(scope="module")
def digits():
    return data.load_stored("digits", "train")


def task(seed=0, settings=QUICK, widths=(4,) * 8):
    cost = architecture("vgg11").cost(widths, dataset("digits"))
    model = "vgg11-digits-uniform-w0.01"
    numbers = (tuple(widths), int(cost.params), int(cost.macs), seed)
    return TrainingTask(model, "vgg11", "digits", "uniform", 0.01, "width", *numbers, settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("trained")
    for seed in (0, 1):
        train(task(seed), Place(out))
    return out


def run_to_end(trainer):
    while not trainer.finished:
        trainer.step()
    return trainer


def same(first, second):
    left, right = first.module.state_dict(), second.module.state_dict()
    return all(torch.equal(left[key], right[key]) for key in left) and first.history == second.history


EVERYTHING = replace(
    QUICK, ema=0.9, label_smoothing=0.1, rotate=10.0, flip=True, amp=True, channels_last=True
)


@pytest.mark.parametrize(
    ("settings", "stop"),
    [(QUICK, 6), (EVERYTHING, 8)],
    ids=["paper, between epochs", "all options, within an epoch"],
)
def test_continued_from_a_checkpoint_it_is_equal_to_the_last_bit(digits, tmp_path, settings, stop):
    digits, settings = [each[:470] for each in digits], replace(settings, batch=80)  # the last of six has 70
    whole = run_to_end(Trainer(task(settings=settings), *digits))
    first = Trainer(task(settings=settings), *digits)
    for _ in range(stop):
        first.step()
    torch.save(first.state(), tmp_path / "c.pt")
    torch.manual_seed(123)  # nothing may come from the global stream
    second = Trainer(task(settings=settings), *digits)
    second.restore(torch.load(tmp_path / "c.pt", weights_only=True))
    assert second.steps[0] == stop
    assert same(whole, run_to_end(second))
    if settings.ema:
        mine, theirs = whole.result().state_dict(), second.result().state_dict()
        assert all(torch.equal(mine[key], theirs[key]) for key in mine)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has ..."),
            "cpu: CUDA out of memory; close what else uses it, or take a smaller batch. The same command",
        ),
        (
            torch.AcceleratorError("CUDA error: unspecified launch failure\nCUDA kernel errors might ..."),
            "cpu: CUDA error: unspecified launch failure; look at dmesg for its faults. The same command",
        ),
    ],
    ids=["full", "broken"],
)
def test_a_device_that_fails_is_one_line_and_the_checkpoint_stays(tmp_path, monkeypatch, error, words):
    step, place = Trainer.step, Place(tmp_path, every=0)

    def failing(trainer):
        if trainer.steps[0] == 3:
            raise error
        step(trainer)

    monkeypatch.setattr(Trainer, "step", failing)
    with pytest.raises(DeviceFailedError, match=words) as caught:
        train(task(), place)
    assert (caught.value.exit_code, "\n" in str(caught.value)) == (1, False)
    monkeypatch.setattr(Trainer, "step", step)
    assert train(task(), place)["resumed_at"] == 3


def test_another_seed_is_another_training(digits):
    first, other = Trainer(task(0), *digits), Trainer(task(1), *digits)
    assert not torch.equal(first.batch()[1], other.batch()[1])
    assert not torch.equal(first.module[0][0].weight, other.module[0][0].weight)


def test_every_image_is_seen_once_an_epoch(digits):
    _, labels = digits
    trainer = Trainer(task(), *digits)
    seen = []
    while trainer.epoch == 1:
        seen += trainer.batch()[1].tolist()
        trainer.step()
    assert sorted(seen) == sorted(labels.tolist())


def test_images_are_normalised_with_the_training_split_s_own_statistics(digits):
    trainer = Trainer(task(settings=replace(QUICK, crop=0, batch=1437)), *digits)
    images, _ = trainer.batch()
    assert images.mean((0, 2, 3)).abs().max() < 1e-4
    assert (images.std((0, 2, 3)) - 1).abs().max() < 1e-3


def test_bytes_and_numbers_train_alike(digits):
    images, labels = digits
    grey = (images * 255).round().to(torch.uint8)
    mean, deviation = statistics(grey)
    floats = statistics(grey.float() / 255)
    assert torch.allclose(mean, floats[0])
    assert torch.allclose(deviation, floats[1])
    a, b = Trainer(task(), grey, labels), Trainer(task(), grey.float() / 255, labels)
    assert torch.allclose(a.batch()[0], b.batch()[0], atol=1e-6)


def test_a_loss_that_leaves_the_numbers_stops_it_with_advice(digits):
    wild = replace(QUICK, learning_rate=1e18, epochs=9)
    with pytest.raises(DivergedError, match=r"the loss became \S+ in epoch \d: lower the learning rate"):
        run_to_end(Trainer(task(settings=wild), *digits))


def test_it_learns(digits):
    settings = Recipe(
        epochs=3, batch=32, learning_rate=0.05, milestones=(3,), momentum=0.9, flip=False, crop=2
    )
    trainer = run_to_end(Trainer(task(settings=settings, widths=(8, 8, 16, 16, 16, 16, 16, 16)), *digits))
    assert trainer.history[-1]["loss"] < 0.3 * math.log(10)
    assert trainer.evaluate(*data.load_stored("digits", "test")) > 80


class Interrupted:
    """A report that interrupts at a given minibatch: as Ctrl-C does, or as one does whose reader has left."""

    def __init__(self, at, unread=False):
        self.at, self.unread = at, unread

    def __call__(self, trainer):
        if trainer.steps[0] == self.at:
            if self.unread:
                raise BrokenPipeError
            signal.raise_signal(signal.SIGINT)


def test_interrupted_and_run_again_it_gives_the_same_files_as_in_one_go(trained, tmp_path):
    once, twice = Place(trained), Place(tmp_path)
    whole = json.loads((task().folder(once.out) / RESULT).read_text())
    with pytest.raises(KeyboardInterrupt):
        train(task(), twice, Interrupted(5))
    folder = task().folder(twice.out)
    assert (folder / CHECKPOINT).exists()
    assert not (folder / RESULT).exists()
    result = train(task(), twice)
    assert result["resumed_at"] == 5
    for name in ("top1", "best_top1", "best_epoch", "history", "data", "task"):
        assert result[name] == whole[name]
    states = [torch.load(task().folder(p.out) / WEIGHTS, weights_only=True)["state"] for p in (once, twice)]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert sorted(p.name for p in folder.iterdir()) == [".lock", WEIGHTS, RESULT]


def test_a_report_that_nobody_reads_any_more_leaves_what_was_trained(tmp_path):
    place = Place(tmp_path)
    with pytest.raises(BrokenPipeError):
        train(task(), place, Interrupted(2, unread=True))
    assert train(task(), place)["resumed_at"] == 2


def test_a_finished_training_is_not_done_again(trained):
    first = json.loads((task().folder(trained) / RESULT).read_text())
    assert train(task(), Place(trained), Interrupted(1)) == first


def test_a_folder_of_another_training_is_left_alone(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(task(), Place(tmp_path), Interrupted(2))
    longer = task(settings=replace(QUICK, epochs=3))
    with pytest.raises(TrainInputError, match=r"holds another training: epochs is 2, not 3; .*--restart"):
        train(longer, Place(tmp_path))
    train(task(), Place(tmp_path))
    with pytest.raises(TrainInputError, match="holds another training"):
        train(longer, Place(tmp_path))


def test_a_damaged_checkpoint_is_told(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train(task(), Place(tmp_path), Interrupted(2))
    path = task().folder(tmp_path) / CHECKPOINT
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(TrainInputError, match=r"checkpoint\.pt cannot be read .*remove it to start again"):
        train(task(), Place(tmp_path))


def test_channels_last_is_refused_on_a_cpu_where_torch_crashes_with_it(tmp_path):
    with pytest.raises(TrainInputError, match="channels_last is for GPUs"):
        train(task(settings=replace(QUICK, channels_last=True)), Place(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_an_unusable_device_is_one_line(tmp_path):
    with pytest.raises(InputError, match="device 'cuda:99' cannot be used"):
        train(task(), Place(tmp_path, device="cuda:99"))


def test_the_accuracy_entry_is_the_mean_over_seeds_with_all_it_takes_to_do_it_again(
    trained, tmp_path, monkeypatch
):
    path = tmp_path / "manifests/accuracy/trained-digits.yaml"
    found = publishing.results(trained)
    publishing.publish(found, path)
    (entry,) = accuracies.load(path).entries
    assert entry.value == pytest.approx(sum(r["top1"] for r in found) / 2, abs=1e-3)
    assert entry.seeds == 2
    assert entry.training.seeds == [0, 1]
    assert entry.training.recipe["epochs"] == 2
    assert entry.training.data_sha256 == found[0]["data"]
    monkeypatch.chdir(tmp_path)
    seen = accuracies.lookup("vgg11", "digits", entry.widths, entry.params)
    assert (seen["value"], seen["source"]) == (entry.value, "trained")
    assert (seen["epoch"], seen["best"]) == ("last", {"value": entry.best.value, "std": entry.best.std})
    assert entry.best.value == pytest.approx(sum(r["best_top1"] for r in found) / 2, abs=1e-3)
    assert entry.training.best_values == pytest.approx([r["best_top1"] for r in found], abs=1e-3)


def test_a_new_seed_replaces_the_entry_and_other_models_stay(trained, tmp_path):
    path = tmp_path / "t.yaml"
    found = publishing.results(trained)
    other = json.loads(json.dumps(found[0]).replace("w0.01", "w0.02"))
    other["task"]["ratio"] = 0.02
    publishing.publish([other], path)
    publishing.publish(found[:1], path)
    publishing.publish(found, path)
    assert [(e["ratio"], e["seeds"]) for e in yaml.safe_load(path.read_text())["entries"]] == [
        (0.01, 2),
        (0.02, 1),
    ]


def test_seeds_that_were_not_trained_alike_have_no_mean(trained, tmp_path):
    first, second = publishing.results(trained)
    second["task"]["recipe"]["epochs"] = 99
    with pytest.raises(TrainInputError, match="seeds 0 and 1 were not trained alike"):
        publishing.publish([first, second], tmp_path / "t.yaml")


def test_published_accuracies_are_never_overwritten(trained, tmp_path):
    path = tmp_path / "p.yaml"
    path.write_text("name: p\nsource: published\nstatistic: s\nepoch: best\nreference: r\nentries: []\n")
    with pytest.raises(TrainInputError, match="holds published accuracies"):
        publishing.publish(publishing.results(trained), path)


def test_the_default_recipe_is_the_published_one():
    cifar, tiny = published(dataset("cifar10")), published(dataset("tinyimagenet"))
    assert (cifar.epochs, cifar.batch, cifar.milestones) == (300, 128, (100, 200, 250))
    assert (cifar.momentum, cifar.weight_decay, cifar.crop, cifar.flip) == (0.5, 5e-4, 4, True)
    assert [cifar.rate(epoch) for epoch in (1, 99, 100, 199, 200, 249, 250, 300)] == pytest.approx(
        [0.1, 0.1, 1e-2, 1e-2, 1e-3, 1e-3, 1e-4, 1e-4]
    )
    assert (tiny.epochs, tiny.milestones, tiny.rotate) == (150, (50, 100, 150), 20.0)
    assert [tiny.rate(epoch) for epoch in (49, 50, 99, 100, 149, 150)] == pytest.approx(
        [0.1, 1e-2, 1e-2, 1e-3, 1e-3, 1e-4]
    )
    assert not any((cifar.amp, cifar.channels_last, cifar.compile, cifar.label_smoothing, cifar.ema))


def test_a_shortened_recipe_keeps_the_shape_of_its_schedule():
    assert recipe("published", dataset("cifar10"), 30).milestones == (11, 21, 26)
    reduced = recipe("reduced", dataset("digits"), 6)
    assert [reduced.rate(epoch) for epoch in range(1, 7)] == pytest.approx([0.05] * 4 + [0.005, 0.0005])


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("rate=1", "give NAME=VALUE with a name of batch, learning_rate"),
        ("batch", "give NAME=VALUE"),
        ("batch=many", "batch must be of type int, not 'many'"),
        ("amp=perhaps", "amp must be of type bool"),
    ],
)
def test_a_setting_that_is_none_is_told(pair, expected):
    with pytest.raises(TrainInputError, match=expected):
        parse([pair])


@pytest.mark.parametrize(
    ("name", "value"), [("momentum", 1.0), ("batch", 1), ("ema", 1.0), ("learning_rate", 0)]
)
def test_a_setting_out_of_range_is_told(name, value):
    with pytest.raises(TrainInputError, match=f"{name} must be"):
        recipe("published", dataset("digits"), **{name: value})


def test_settings_are_converted():
    assert parse(["batch=64", "amp=true", "milestones=3,5", "ema=0.9"]) == {
        "batch": 64, "amp": True, "milestones": (3, 5), "ema": 0.9,
    }  # fmt: skip


@given(st.integers(0, 2**31), st.integers(1, 5))
def test_rotation_by_nothing_and_by_half_a_turn_are_exact(seed, n):
    images = torch.rand(n, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed)
    assert torch.equal(augment.rotate(images, 0, generator), images)
    turned = augment.rotate(images, 45.0, generator)
    assert turned.shape == images.shape
    pool = set(images.flatten().tolist()) | {0.0}
    assert set(turned.flatten().tolist()) <= pool  # nearest pixel: no new values


def test_a_rotated_centre_stays_and_corners_leave():
    images = torch.zeros(50, 1, 9, 9)
    images[:, :, 4, 4] = 1
    turned = augment.rotate(images, 90.0, torch.Generator().manual_seed(0))
    assert (turned[:, 0, 4, 4] == 1).all()
