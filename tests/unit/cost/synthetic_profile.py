"""A profile of a device that does not exist: its times are known sums over kernels, plus a little noise."""

from functools import cache

import numpy as np

from bench.cost import design, memory
from bench.cost.features import amounts
from bench.cost.lowering import Kernel
from bench.cost.observed import OPERATORS, operator_of, work_of
from bench.cost.profile import Fitted, Profile
from bench.zoo import ARCHITECTURES

BLOCK = 8
NOISE = 0.01
REFERENCES = dict.fromkeys(ARCHITECTURES, 1e-3)  # s


def seconds(kernel: Kernel) -> float:
    """The device's time of a kernel: blocked ones are faster per unit of work."""
    work = amounts(kernel, BLOCK)
    rate = 2e-5 if kernel.layout == "blocked" else 6e-5
    return 2e-6 + rate * sum(work[1:])


def true_seconds(item: design.Item) -> float:
    return 5e-6 + sum(map(seconds, design.kernels(item, BLOCK)))


def bytes_of(item: design.Item) -> dict[str, int]:
    operators, output, _ = design.operators(item)
    held = memory.weights(design.kernels(item, BLOCK))
    most = memory.live(operators, output)
    return {"process": 40_000_000 + 2 * held + most, "model": 2 * held + most, "peak": 50_000_000 + 3 * held}


def measurement(item: design.Item, error: float) -> dict:
    ratio = true_seconds(item) / 1e-3 * (1 + error)
    return {**item._asdict(), "widths": list(item.widths), "ratio": ratio, "memory": bytes_of(item)}


@cache
def data() -> dict:
    random = np.random.default_rng(3)
    items = design.parts(70, 1) + design.networks(16, 2)
    return {
        "name": "made-up",
        "environment": {
            "device": "nowhere", "backend": "onnxruntime", "version": "1.2.3", "precision": "fp32",
            "threads": 1, "cpu": "none",
        },
        "reference_seconds": REFERENCES,
        "tuning_seconds": 60,
        "measured": "2026-01-01",
        "orbitbench": "0.1",
        "measurements": [measurement(item, NOISE * random.standard_normal()) for item in items],
    }  # fmt: skip


PROFILER = 4e-6  # what the made-up library's profiler adds to a kernel


def observed(item: design.Item, slowed: float) -> list[list]:
    """The layers that a profiler saw, in an order of its own, `slowed` by other work."""
    kernels = design.kernels(item, BLOCK)
    names = {kind: name for name, kind in OPERATORS.items()}
    rows = [[names[operator_of(k)], *work_of(k), (seconds(k) + PROFILER) * slowed] for k in kernels]
    return [["Flatten", None, 80, 1e-6], *sorted(rows, key=lambda row: row[1:])]


@cache
def told() -> dict:
    """The same with a profiler, whole networks alone; some were slowed while they were profiled."""
    random, found = np.random.default_rng(4), data()
    items = design.networks(24, 5)
    rows = [
        {
            **measurement(item, NOISE * random.standard_normal()),
            "layers": observed(item, random.choice([1, 1, 1, 1.4])),
        }
        for item in items
    ]
    return {**found, "measurements": rows}


@cache
def profile() -> Profile:
    fitted = Fitted(block=BLOCK, stretch=2.0, networks=16, median_error=0.01, within_10=1.0)
    return Profile.model_validate({**data(), "fitted": fitted.model_dump()})
