"""On a GPU, too, a training and a search depend on their seed alone, and compute in what they name."""

import contextlib
import io
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import conv2d

from bench import data
from bench.scaling import scale
from bench.search.descent import Search, StoppedError
from bench.search.settings import recipe as search_recipe
from bench.train.recipe import Recipe, published, recipe
from bench.train.run import train
from bench.train.task import TrainingTask
from bench.train.trainer import Trainer
from bench.work.resumable import Place
from bench.work.torch_device import DeviceFailedError, use_device
from bench.zoo import ARCHITECTURES, architecture, dataset
from tests import forked
from tests.conftest import PATIENCE

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no NVIDIA GPU that torch can use"),
]
DIGITS = dataset("digits")
SETTINGS = {
    "published": published(dataset("cifar10")),
    "everything": replace(
        published(dataset("cifar10")), ema=0.9, label_smoothing=0.1, rotate=10.0, amp=True, channels_last=True
    ),
}


@pytest.fixture(autouse=True)
def _gpu() -> None:
    use_device("cuda")


def task(name: str, settings: Recipe, ratio: float = 0.25, seed: int = 0) -> TrainingTask:
    net = architecture(name)
    widths = tuple(scale(net, DIGITS, "uniform", ratio, "params").widths)
    cost = net.cost(widths, DIGITS)
    numbers = (widths, int(cost.params), int(cost.macs), seed, settings)
    return TrainingTask(
        f"{name}-digits-uniform-p{ratio}", name, "digits", "uniform", ratio, "params", *numbers
    )


@pytest.fixture(scope="module")
def examples() -> tuple[torch.Tensor, ...]:
    return tuple(part[:1024].cuda() for part in data.load_stored("digits", "train"))


def stepped(trainer: Trainer, count: int) -> Trainer:
    for _ in range(count):
        trainer.step()
    return trainer


def bits(trainer: Trainer) -> torch.Tensor:
    states = [trainer.module.state_dict(), {} if trainer.average is None else trainer.average.state_dict()]
    return torch.cat([part.double().flatten().cpu() for state in states for part in state.values()])


def test_fp32_has_24_bits() -> None:
    """TF32, which torch would take, has 11: its error is near 1e-3."""
    torch.manual_seed(0)
    images, weight = torch.randn(8, 64, 16, 16, device="cuda"), torch.randn(64, 64, 3, 3, device="cuda")
    exact = conv2d(images.double(), weight.double())
    error = (conv2d(images, weight).double() - exact).norm() / exact.norm()
    assert error < 1e-6
    product = images.flatten(1) @ images.flatten(1).T
    exact = images.double().flatten(1) @ images.double().flatten(1).T
    assert (product.double() - exact).norm() / exact.norm() < 1e-6


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_one_seed_is_one_training_also_when_it_is_resumed(
    name: str, settings: str, examples: tuple[torch.Tensor, ...]
) -> None:
    def fresh() -> Trainer:
        chosen = replace(SETTINGS[settings], batch=64, learning_rate=0.01)  # 0.1 is too much for few digits
        return Trainer(task(name, chosen), *examples)

    whole, first, kept = stepped(fresh(), 24), stepped(fresh(), 13), io.BytesIO()
    torch.save(first.state(), kept)
    kept.seek(0)
    second = fresh()
    second.restore(torch.load(kept, map_location="cpu", weights_only=True))
    assert torch.equal(bits(whole), bits(stepped(second, 11)))
    assert whole.history == second.history
    assert not torch.equal(bits(whole), bits(first))


def killed_after(steps: int, out: Path, settings: Recipe) -> None:
    done = []

    def report(trainer: Trainer) -> None:
        done.append(1)
        if len(done) == steps:
            os.kill(os.getpid(), signal.SIGKILL)

    train(task("mobilenetv2", settings), Place(out, device="cuda", every=0), report)


def test_killed_outright_it_goes_on_to_the_same_result(tmp_path: Path) -> None:
    settings = recipe("reduced", DIGITS, epochs=3)
    whole = train(task("mobilenetv2", settings), Place(tmp_path / "whole", device="cuda"))
    with forked.started(tmp_path, killed_after, 31, tmp_path / "killed", settings) as process:
        assert forked.ended(process, PATIENCE) == -9, (tmp_path / "err").read_text()
    again = train(task("mobilenetv2", settings), Place(tmp_path / "killed", device="cuda"))
    assert again["resumed_at"] == 30  # killed before the 31st was kept
    assert again["history"] == whole["history"]
    assert again["device"] == "cuda:0"


@pytest.mark.parametrize(
    "name", sorted(ARCHITECTURES.keys() - {"resnet50"})
)  # learns little from 1,437 images
def test_digits_are_learnt_as_well_as_on_a_cpu(name: str, tmp_path: Path) -> None:
    result = train(task(name, recipe("reduced", DIGITS)), Place(tmp_path, device="cuda"))
    assert result["top1"] > 85, result["history"]


def test_a_gpu_that_is_full_ends_in_one_line_and_keeps_the_checkpoint(tmp_path: Path) -> None:
    settings = recipe("reduced", DIGITS, epochs=3)
    place, reports = Place(tmp_path, device="cuda", every=0), []

    def fill(trainer: Trainer) -> None:
        reports.append(trainer.steps)
        if len(reports) == 20:
            torch.cuda.set_per_process_memory_fraction(1e-9)
            torch.cuda.empty_cache()

    try:
        with pytest.raises(
            DeviceFailedError, match=r"cuda: .*out of memory.*; close what .*goes on from the"
        ):
            train(task("preact_resnet18", settings), place, fill)
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert train(task("preact_resnet18", settings), place)["resumed_at"] in (19, 20)


@pytest.mark.parametrize("command", ["train vgg11-digits-uniform-p0.25", "search vgg11 --dataset digits"])
def test_the_commands_work_there(command: str, tmp_path: Path) -> None:
    few = "--epochs 2 --accuracy a.yaml" if "train" in command else "--iterations 1 --out f.yaml"
    words = f"{command} --recipe reduced --device cuda {few}".split()
    with forked.started(tmp_path, in_folder, tmp_path, words) as process:
        assert forked.ended(process, PATIENCE) in (0, None), (tmp_path / "err").read_text()
    assert (tmp_path / few.split()[-1]).exists()


def in_folder(folder: Path, words: list[str]) -> None:
    os.chdir(folder)
    forked.bench(*words)


def quick(name: str, **changes: Any) -> Any:
    ratio = {"resnet50": 0.04, "vgg11": 0.04}.get(name, 0.08)
    units = max(1, int(sum(architecture(name).default_widths) * ratio) // 12)
    few = {"iterations": 2, "batch": 192, "warmup_epochs": 1, "minibatches": 1, "widen_below": 4,
           "width_ratio": ratio, "units": units, "learning_rate": 0.02, **changes}  # fmt: skip
    return search_recipe("reduced", architecture(name), DIGITS, **few)


def searched(name: str, folder: Path, amp: bool, patience: int | None = None) -> Search:
    """A finished search; `patience`: stopped after as many minibatches, and taken up again, until it is."""
    while True:
        left = [patience or -1]

        def stop(left: list[int] = left) -> bool:
            left[0] -= 1
            return left[0] == 0

        run = Search(architecture(name), DIGITS, quick(name, amp=amp), folder, "cuda")
        with contextlib.suppress(StoppedError):
            run.run(stop=stop)
            return run


@pytest.mark.parametrize("amp", [False, True], ids=["fp32", "amp"])
@pytest.mark.parametrize("name", ARCHITECTURES)
def test_one_seed_is_one_search_however_often_it_is_stopped(name: str, amp: bool, tmp_path: Path) -> None:
    whole, stopped = searched(name, tmp_path / "whole", amp), searched(name, tmp_path / "stopped", amp, 7)
    assert stopped.resumed > 0
    assert stopped.rounds == whole.rounds
    whole.fit().check(architecture(name))
