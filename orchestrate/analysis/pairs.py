"""Two methods at the same architecture, dataset and ratio, on the same device in the same way: a pair.

Three comparisons answer three questions. Equal parameters: what the thesis compares. Equal MACs: equal work.
Aligned: the same shape with channel counts that the hardware likes. Equal parameters is not equal work.
"""

from collections.abc import Hashable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from orchestrate.analysis import intervals, memory
from orchestrate.analysis.table import CONFIGURATION

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


def pairs(
    table: pd.DataFrame, method: str, baseline: str, ratio_of: tuple[str, ...] = PARAMETERS
) -> pd.DataFrame:
    """One row a pair: KEY, `align`, and `method` / `baseline` of every figure.

    Empty where nothing pairs.
    """
    wanted = table[table["ratio_of"].isin(ratio_of)]
    above, below = (wanted[wanted["method"] == name] for name in (method, baseline))
    both = above.merge(below, on=KEY, suffixes=("", "_base"), validate="many_to_many")
    return pd.DataFrame([_pair(row) for row in both.to_dict("records")])


def _pair(both: dict[Hashable, Any]) -> dict[Hashable, Any]:
    """Ratios of one pair. Latency has an interval of its own: over the processes of both jobs."""
    ratio = {
        name: _ratio(both, name)
        for name in ("latency", "accuracy", "params", "macs", "energy", *memory.DEFINITIONS)
    }
    latency = intervals.of_ratio(both["source"].p50s, both["source_base"].p50s)
    found: dict[Hashable, Any] = {key: both[key] for key in KEY}
    found |= {"align": both["align"], "model": both["model"], "baseline": both["model_base"]}
    found |= {"latency_ratio_low": latency.low, "latency_ratio_high": latency.high}
    found |= {f"{name}_ratio": value for name, value in ratio.items()}
    found["latency_ratio"] = latency.value
    for name in memory.DEFINITIONS:
        found[f"accuracy_per_mb:{name}"] = ratio["accuracy"] / ratio[name]
        found[f"mb_per_mparam:{name}"] = ratio[name] / ratio["params"]
    return found


def _ratio(both: dict[Hashable, Any], name: str) -> float:
    """NaN unless both figures are known and positive: a ratio of a negative growth of memory says nothing."""
    above, below = float(both[name]), float(both[f"{name}_base"])
    return above / below if above > 0 and below > 0 else np.nan


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
    found: pd.DataFrame, quantity: str, definition: str = memory.PROCESS, level: float = intervals.LEVEL
) -> intervals.Estimate:
    """Geometric mean of a quantity's ratio over pairs; pairs that lack it do not count."""
    name = column(quantity, definition)
    if found.empty or name not in found:
        return intervals.NOTHING
    return intervals.of_pairs(found[name].dropna().to_numpy(), level)
