"""Two methods at the same architecture, dataset and ratio, on the same device in the same way: a pair.

Equal parameters is what the thesis compares; equal MACs is equal work. Rounding widths to multiples of 8
moves latency by itself, so the thesis' comparison has two baselines, uniform as it comes and uniform in
multiples of 8; otherwise aligned networks are compared with equally aligned ones.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrate.analysis import accuracy_ratio, memory, statistics
from orchestrate.analysis.frame import Frame, matches, quotient
from orchestrate.analysis.job import stated_of
from orchestrate.analysis.table import CONFIGURATION, STAND_IN, by_process

Floats = NDArray[np.float64]
Widths = tuple[int, ...]
NETWORK = ["architecture", "dataset", "widths"]
KEY = ["architecture", "dataset", "ratio", "ratio_of", *CONFIGURATION]
PARAMETERS, MACS = ("params", "width"), ("macs",)
LATENCY, MEMORY = ("latency",), ("memory",)  # at the same prediction of a device's profile
PLAIN, ROUNDED = 1, 8  # widths are multiples of
OF_STAND_IN, OF_ONE_NETWORK = "stand-in fit", "one and the same network"  # why a pair decides nothing


class Comparison(NamedTuple):
    """Which models are compared: `method` / `baseline`, at targets in `ratio_of`.

    `align` and `baseline_align`: their widths are multiples of it; None: of anything above 1, equal in both.
    """

    key: str
    label: str
    method: str
    baseline: str
    ratio_of: tuple[str, ...]
    align: int | None = PLAIN
    baseline_align: int | None = PLAIN


COMPARISONS = (
    Comparison("params", "NeuralScale / uniform, equal parameters", "neuralscale", "uniform", PARAMETERS),
    Comparison(
        "rounded",
        "NeuralScale / uniform in multiples of 8, equal parameters",
        "neuralscale",
        "uniform",
        PARAMETERS,
        PLAIN,
        ROUNDED,
    ),
    Comparison(
        "aligned",
        "NeuralScale / uniform, both in multiples, equal parameters",
        "neuralscale",
        "uniform",
        PARAMETERS,
        None,
        None,
    ),
    Comparison("macs", "NeuralScale / uniform, equal MACs", "neuralscale", "uniform", MACS),
    Comparison(
        "rounding",
        "uniform in multiples of 8 / uniform: rounding alone",
        "uniform",
        "uniform",
        PARAMETERS,
        ROUNDED,
        PLAIN,
    ),
    Comparison(
        "alignment",
        "NeuralScale / NeuralScale in multiples of 8: what alignment gives back",
        "neuralscale",
        "neuralscale",
        PARAMETERS,
        PLAIN,
        ROUNDED,
    ),
    *(
        Comparison(
            f"device-{key}-{short}", f"device / {label}, {equal}", "device", method, targets, PLAIN, align
        )
        for key, equal, targets in (
            ("params", "equal parameters", PARAMETERS),
            ("macs", "equal MACs", MACS),
            ("latency", "widths for equal latency", LATENCY),
            ("memory", "widths for equal memory", MEMORY),
        )
        for short, label, method, align in (
            ("uniform", "uniform", "uniform", PLAIN),
            ("uniform8", "uniform in multiples of 8", "uniform", ROUNDED),
            ("neuralscale", "NeuralScale", "neuralscale", PLAIN),
            ("aligned", "NeuralScale in multiples of 8", "neuralscale", ROUNDED),
        )
    ),
)


RATIOS = (
    "params",
    "macs",
    "energy",
    *memory.DEFINITIONS,
)


def of(table: Frame, comparison: Comparison) -> Frame:
    """Return one row per pair: KEY, models, fit, method / baseline of every figure.

    A pair of networks (their width vectors) counts once, however many targets or experiments lead to it.
    """
    above = _side(table, comparison.method, comparison.align, comparison.ratio_of)
    below = _side(table, comparison.baseline, comparison.baseline_align, comparison.ratio_of)
    key = KEY if comparison.align else [*KEY, "align"]
    places = matches(above.keys(key), below.keys(key))
    above, below = (side.take(at) for side, at in zip((above, below), places, strict=True))
    first = _first_of_networks(above, below)
    return _ratios(above.take(first), below.take(first))


def _side(table: Frame, method: str, align: int | None, ratio_of: tuple[str, ...]) -> Frame:
    aligned = table["align"] == align if align else table["align"] > PLAIN
    target = np.logical_or.reduce([table["ratio_of"] == each for each in ratio_of])
    return table.take((table["method"] == method) & aligned & target)


def _first_of_networks(above: Frame, below: Frame) -> list[int]:
    """The positions of the pairs but those whose networks ran in the same way in an earlier one."""
    keys = zip(above.keys([*NETWORK, *CONFIGURATION]), below.keys(["widths"]), strict=True)
    seen: set[Any] = set()
    found = []
    for place, (upper, (lower,)) in enumerate(keys):
        known = upper[len(NETWORK) - 1] and lower
        if not known or (upper, lower) not in seen:
            found.append(place)
        seen.add((upper, lower))
    return found


def _ratios(above: Frame, below: Frame) -> Frame:
    """The columns of `of`. Latency has an interval of its own: over the processes of both jobs.

    accuracy_of: the precision that the accuracies of both are of where it is not the one that ran, else ''.
    """
    found: dict[str, Any] = {key: above[key] for key in [*KEY, "align", "model"]} | {
        "baseline": below["model"]
    }
    found["fit_quality"] = np.where(below["fit_quality"] == STAND_IN, STAND_IN, above["fit_quality"])
    found["left_out"] = _left_out(found["fit_quality"], above["widths"], below["widths"])
    accuracy = accuracy_ratio.compared(above, below)
    found |= {"accuracy_from": accuracy.source, "accuracy_unlike": accuracy.unlike}
    found["accuracy_apart"] = accuracy.within
    found["accuracy_of"] = [
        min(map(stated_of, both)) for both in zip(above["source"], below["source"], strict=True)
    ]
    ratio = {"accuracy": accuracy.ratio} | {name: quotient(above[name], below[name]) for name in RATIOS}
    upper, lower = (by_process([job.p50s for job in side["source"]]) for side in (above, below))
    for end, values in zip(("", "_low", "_high"), statistics.of_ratio_rows(upper, lower), strict=True):
        found[f"latency_ratio{end}"] = values
    found |= {f"{name}_ratio": values for name, values in ratio.items()}
    for name in memory.DEFINITIONS:
        found[f"accuracy_per_mb:{name}"] = ratio["accuracy"] / ratio[name]
        found[f"mb_per_mparam:{name}"] = ratio[name] / ratio["params"]
    return Frame(found)


def _left_out(quality: Iterable[str], upper: Iterable[Widths], lower: Iterable[Widths]) -> list[str]:
    """Why each pair decides nothing, '' where it counts: two runs of one network compare nothing."""
    return [
        OF_ONE_NETWORK if above and above == below else OF_STAND_IN if fit == STAND_IN else ""
        for fit, above, below in zip(quality, upper, lower, strict=True)
    ]


def decided(found: Frame) -> Frame:
    """Return the pairs that a verdict and a mean rest on: of two networks, neither from a stand-in fit."""
    return found.take(found["left_out"] == "")


def left_out(found: Frame, why: str) -> Frame:
    """Return the pairs that are shown beside, and decide nothing, for the reason `why`."""
    return found.take(found["left_out"] == why)


def column(quantity: str, definition: str = memory.PROCESS) -> str:
    """Return the column of a pair table that holds `quantity`; those about memory under `definition`."""
    if quantity in ("accuracy_per_mb", "mb_per_mparam"):
        return f"{quantity}:{definition}"
    return f"{definition}_ratio" if quantity == "memory" else f"{quantity}_ratio"


QUANTITIES = {
    "latency": "latency",
    "accuracy_per_mb": "accuracy per MB of runtime memory",
    "mb_per_mparam": "runtime memory per parameter",
    "memory": "runtime memory",
    "accuracy": "accuracy",
    "energy": "energy per inference",
    "macs": "multiply-accumulates",
    "params": "parameters",
}
OF_MEMORY = ("accuracy_per_mb", "mb_per_mparam", "memory")


def mean(
    found: Frame, quantity: str, definition: str = memory.PROCESS, level: float = statistics.LEVEL
) -> statistics.Estimate:
    """Return the geometric mean of a quantity's ratio over `found`; pairs that lack it do not count."""
    return means(found, [column(quantity, definition)], level)[0]


def means(found: Frame, columns: list[str], level: float = statistics.LEVEL) -> list[statistics.Estimate]:
    """Return `mean` of several columns at once; intervals over architectures."""
    if not len(found):
        return [statistics.NOTHING] * len(columns)
    values = np.stack([found[name] for name in columns], axis=1)
    return statistics.of_columns(values, found["architecture"].tolist(), level)


def independent(found: Frame, quantity: str) -> statistics.Estimate:
    """Return the mean as it would be if pairs of one architecture did not resemble each other."""
    return statistics.of_pairs(found[column(quantity)])
