"""Two methods at the same architecture, dataset and ratio, on the same device in the same way: a pair.

Equal parameters is what the thesis compares; equal MACs is equal work. Rounding widths to multiples of 8
moves latency by itself, so the thesis' comparison has two baselines, uniform as it comes and uniform in
multiples of 8; otherwise aligned networks are compared with equally aligned ones.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrate.analysis import memory, statistics
from orchestrate.analysis.frame import Frame, matches
from orchestrate.analysis.table import CONFIGURATION, MEASURED, STAND_IN, by_process

Floats = NDArray[np.float64]
Widths = tuple[int, ...]
NETWORK = ["architecture", "dataset", "widths"]
KEY = ["architecture", "dataset", "ratio", "ratio_of", *CONFIGURATION]
PARAMETERS, MACS = ("params", "width"), ("macs",)
LATENCY, MEMORY = ("latency",), ("memory",)  # at the same prediction of a device's profile
PLAIN, ROUNDED = 1, 8  # widths are multiples of
OF_TWO_EPOCHS = "one accuracy is of the best epoch, the other of the last"
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
    """The columns of `of`. Latency has an interval of its own: over the processes of both jobs."""
    found: dict[str, Any] = {key: above[key] for key in [*KEY, "align", "model"]} | {
        "baseline": below["model"]
    }
    found["fit_quality"] = np.where(below["fit_quality"] == STAND_IN, STAND_IN, above["fit_quality"])
    found["left_out"] = _left_out(found["fit_quality"], above["widths"], below["widths"])
    ratio = {"accuracy": _accuracy(above, below, found)}
    ratio |= {name: _ratio(above, below, name) for name in RATIOS}
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


def _accuracy(above: Frame, below: Frame, found: dict[str, Any]) -> Floats:
    """The ratio of two accuracies of one kind; `found` receives the kind, or why they are not compared.

    Where only one of the two was measured on the device, both count as stated. Where one is stated at the
    best epoch and the other at the last, both count at the best, or there is no ratio. Nor is there one of
    two sources, or of two trainings that were not alike.
    """
    stated = ~((above["accuracy_source"] == MEASURED) & (below["accuracy_source"] == MEASURED))
    mixed = stated & (above["accuracy_epoch"] != below["accuracy_epoch"])
    names = [np.where(stated, side["accuracy_kind"], side["accuracy_source"]) for side in (above, below)]
    recipes = [np.where(stated, side["accuracy_recipe"], side["weights_recipe"]) for side in (above, below)]
    both = np.where(stated, _ratio(above, below, "accuracy_stated"), _ratio(above, below, "accuracy"))
    ratio = np.where(mixed, _ratio(above, below, "accuracy_best"), both)
    why = np.where(mixed & np.isnan(ratio) & ~np.isnan(both), OF_TWO_EPOCHS, "").astype(object)
    unlike = ~np.isnan(both) & ((names[0] != names[1]) | (recipes[0] != recipes[1]))
    for place in np.flatnonzero(unlike):
        why[place] = _unlike(*(side[place] for side in (*names, *recipes)))
    ratio[unlike] = np.nan
    epoch = np.where(mixed, "best", above["accuracy_epoch"])
    source = np.where(stated & (epoch != ""), names[0] + " (" + epoch + " epoch)", names[0])
    found["accuracy_from"] = np.where(np.isnan(ratio), "", source)
    apart = np.fmax(above["accuracy_within"], below["accuracy_within"])
    found["accuracy_within"] = np.where(stated & ~np.isnan(ratio) & (apart > 0), apart, np.nan)
    found["accuracy_unlike"] = why
    return ratio


def _unlike(source: str, other: str, recipe: str, its: str) -> str:
    """Why two accuracies have no ratio: sources, or recipes as `batch 64; epochs 6`."""
    if source != other:
        return f"one accuracy is {source}, the other {other}"
    mine, theirs = (
        ", ".join(each for each in of.split("; ") if each not in than.split("; ")) or "not stated"
        for of, than in ((recipe, its), (its, recipe))
    )
    return f"accuracies of unlike trainings ({mine}; {theirs})"


def _ratio(above: Frame, below: Frame, name: str) -> Floats:
    """NaN unless both figures are known and positive: a negative growth of memory has no ratio."""
    upper, lower = above[name].astype(float), below[name].astype(float)
    known = (upper > 0) & (lower > 0)
    ratio: Floats = np.divide(upper, lower, out=np.full(len(upper), np.nan), where=known)
    return ratio


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
