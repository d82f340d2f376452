"""The pruner does what NeuralScale's does, minibatch by minibatch, and takes itself up where it was left."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.search.pruner import Pruner
from tests.plain_pruner import PlainPruner

# Traces of the authors' pruning engine (github.com/eugenelet/NeuralScale @ 67ddedc) on synthetic gradients;
# all gates start at 1, gradients are stored times 1024.
TRACES = json.loads((Path(__file__).parent / "data" / "pruner_traces.json").read_text())


def pruner_of(trace: dict[str, Any]) -> Pruner:
    return Pruner(
        trace["units"],
        units=trace["prune_per_iteration"],
        minibatches=trace["minibatches_per_pruning"],
        fraction=trace["prune_fraction"],
    )


@pytest.mark.parametrize("trace", TRACES, ids=lambda trace: trace["case"])
def test_traces_of_the_published_engine_are_reproduced(trace: dict[str, Any]) -> None:
    pruner = pruner_of(trace)
    events = []
    for minibatch, row in enumerate(trace["gradients_1024"]):
        step = pruner.observe(pruner.open.float(), torch.tensor(row) / 1024)
        if step:
            masks = ["".join(str(int(unit)) for unit in mask) for mask in pruner.masks()]
            events.append(
                {"minibatch": minibatch, "pruned_ok": step.completed, "kept": step.widths, "masks": masks}
            )
        if pruner.stopped:
            break
    assert events == trace["events"]
    assert (minibatch, pruner.stopped) == (trace["stop_minibatch"], trace["stop_reason"])
    assert pruner.record() == trace["recorded"]
    assert (not pruner.rows) == trace["forced_single_row"]


@settings(max_examples=40, deadline=None)
@given(
    widths=st.lists(st.integers(2, 20), min_size=1, max_size=6),
    units=st.integers(1, 12),
    every=st.integers(1, 3),
    seed=st.integers(0, 10**6),
    dead=st.floats(0, 0.5),
)
def test_it_equals_a_plain_loop_over_units(
    widths: list[int], units: int, every: int, seed: int, dead: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    gradients = torch.randn(60, sum(widths), generator=generator).double()
    gradients[:, torch.rand(sum(widths), generator=generator) < dead] = 0  # dead units tie at score 0
    pruner = Pruner(widths, units=units, minibatches=every)
    plain = PlainPruner(widths, units=units, minibatches=every)
    for row in gradients:
        pruner.observe(pruner.open.double(), row)
        plain.observe(torch.cat(plain.masks()).double(), row)
        assert [mask.tolist() for mask in pruner.masks()] == [mask.tolist() for mask in plain.masks()]
        assert pruner.stopped == plain.stopped
        if pruner.stopped:
            break
    assert pruner.rows == plain.rows


def test_what_is_closed_stays_closed_and_no_layer_is_emptied() -> None:
    generator = torch.Generator().manual_seed(1)
    pruner = Pruner([12, 30, 9], units=4, minibatches=2)
    before = pruner.open.clone()
    while not pruner.stopped:
        pruner.observe(pruner.open.float(), torch.randn(51, generator=generator))
        assert not (pruner.open & ~before).any()
        assert min(pruner.kept()) >= 1
        before = pruner.open.clone()


@pytest.mark.parametrize("stop_at", [1, 7, 12])
def test_a_restored_pruner_goes_on_as_if_nothing_had_happened(stop_at: int) -> None:
    trace = TRACES[0]
    rows = torch.tensor(trace["gradients_1024"]) / 1024
    first = pruner_of(trace)
    for row in rows[:stop_at]:
        first.observe(first.open.float(), row)
    second = pruner_of(trace)
    second.restore(copy.deepcopy(first.state()))
    for row in rows[stop_at:]:
        second.observe(second.open.float(), row)
    assert second.record() == trace["recorded"]
    assert second.stopped == trace["stop_reason"]
