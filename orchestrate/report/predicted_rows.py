"""Predicted against measured: the networks whose widths were chosen on the profile of their device."""

import math
from typing import Any

from orchestrate.analysis import memory
from orchestrate.analysis.frame import Frame
from orchestrate.analysis.predicted import predicted_of, rows_predicted
from orchestrate.analysis.table import CONFIGURATION

COLUMNS = (
    *("model", "architecture", "method", "align", *CONFIGURATION, "profile"),
    *("predicted", "predicted_low", "predicted_high", "latency", "latency_low", "latency_high", "error"),
    *("predicted_memory", "predicted_memory_low", "predicted_memory_high", "memory", "memory_error"),
)
KEPT = ("model", "architecture", "method", "align", *CONFIGURATION, "latency", "latency_low", "latency_high")


UNKNOWN = dict.fromkeys(("value", "low", "high"), math.nan)  # memory, by a profile that holds none


def frame(table: Frame) -> Frame:
    """Return a row per job that a profile of its own device and runtime predicts; errors as fractions."""
    rows = [_row(row, predicted) for row in rows_predicted(table) if (predicted := predicted_of(row))]
    return Frame.of_rows(rows, COLUMNS)


def _row(row: dict[Any, Any], predicted: dict[str, Any]) -> dict[str, Any]:
    found = {key: row[key] for key in KEPT} | {"profile": predicted["profile"], "memory": row[memory.PROCESS]}
    for name, shown in (("latency", "predicted"), ("memory", "predicted_memory")):
        estimate = predicted[name] or UNKNOWN
        found |= {
            shown: estimate["value"],
            f"{shown}_low": estimate["low"],
            f"{shown}_high": estimate["high"],
        }
    found["error"] = found["predicted"] / row["latency"] - 1
    found["memory_error"] = found["predicted_memory"] / row[memory.PROCESS] - 1
    return found
