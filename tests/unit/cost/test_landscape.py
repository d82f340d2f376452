"""The cost of a layer over its channels: which layer, around which widths, and the steps of the blocks."""

import json
import subprocess
import sys

import pytest

from bench.cost import CostModel, profile
from bench.cost.landscape import landscape
from bench.zoo import architecture, dataset
from tests.unit.cost import synthetic_profile as synthetic

NET, TASK = architecture("vgg11"), dataset("cifar10")
BASE = [24, 60, 100, 120, 200, 210, 220, 200]
OTHER = [24, 60, 96, 120, 208, 240, 240, 208]


@pytest.fixture(scope="module")
def model() -> CostModel:
    return CostModel(synthetic.profile())


def test_the_layer_takes_the_largest_share_and_the_curve_holds_every_network(model: CostModel) -> None:
    found, marks = landscape(model, NET, [BASE, OTHER], TASK)
    layers = model.explain(NET, BASE, TASK)[:-1]  # the last has what the call itself costs
    top = max(layers, key=lambda each: each.seconds)
    assert (found.layer, found.share) == (top.layer, pytest.approx(top.share))
    index = NET.layers.index(found.layer)
    assert marks == [BASE[index], OTHER[index]]
    assert {*marks} <= {*found.channels}
    assert found.channels == sorted({*found.channels})
    assert found.channels[0] <= 0.8 * min(marks)
    assert found.channels[-1] >= 1.2 * max(marks)


def test_a_point_differs_from_another_as_the_whole_network_does(model: CostModel) -> None:
    found, _ = landscape(model, NET, [BASE], TASK)
    index = NET.layers.index(found.layer)
    curve = dict(zip(found.channels, found.seconds, strict=True))

    def whole(channels: int) -> float:
        widths = [*BASE[:index], channels, *BASE[index + 1 :]]
        return model.predict(NET, widths, TASK).latency.value

    here = BASE[index]
    for channels in (here + 1, here + 8):
        assert curve[channels] - curve[here] == pytest.approx(whole(channels) - whole(here))


def test_one_channel_beyond_a_block_is_a_step(model: CostModel) -> None:
    found, _ = landscape(model, NET, [OTHER], TASK)
    curve = dict(zip(found.channels, found.seconds, strict=True))
    full = [each for each in found.channels[2:-9] if each % found.block == 0]
    for each in full:
        assert curve[each + 1] - curve[each] > 2 * abs(curve[each + 8] - curve[each]) / 8


def test_a_wide_curve_keeps_the_steps_and_stays_small(model: CostModel) -> None:
    narrow, wide = ([round(w * f) for w in NET.default_widths] for f in (0.3, 4))
    found, marks = landscape(model, NET, [narrow, wide], TASK)
    assert found.channels[-1] - found.channels[0] > 1500
    assert len(found.channels) < 620
    assert all(each % found.block in (0, 1) for each in found.channels if each not in marks)


def test_the_command_answers_each_question_or_null(tmp_path) -> None:
    path = tmp_path / "made.yaml"
    profile.save_profile(synthetic.profile(), path)
    known = {"architecture": "vgg11", "dataset": "cifar10"}
    asked = [
        [
            {"id": "a", **known, "widths": BASE},
            {"id": "b", **known, "widths": OTHER},
            {"id": "far", **known, "widths": [9999] * 8},
        ],
        [{"id": "c", **known, "widths": [8, 8]}],
        [{"id": "d", "architecture": "alexnet", "dataset": "cifar10", "widths": [8]}],
    ]
    done = subprocess.run(
        [sys.executable, "-m", "bench.cli", "predictions", str(path), "--landscape"],
        input=json.dumps(asked), capture_output=True, text=True, check=True,
    )  # fmt: skip
    found, *others = json.loads(done.stdout)
    assert others == [None, None]
    assert [place["model"] for place in found["networks"]] == ["a", "b"]
    assert found["layer"] in NET.layers
    assert len(found["seconds"]) == len(found["channels"])
