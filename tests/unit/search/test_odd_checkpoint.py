"""A search's checkpoint of an odd structure is refused in one line, whatever in it is wrong."""

from pathlib import Path
from typing import Any

import pytest
import torch

from bench.search.descent import CHECKPOINT, Search, StoppedError
from bench.search.errors import SearchInputError
from bench.search.settings import recipe
from bench.zoo import architecture, dataset
from tests.odd import ODD
from tests.places import changed, places

ARCHITECTURE, DIGITS = architecture("preact_resnet18"), dataset("digits")
SETTINGS = recipe(
    "reduced",
    ARCHITECTURE,
    DIGITS,
    iterations=2,
    image_size=8,
    batch=192,
    warmup_epochs=1,
    minibatches=1,
    width_ratio=0.04,
    units=20,
    learning_rate=0.02,
)


def search(folder: Path) -> Search:
    return Search(ARCHITECTURE, DIGITS, SETTINGS, folder)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Search, Any]:
    """A search that was stopped in its second round, and its checkpoint."""
    torch.set_num_threads(1)
    run = search(tmp_path_factory.mktemp("search"))
    with pytest.raises(StoppedError):
        run.run(stop=lambda: len(run.rounds) == 1)
    return run, torch.load(run.folder / CHECKPOINT, weights_only=True)


def refused(run: Search, state: Any) -> str:
    """What is printed of a checkpoint that holds `state`."""
    torch.save(state, run.folder / CHECKPOINT)
    with pytest.raises(SearchInputError) as error:
        search(run.folder).run()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_every_part_of_a_checkpoint_is_checked_before_it_is_used(stopped: Any) -> None:
    run, state = stopped
    again = search(run.folder)
    again.sha256 = state["identity"]["data"]
    again.rounds = state["rounds"]
    now = again._round(_examples())
    wholes = ((state, again._structure()), (state["round"], now.structure()))
    checked = 0
    for whole, structure in wholes:
        again._refuse_odd(whole, structure)
        for number, where in enumerate(places(whole, leave=("param_groups", "identity"))):
            odd = ODD[number % len(ODD)]
            fine = {"rounds": [], "round": {}, "epochs": [], "rows": [], "stopped": None, "loss": -1}
            if where[0] == "round" or (where[-1] in fine and odd in (fine[where[-1]], -1)):
                continue
            with pytest.raises(SearchInputError, match="not a checkpoint"):
                again._refuse_odd(changed(whole, where, odd), structure)
            checked += 1
    assert checked > 100


def _examples() -> Any:
    from bench.search.descent import _examples as load

    return load(DIGITS, SETTINGS, "cpu", None)[0]


@pytest.mark.parametrize("whole", [[], {}, None, 3, "x", {"identity": None}, {"identity": torch.zeros(3)}])
def test_a_checkpoint_that_is_something_else_is_refused(stopped: Any, whole: Any) -> None:
    assert "not a checkpoint" in refused(stopped[0], whole)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("identity", "seed"), torch.zeros(3)),
        (("identity", "seed"), "\x1b[2J" * 1000),
        (("rounds",), [{}]),
        (("round", "pruner", "open"), torch.zeros(3)),
        (("round", "optimizer"), []),
        (("round", "epoch"), 10**9),
    ],
)
def test_an_odd_part_ends_the_search_in_one_line(stopped: Any, where: tuple[Any, ...], value: Any) -> None:
    told = refused(stopped[0], changed(stopped[1], where, value))
    assert "delete it" in told
    assert "\x1b" not in told
    assert len(told) < 600


def test_a_fifo_in_place_of_a_checkpoint_hangs_nobody(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / CHECKPOINT)
    with pytest.raises(SearchInputError, match="not a regular file"):
        search(tmp_path).run()
