"""Two methods at the same architecture, dataset and ratio, on the same device in the same way: a pair.

Equal parameters is what the thesis compares; equal MACs is equal work. Rounding widths to multiples of 8
moves latency by itself, so the thesis' comparison has two baselines, uniform as it comes and uniform in
multiples of 8; otherwise aligned networks are compared with equally aligned ones.
"""

from typing import Any, NamedTuple

import pandas as pd

from orchestrate.analysis import memory, statistics
from orchestrate.analysis.table import CONFIGURATION, MEASURED, STAND_IN, by_process

KEY = ["architecture", "dataset", "ratio", "ratio_of", *CONFIGURATION]
PARAMETERS, MACS = ("params", "width"), ("macs",)
LATENCY, MEMORY = ("latency",), ("memory",)  # at the same prediction of a device's profile
PLAIN, ROUNDED = 1, 8  # widths are multiples of


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


def of(table: pd.DataFrame, comparison: Comparison) -> pd.DataFrame:
    """Return one row per pair: KEY, models, fit, method / baseline of every figure; empty where none pairs.

    A pair of networks (their width vectors) counts once, however many targets or experiments lead to it.
    """
    wanted = table[table["ratio_of"].isin(comparison.ratio_of)]
    above = _side(wanted, comparison.method, comparison.align)
    below = _side(wanted, comparison.baseline, comparison.baseline_align)
    key = KEY if comparison.align else [*KEY, "align"]
    both = above.merge(below, on=key, suffixes=("", "_base"), validate="many_to_many")
    if both.empty:
        return pd.DataFrame()
    known = (both["widths"].str.len() > 0) & (both["widths_base"].str.len() > 0)
    networks = ["architecture", "dataset", "widths", "widths_base", *CONFIGURATION]
    again = both.duplicated(networks) & known
    return _ratios(both[~again].reset_index(drop=True))


def _side(table: pd.DataFrame, method: str, align: int | None) -> pd.DataFrame:
    aligned = table["align"] == align if align else table["align"] > PLAIN
    return table[(table["method"] == method) & aligned]


def _ratios(both: pd.DataFrame) -> pd.DataFrame:
    """The columns of `of`. Latency has an interval of its own: over the processes of both jobs."""
    found = {key: both[key] for key in [*KEY, "align", "model"]} | {"baseline": both["model_base"]}
    sides = [both[name] for name in ("fit_quality", "fit_quality_base")]
    found["fit_quality"] = sides[0].where((sides[0] == STAND_IN) | (sides[1] != STAND_IN), STAND_IN)
    ratio = {"accuracy": _accuracy(both, found), **{name: _ratio(both, name) for name in RATIOS}}
    above, below = (by_process([job.p50s for job in both[side]]) for side in ("source", "source_base"))
    for end, values in zip(("", "_low", "_high"), statistics.of_ratio_rows(above, below), strict=True):
        found[f"latency_ratio{end}"] = pd.Series(values)
    found |= {f"{name}_ratio": values for name, values in ratio.items()}
    for name in memory.DEFINITIONS:
        found[f"accuracy_per_mb:{name}"] = ratio["accuracy"] / ratio[name]
        found[f"mb_per_mparam:{name}"] = ratio[name] / ratio["params"]
    return pd.DataFrame(found)


def decided(found: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs that a verdict and a mean rest on: those whose fit is not a stand-in."""
    return found if found.empty else found[found["fit_quality"] != STAND_IN]


def stand_ins(found: pd.DataFrame) -> pd.DataFrame:
    """Return the pairs that are shown beside, and decide nothing."""
    return found if found.empty else found[found["fit_quality"] == STAND_IN]


def _accuracy(both: pd.DataFrame, found: dict[str, Any]) -> "pd.Series[float]":
    """The ratio of two accuracies of one kind; `found` receives the kind.

    Where only one of the two was measured on the device, both count as stated. Where one is stated at the
    best epoch and the other at the last, both count at the best, or there is no ratio.
    """
    measured = [both[f"accuracy_source{side}"] == MEASURED for side in ("", "_base")]
    stated = ~(measured[0] & measured[1])
    mixed = stated & (both["accuracy_epoch"] != both["accuracy_epoch_base"])
    names = [
        both[f"accuracy_source{side}"].where(~stated, both[f"accuracy_stated_source{side}"])
        for side in ("", "_base")
    ]
    ratio = _ratio(both, "accuracy").where(~stated, _ratio(both, "accuracy_stated"))
    ratio = ratio.where(~mixed, _ratio(both, "accuracy_best"))
    told = names[0].where(names[0] == names[1], names[0] + " / " + names[1])
    epoch = both["accuracy_epoch"].where(~mixed, "best")
    told = told.where(~stated | (epoch == ""), told + " (" + epoch + " epoch)")
    found["accuracy_from"] = told.where(ratio.notna(), "")
    found["epochs_differ"] = mixed & ratio.isna() & _ratio(both, "accuracy").notna()
    return ratio


def _ratio(both: pd.DataFrame, name: str) -> "pd.Series[float]":
    """NaN unless both figures are known and positive: a ratio of a negative growth of memory says nothing."""
    above, below = both[name].astype(float), both[f"{name}_base"].astype(float)
    return (above / below).where((above > 0) & (below > 0))


def column(quantity: str, definition: str = memory.PROCESS) -> str:
    """The column of a pair table that holds `quantity`; those about memory under `definition`."""
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
    found: pd.DataFrame, quantity: str, definition: str = memory.PROCESS, level: float = statistics.LEVEL
) -> statistics.Estimate:
    """Return the geometric mean of a quantity's ratio over `found`; pairs that lack it do not count."""
    return means(found, [column(quantity, definition)], level)[0]


def means(
    found: pd.DataFrame, columns: list[str], level: float = statistics.LEVEL
) -> list[statistics.Estimate]:
    """Return the same for several columns at once; intervals over architectures."""
    if found.empty:
        return [statistics.NOTHING] * len(columns)
    values, groups = found[columns].to_numpy(float), found["architecture"].tolist()
    return statistics.of_columns(values, groups, level)


def independent(found: pd.DataFrame, quantity: str) -> statistics.Estimate:
    """Return the mean as it would be if pairs of one architecture did not resemble each other."""
    return statistics.NOTHING if found.empty else statistics.of_pairs(found[column(quantity)])
