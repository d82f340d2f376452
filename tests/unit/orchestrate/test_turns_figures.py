"""Figures of a tuning: ratios that a busy machine does not move, and what a profile keeps of a record."""

import math
import random

import pytest

from orchestrate.analysis import turns
from orchestrate.execution.tune import fit_to_use

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
    """Turns of which a share is slowed, the reference's by half and the model's by a fifth."""
    rng, found = random.Random(seed), []
    for _ in range(100):
        own, other = (rng.random() < share for _ in range(2))
        noise = [rng.lognormvariate(0, 0.01) for _ in range(2)]
        found.append((int(3e5 * ratio * noise[0] * (1 + 0.2 * own)), int(3e5 * noise[1] * (1 + 0.5 * other))))
    return found


@pytest.mark.parametrize("share", [0, 0.3, 0.7])
def test_other_work_does_not_move_a_ratio(share: float) -> None:
    for seed in range(20):
        assert turns.ratio(record(busy(0.5, seed, share))) == pytest.approx(0.5, rel=0.02)


def test_of_several_processes_the_middle_one_counts() -> None:
    parts = [{"turns": [(n, 100)] * 10} for n in (50, 60, 400)]
    assert math.isclose(turns.ratio(record([], latency={"processes": parts})), 0.6)


def test_a_disturbed_measurement_shows_in_its_reference() -> None:
    quiet, slow = record(busy(1, 1, 0)), record(busy(1, 1, 1))
    assert turns.own_reference(slow) > 1.4 * turns.own_reference(quiet)
    assert turns.reference_seconds([slow, quiet]) == pytest.approx(3e-4, rel=0.03)


def test_a_profile_keeps_ratio_widths_and_the_memory_that_the_report_shows() -> None:
    kept = turns.measurement(record([(50, 100)] * 10))
    assert kept == {
        "architecture": "vgg11", "dataset": "cifar10", "part": "conv3", "widths": [64, 65], "ratio": 0.5,
        "memory": {"process": 56_000_000, "model": 10_000_000, "peak": 70_000_000},
    }  # fmt: skip


def test_the_environment_names_library_version_and_cpu() -> None:
    found = turns.environment(record([]))
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
