"""Figures become text here and nowhere else in the report (the page's scripts follow the same rule)."""

import math
import re
from collections.abc import Mapping
from typing import Any

from orchestrate.analysis.statistics import Estimate

MISSING = "–"


def number(value: Any, digits: int = 3) -> str:
    """`value` with `digits` significant digits and no exponent; a dash where it is not known."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return MISSING
    if value == 0:
        return "0"
    value = float(f"{value:.{digits}g}")  # 0.99996 is 1.00, not 1.000
    places = digits - 1 - math.floor(math.log10(abs(value)))
    if places <= 0:
        return f"{round(value, places):,.0f}"
    text = f"{value:.{min(places, 12)}f}"
    return text.rstrip("0").rstrip(".") if abs(value) < 1e-3 else text


def ratio(estimate: Estimate) -> str:
    """`2.57× (2.51 to 2.64)`."""
    if not math.isfinite(estimate.value):
        return MISSING
    return f"{number(estimate.value)}×{interval(estimate)}"


def interval(estimate: Estimate) -> str:
    """` (2.51 to 2.64)`, or nothing where there is no interval."""
    return f" ({number(estimate.low)} to {number(estimate.high)})" if estimate.known else ""


def latex(text: str) -> str:
    """`text` with what TeX would take for itself escaped."""
    special = {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "×": r"$\times$",
        "–": "--",
        "→": r"$\to$",
        "≥": r"$\geq$",
    }
    return re.sub(r"[\\~^×–→≥&%$#_{}]", lambda found: special.get(found[0], "\\" + found[0]), text)


def markdown(text: str) -> str:
    """`text` that cannot end a table cell or start markup."""
    return re.sub(r"([\\|`*_<>\[\]])", r"\\\1", text).replace("\n", " ")


def configuration(of: Mapping[Any, Any]) -> str:
    """`tx2, tensorrt fp16, 1 thread`."""
    return f"{of['device']}, {running(of)}"


def running(of: Mapping[Any, Any]) -> str:
    """`tensorrt fp16, 1 thread`."""
    threads = (
        "threads: library's choice"
        if of["threads"] == 0
        else f"{of['threads']} thread{'s' * (of['threads'] != 1)}"
    )
    batch = f", batch {of['batch']}" if of["batch"] != 1 else ""
    return f"{of['backend']} {of['precision']}, {threads}{batch}"
