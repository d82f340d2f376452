"""Where odd widths are dear, the device method's network lies far above the rounded curve's.

MobileNetV2 at 30 % of its latency on a real x86 profile: the rounded curve reaches 9,000 parameters, in
multiples of 8 it reaches 61,000 in the same time. The method once looked too near to find as many.
"""

from functools import cache
from pathlib import Path

import numpy as np

from bench.cost import CostModel, find_profile
from bench.scaling import budgets, device, direction
from bench.scaling.device_prices import DevicePrices
from bench.scaling.fits import load_named
from bench.zoo import architecture, dataset

PROFILE = Path(__file__).parents[2] / "performance" / "costmodel" / "x86.yaml"
NET, CIFAR = architecture("mobilenetv2"), dataset("cifar10")
LINE = direction.of(NET, load_named("mobilenetv2-cifar100"))


@cache
def device_prices() -> DevicePrices:
    return DevicePrices(CostModel(find_profile(str(PROFILE))), NET, CIFAR, extrapolate=True)


def task(unit: int = 1) -> budgets.BudgetTask:
    whole = device_prices().figures(NET.default_widths)["latency"]
    limits = {"latency": 0.3 * whole}
    return budgets.BudgetTask(NET, CIFAR, limits, device_prices().figures, unit, device_prices().look_ahead)


def score(widths: list[int], x: float) -> float:
    departure = float(np.mean((np.log(widths) - LINE.logs(x)) ** 2))
    return direction.worth(NET, CIFAR, LINE.widths(x)) - direction.FAITH * departure


def test_it_scores_more_than_the_curve_in_multiples_of_eight() -> None:
    found = device.best(task(), device_prices(), LINE)
    eights = budgets.largest(task(8), LINE, together=False)
    assert max(task().use(found.widths), task().use(eights)) <= 1
    x = LINE.nearest(eights)[0]
    assert found.score > max(score(eights, x + shift) for shift in np.linspace(-1, 1, 81)) + 0.5
    assert NET.cost(found.widths, CIFAR).params > NET.cost(eights, CIFAR).params
    assert LINE.nearest(found.widths)[1] < LINE.nearest(eights)[1]
