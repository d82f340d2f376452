"""Figures of a tuning: ratios that a busy machine does not move, and what a profile keeps of a record."""

import math
import random

import pytest

from orchestrate.analysis import setups, turns
from orchestrate.execution.tune import fit_to_use, is_doubtful, latest

RUNGS = [
    {"process": 0, "rung": "start", "rss": 10_000_000, "uss": 6_000_000},
    {"process": 0, "rung": "device_initialised", "rss": 50_000_000, "peak_rss": 50_000_000},
    {"process": 0, "rung": "steady_trimmed", "rss": 60_000_000, "peak_rss": 70_000_000},
]


def record(pairs, **changes):
    model = {"architecture": "vgg11", "dataset": "cifar10", "part": "conv3", "tuned_widths": [64, 65]}
    return {
        "device": "board",
        "status": "ok",
        "job": {"model": model, "backend": "onnxruntime", "precision": "fp32", "threads": 1},
        "validity": {"reasons": []},
        "latency": {"processes": [{"turns": pairs}]},
        "memory": {"rungs": RUNGS},
        "environment": {"versions": {"onnxruntime": "1.2"}, "cpu": {"identity": {"model name": "A CPU"}}},
        **changes,
    }


def busy(ratio: float, seed: int, share: float) -> list[tuple[int, int]]:
    """Turns, of which a share is slowed by other work that lasts for some turns, the model's more."""
    rng, found, slowed = random.Random(seed), [], False
    for _ in range(100):
        slowed = slowed if rng.random() < 0.9 else rng.random() < share
        own, other = (rng.lognormvariate(0, 0.01) for _ in range(2))
        found.append(
            (int(3e5 * ratio * own * (1.52 if slowed else 1)), int(3e5 * other * (1.5 if slowed else 1)))
        )
    return found


@pytest.mark.parametrize("share", [0, 0.3, 0.7, 1])
def test_other_work_does_not_move_a_ratio(share: float) -> None:
    for seed in range(20):
        assert turns.ratio(record(busy(0.5, seed, share))) == pytest.approx(0.5, rel=0.03)


def test_of_several_processes_the_middle_one_counts() -> None:
    parts = [{"turns": [(n, 100)] * 10} for n in (50, 60, 400)]
    assert math.isclose(turns.ratio(record([], latency={"processes": parts})), 0.6)


def test_what_is_measured_again_replaces_what_was_measured_before() -> None:
    def of(part: str, ratio: float) -> dict:
        kept = turns.measurement(record([(int(100 * ratio), 100)] * 10))
        return {**kept, "part": part}

    found = latest([of("conv1", 1.5), of("conv2", 2.0), of("conv1", 1.0)])
    assert [(m["part"], round(m["ratio"], 9)) for m in found] == [("conv1", 1.0), ("conv2", 2.0)]


def test_turns_that_disagree_make_a_ratio_doubtful() -> None:
    rng = random.Random(1)
    torn = [(int(3e5 * rng.choice((1, 2))), 300_000) for _ in range(100)]
    assert turns.doubt(record(busy(1, 1, 0))) < 0.005
    assert turns.doubt(record(torn)) > 0.05
    there = record(torn)["environment"]
    assert is_doubtful(record(torn))
    assert not is_doubtful(record(torn, environment={**there, "emulated": "qemu"}))  # where all disagree


def test_a_reference_takes_as_long_as_undisturbed_and_each_architecture_has_its_own() -> None:
    quiet, slow = record(busy(1, 1, 0)), record(busy(1, 1, 1))
    other = record([(50, 100_000)] * 10)
    other["job"]["model"] = {**other["job"]["model"], "architecture": "resnet50"}
    found = turns.reference_seconds([slow, quiet, other])
    assert found == {"vgg11": pytest.approx(3e-4, rel=0.03), "resnet50": pytest.approx(1e-4)}


LAYERS = [
    {"name": "v3", "operator": "Conv", "seconds": 2e-5, "calls": 1, "macs": 900, "bytes": 80},
    {"name": "r", "operator": "ReorderOutput", "seconds": 1e-6, "calls": 1, "macs": None, "bytes": 40},
]


KEPT = [["Conv", 900, 80, 2e-5], ["ReorderOutput", None, 40, 1e-6]]


@pytest.mark.parametrize(
    ("profile", "kept"),
    [
        ({"layers": LAYERS, "others": None, "error": None}, KEPT),
        ({"layers": LAYERS, "others": {"count": 1, "seconds": 1.0}, "error": None}, None),
        ({"layers": [], "error": {"kind": "no_profiler", "message": "", "advice": ""}}, None),
        (None, None),
    ],
)  # fmt: skip
def test_a_tuning_keeps_the_layers_of_a_profile_that_is_whole(profile, kept) -> None:
    assert turns.measurement(record([(50, 100)] * 10, profile=profile))["layers"] == kept


def test_a_profile_keeps_ratio_widths_and_the_memory_that_the_report_shows() -> None:
    kept = turns.measurement(record([(50, 100)] * 10))
    assert kept == {
        "architecture": "vgg11", "dataset": "cifar10", "part": "conv3", "widths": [64, 65],
        "ratio": pytest.approx(0.5), "layers": None,
        "memory": {"process": 56_000_000, "model": 10_000_000, "peak": 70_000_000},
    }  # fmt: skip


def test_the_environment_names_library_version_and_cpu() -> None:
    found = setups.environment(record([]))
    assert (found["version"], found["cpu"], found["threads"]) == ("1.2", "A CPU", 1)


@pytest.mark.parametrize(
    ("changes", "usable"),
    [
        ({}, True),
        ({"validity": {"reasons": [{"code": "other_load"}]}}, True),
        ({"validity": {"reasons": [{"code": "emulated_cpu"}]}}, True),  # the profile is marked instead
        ({"validity": {"reasons": [{"code": "fake_backend"}]}}, False),
        ({"status": "failed"}, False),
        ({"latency": {"processes": []}}, False),
    ],
)
def test_what_a_tuning_uses(changes: dict, usable: bool) -> None:
    assert fit_to_use(record([(50, 100)] * 10, **changes)) is usable


def test_a_process_s_level_is_the_mean_of_its_turns_without_the_farthest() -> None:
    steady = [(4_000_000, 1_000_000)] * 19
    strange = [(80_000_000, 1_000)]
    first, second = turns.levels(
        record(steady) | {"latency": {"processes": [{"turns": steady + strange}, {"turns": steady[:5]}]}}
    )
    assert first == pytest.approx((4e-3, 1e-3))
    assert second == pytest.approx((4e-3, 1e-3))
    slow = [(6_000_000, 1_500_000)] * 10
    [(model, own)] = turns.levels(record(steady[:10] + slow))
    assert (model, own) == pytest.approx((5e-3, 1.25e-3), rel=0.02)


def test_the_reference_is_timed_undisturbed_and_the_model_as_disturbed_as_it_was() -> None:
    calm, busy_ones = [(4_000_000, 1_000_000)] * 5, [(6_000_000, 1_500_000)] * 15
    both = {"latency": {"processes": [{"turns": calm + busy_ones}, {"turns": busy_ones}]}}
    assert turns.undisturbed(record([]) | both) == pytest.approx(1e-3)
    assert turns.p50(record([]) | both) == pytest.approx(6e-3)
