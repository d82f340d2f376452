"""How far a profile's predictions were from what was measured, architecture by architecture."""

import numpy as np

from orchestrate.analysis.frame import Frame
from orchestrate.analysis.table import CONFIGURATION

WITHIN = 0.1  # relative: the error that the cost model is judged by
KEYS = [*CONFIGURATION, "profile", "architecture"]
COLUMNS = [*KEYS, "median_error", "within", "inside", "networks"]


def by_architecture(predicted: Frame) -> Frame:
    """Return a row per configuration, profile and architecture of `predicted`, one row of which is a network.

    median_error: median of |predicted / measured - 1| of the latency; within: share of networks whose error
    is at most WITHIN; inside: share whose measured latency lies in the 95 % prediction interval.
    """
    rows = [
        {**dict(zip(KEYS, key, strict=True)), **_figures(group)}
        for key, group in predicted.groups(KEYS).items()
    ]
    return Frame.of_rows(rows, COLUMNS)


def _figures(group: Frame) -> dict[str, float]:
    error, latency = np.abs(group["error"]), group["latency"]
    inside = (group["predicted_low"] <= latency) & (latency <= group["predicted_high"])
    return {
        "median_error": float(np.median(error)),
        "within": float(np.mean(error <= WITHIN)),
        "inside": float(np.mean(inside)),
        "networks": len(group),
    }
