"""Two methods at the same architecture, dataset and ratio, on the same device in the same way: a pair.

Three comparisons answer three questions. Equal parameters: what the thesis compares. Equal MACs: equal work.
Aligned: the same shape with channel counts that the hardware likes. Equal parameters is not equal work.
"""

from typing import Any, NamedTuple

import pandas as pd

from orchestrate.analysis import memory, statistics
from orchestrate.analysis.table import CONFIGURATION, MEASURED

KEY = ["architecture", "dataset", "ratio", "ratio_of", *CONFIGURATION]
PARAMETERS, MACS = ("params", "width"), ("macs",)


class Comparison(NamedTuple):
    """Which models stand against each other: `method` / `baseline`, at targets in `ratio_of`."""

    key: str
    label: str
    method: str
    baseline: str
    ratio_of: tuple[str, ...]


COMPARISONS = (
    Comparison("params", "NeuralScale / uniform, equal parameters", "neuralscale", "uniform", PARAMETERS),
    Comparison("macs", "NeuralScale / uniform, equal MACs", "neuralscale", "uniform", MACS),
    Comparison("aligned", "aligned / uniform, equal parameters", "aligned", "uniform", PARAMETERS),
    Comparison(
        "alignment", "NeuralScale / aligned: what alignment gives back", "neuralscale", "aligned", PARAMETERS
    ),
)


RATIOS = (
    "params",
    "macs",
    "energy",
    *memory.DEFINITIONS,
)


def pairs(
    table: pd.DataFrame, method: str, baseline: str, ratio_of: tuple[str, ...] = PARAMETERS
) -> pd.DataFrame:
    """One row a pair: KEY, `align`, models, `method` / `baseline` of every figure; empty where none pairs."""
    wanted = table[table["ratio_of"].isin(ratio_of)]
    above, below = (wanted[wanted["method"] == name] for name in (method, baseline))
    both = above.merge(below, on=KEY, suffixes=("", "_base"), validate="many_to_many")
    return _ratios(both) if len(both) else pd.DataFrame()


def _ratios(both: pd.DataFrame) -> pd.DataFrame:
    """The columns of `pairs`. Latency has an interval of its own: over the processes of both jobs."""
    found = {key: both[key] for key in [*KEY, "align", "model"]} | {"baseline": both["model_base"]}
    ratio = {"accuracy": _accuracy(both, found), **{name: _ratio(both, name) for name in RATIOS}}
    jobs = zip(both["source"], both["source_base"], strict=True)
    latency = [statistics.of_ratio(job.p50s, base.p50s) for job, base in jobs]
    for position, end in enumerate(("", "_low", "_high")):
        found[f"latency_ratio{end}"] = pd.Series([estimate[position] for estimate in latency])
    found |= {f"{name}_ratio": values for name, values in ratio.items()}
    for name in memory.DEFINITIONS:
        found[f"accuracy_per_mb:{name}"] = ratio["accuracy"] / ratio[name]
        found[f"mb_per_mparam:{name}"] = ratio[name] / ratio["params"]
    return pd.DataFrame(found)


def _accuracy(both: pd.DataFrame, found: dict[str, Any]) -> "pd.Series[float]":
    """The ratio of two accuracies of one kind; `found` is told which.

    Where only one of the two was measured on the device, both count as the bundle states them.
    """
    measured = [both[f"accuracy_source{side}"] == MEASURED for side in ("", "_base")]
    mixed = measured[0] != measured[1]
    names = [
        both[f"accuracy_source{side}"].where(~mixed, both[f"accuracy_stated_source{side}"])
        for side in ("", "_base")
    ]
    ratio = _ratio(both, "accuracy").where(~mixed, _ratio(both, "accuracy_stated"))
    told = names[0].where(names[0] == names[1], names[0] + " / " + names[1])
    found["accuracy_from"] = told.where(ratio.notna(), "")
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
    """Geometric mean of a quantity's ratio over pairs; pairs that lack it do not count."""
    return means(found, [column(quantity, definition)], level)[0]


def means(
    found: pd.DataFrame, columns: list[str], level: float = statistics.LEVEL
) -> list[statistics.Estimate]:
    """The same for several columns at once."""
    if found.empty:
        return [statistics.NOTHING] * len(columns)
    return statistics.of_columns(found[columns].to_numpy(float), found["architecture"].tolist(), level)
