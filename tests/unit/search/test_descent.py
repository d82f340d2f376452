"""A search gives the same widths from the same seed, however often it is killed, and leaves a usable fit."""

import json
import os
import random
import signal
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from bench.errors import DivergedError
from bench.scaling import fits, scale
from bench.scaling.regression import read_record
from bench.search.descent import CHECKPOINT, Search, StoppedError
from bench.search.errors import SearchInputError
from bench.search.round import SearchRound
from bench.search.settings import SearchSettings, recipe
from bench.zoo import ARCHITECTURES, ZooError, architecture, dataset
from tests import forked
from tests.conftest import PATIENCE

DIGITS = dataset("digits")

# Seconds rather than minutes: one epoch of warm-up, a narrow network, few and large steps.
QUICK = {
    "iterations": 2,
    "batch": 192,
    "warmup_epochs": 1,
    "minibatches": 1,
    "widen_below": 4,
}


def quick(name: str = "preact_resnet18", **changes: object) -> SearchSettings:
    ratio = {"resnet50": 0.04, "vgg11": 0.04}.get(name, 0.08)
    size = 32 if name == "vgg11" else 4
    units = max(1, int(sum(architecture(name).default_widths) * ratio) // 12)
    defaults = {**QUICK, "width_ratio": ratio, "image_size": size, "units": units, "learning_rate": 0.02}
    return recipe("reduced", architecture(name), DIGITS, **{**defaults, **changes})


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def search(
    folder: Path, settings: SearchSettings, name: str = "preact_resnet18", **options: object
) -> Search:
    return Search(architecture(name), DIGITS, settings, folder, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Search:
    torch.set_num_threads(1)
    run = search(tmp_path_factory.mktemp("finished"), quick())
    run.run()
    return run


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_is_searched(name: str, tmp_path: Path) -> None:
    run = search(tmp_path, quick(name, iterations=1), name)
    fit = run.run()
    net = architecture(name)
    fit.check(net)
    rows = read_record(tmp_path / "round-1.csv", len(net.layers))
    assert rows == run.rounds[0]["rows"]
    assert all(
        now <= before for early, late in pairwise(rows) for before, now in zip(early, late, strict=True)
    )
    ratio = 0.3
    assert abs(scale(net, DIGITS, "neuralscale", ratio, "params", fit=fit).error) <= 0.005


def test_the_same_seed_gives_the_same_search(finished: Search, tmp_path: Path) -> None:
    again = search(tmp_path, quick())
    again.run()
    assert again.rounds == finished.rounds


def test_another_seed_gives_another_search(finished: Search, tmp_path: Path) -> None:
    other = search(tmp_path, quick(seed=1, iterations=1))
    other.run()
    assert other.rounds[0]["rows"] != finished.rounds[0]["rows"]


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_stopped_at_random_minibatches_it_ends_the_same(finished: Search, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    stops = 0
    while True:
        left = [chance.randrange(1, 25)]

        def stop(left: list[int] = left) -> bool:
            left[0] -= 1
            return left[0] == 0

        run = search(tmp_path, quick())
        try:
            run.run(stop=stop)
            break
        except StoppedError:
            stops += 1
    assert stops > 1
    assert run.resumed == stops
    assert run.rounds == finished.rounds


def test_progress_that_nobody_reads_any_more_leaves_a_checkpoint(tmp_path: Path) -> None:
    def unread(run: Search, now: SearchRound) -> None:
        if now.minibatch == 2:
            raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        search(tmp_path, quick(iterations=1)).run(unread)
    assert torch.load(tmp_path / CHECKPOINT, weights_only=True)["round"]["minibatch"] == 2


def killed_at_the_17th_minibatch(folder: Path) -> None:
    steps = []

    def count(run: Search, now: SearchRound) -> None:
        steps.append(1)
        run.every = 0 if len(steps) == 13 else 1e9  # these are kept, and what follows is not
        if len(steps) == 17:
            os.kill(os.getpid(), signal.SIGKILL)

    search(folder, quick()).run(progress=count)


def test_killed_outright_the_same_command_ends_the_same(finished: Search, tmp_path: Path) -> None:
    """SIGKILL leaves no time to save: what was done since the last checkpoint is done again."""
    with forked.started(tmp_path, killed_at_the_17th_minibatch, tmp_path) as process:
        assert forked.ended(process, PATIENCE) == -signal.SIGKILL, (tmp_path / "err").read_text()
    assert (tmp_path / CHECKPOINT).exists()
    run = search(tmp_path, quick())
    run.run()
    assert run.resumed == 1
    assert run.rounds == finished.rounds


def test_the_record_says_what_was_done_and_with_what(finished: Search) -> None:
    record = json.loads((finished.folder / "record.json").read_text())
    assert (record["schema"], record["kind"]) == (1, "orbitbench.search")
    assert record["settings"] == finished.settings.as_data()
    assert record["environment"]["data_sha256"] == finished.sha256
    assert [done["round"] for done in record["rounds"]] == [1, 2]
    for done in record["rounds"]:
        assert done["stopped_by"] in ("cap", "last_unit", "epochs")
        assert len(done["alpha"]) == 17


def test_the_second_round_starts_from_the_first_ones_fit_at_the_same_size(finished: Search) -> None:
    first, second = (done["start_widths"] for done in finished.rounds)
    net = architecture("preact_resnet18")
    assert first != second
    ratio = net.cost(second, DIGITS).params / net.cost(first, DIGITS).params
    assert 0.99 <= ratio < 1.6  # narrow layers are widened, nothing else is


def test_the_fit_carries_its_provenance(finished: Search, tmp_path: Path) -> None:
    fit = finished.fit()
    fits.save(fit, tmp_path / "mine.yaml")
    again = fits.load(tmp_path / "mine.yaml")
    assert again == fit
    assert again.provenance.searched_by.startswith("orbitbench ")
    assert (again.provenance.iteration, again.provenance.iterations) == (2, 2)
    assert again.provenance.settings["seed"] == 0
    assert again.provenance.data.startswith("digits, train split, sha256 ")


def test_a_round_that_records_too_little_falls_back_to_uniform(tmp_path: Path) -> None:
    run = search(tmp_path, quick(iterations=1, units=60))
    fit = run.run()
    assert run.rounds[0]["uniform"]
    assert set(fit.beta) == {0.0}
    assert (
        abs(scale(architecture("preact_resnet18"), DIGITS, "neuralscale", 0.3, "params", fit=fit).error)
        <= 0.005
    )


def test_a_round_that_does_not_end_is_cut_off(tmp_path: Path) -> None:
    run = search(tmp_path, quick(iterations=1, max_epochs=2))
    run.run()
    assert run.rounds[0]["stopped_by"] == "epochs"
    assert len(run.rounds[0]["epochs"]) == 2


def test_a_checkpoint_of_other_settings_is_refused(finished: Search) -> None:
    with pytest.raises(SearchInputError, match=r"is of another search .*seed 0 there, 7 here"):
        search(finished.folder, quick(seed=7)).run()


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / CHECKPOINT).write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(SearchInputError, match=r"checkpoint\.pt: not a checkpoint .*delete it") as caught:
        search(tmp_path, quick()).run()
    assert "\n" not in str(caught.value)


def test_divergence_stops_with_advice(tmp_path: Path) -> None:
    with pytest.raises(
        DivergedError, match=r"the loss became (nan|inf) in epoch 1 of round 1: lower the learning"
    ):
        search(tmp_path, quick(learning_rate=1e18, warmup_epochs=5)).run()


def test_images_too_small_for_a_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ZooError, match="too small"):
        search(tmp_path, quick("vgg11", image_size=8), "vgg11").run()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"units": 0}, "units must be at least 1, not 0"),
        ({"fraction": 1.0}, "fraction must be between 0 and 1"),
        ({"width_ratio": 0.0}, "width_ratio must be above 0"),
        ({"speed": 3}, "unknown setting 'speed'; known: amp, batch"),
    ],
)
def test_bad_settings_are_named(changes: dict, message: str) -> None:
    with pytest.raises(SearchInputError, match=message):
        quick(**changes)


def test_mixed_precision_searches_too(tmp_path: Path) -> None:
    run = search(tmp_path, quick(iterations=1, amp=True, warmup_epochs=0, max_epochs=1, width_ratio=0.03))
    run.run()
    assert run.rounds[0]["steps"] > 0


def test_closed_gates_stay_closed_and_no_optimiser_holds_a_gate(tmp_path: Path) -> None:
    run = search(tmp_path, quick(iterations=1))
    seen: list[int] = []

    def watch(_: Search, now: SearchRound) -> None:
        values = torch.cat([gate.weight.detach() for gate in now.gates])
        assert set(values.tolist()) <= {0.0, 1.0}
        assert torch.equal(values.bool(), now.pruner.open)
        seen.append(int(values.sum()))

    run.run(progress=watch)
    assert seen == sorted(seen, reverse=True)
    assert seen[-1] < seen[0]
