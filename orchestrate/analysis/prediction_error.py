"""How far a profile's predictions were from what was measured, architecture by architecture."""

import pandas as pd

from orchestrate.analysis.table import CONFIGURATION

WITHIN = 0.1  # relative: the error that the cost model is judged by
KEYS = [*CONFIGURATION, "profile", "architecture"]
COLUMNS = [*KEYS, "median_error", "within", "inside", "networks"]


def by_architecture(predicted: pd.DataFrame) -> pd.DataFrame:
    """Return a row per configuration, profile and architecture of `predicted`, one row of which is a network.

    median_error: median of |predicted / measured - 1| of the latency; within: share of networks whose error
    is at most WITHIN; inside: share whose measured latency lies in the 95 % prediction interval.
    """
    rows = [
        {**dict(zip(KEYS, key, strict=True)), **_figures(group)}
        for key, group in (predicted.groupby(KEYS, sort=False, dropna=False) if len(predicted) else ())
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _figures(group: pd.DataFrame) -> dict[str, float]:
    error = group["error"].abs()
    return {
        "median_error": float(error.median()),
        "within": float((error <= WITHIN).mean()),
        "inside": float(group["latency"].between(group["predicted_low"], group["predicted_high"]).mean()),
        "networks": len(group),
    }
