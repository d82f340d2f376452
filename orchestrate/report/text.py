"""How figures, intervals and words appear in the report; numbers by `orchestrate.quantities.number`."""

import math
import re

from orchestrate.analysis.configuration import configuration as configuration
from orchestrate.analysis.configuration import running as running
from orchestrate.analysis.statistics import Estimate
from orchestrate.quantities import MISSING as MISSING
from orchestrate.quantities import number as number

_LATEX = re.compile(r"[\\~^×–→≥&%$#_{}]")
_MARKDOWN = re.compile(r"([\\|`*_<>\[\]])")


def ratio(estimate: Estimate) -> str:
    """Return `2.57× (2.51 to 2.64)`."""
    if not math.isfinite(estimate.value):
        return MISSING
    return f"{number(estimate.value)}×{interval(estimate)}"


def interval(estimate: Estimate) -> str:
    """Return ` (2.51 to 2.64)`, or nothing where there is no interval."""
    return f" ({number(estimate.low)} to {number(estimate.high)})" if estimate.known else ""


def latex(text: str) -> str:
    """Return `text` with what TeX would take for itself escaped."""
    special = {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "×": r"$\times$",
        "–": "--",
        "→": r"$\to$",
        "≥": r"$\geq$",
    }
    return _LATEX.sub(lambda found: special.get(found[0], "\\" + found[0]), text)


def markdown(text: str) -> str:
    """Return `text` that cannot end a table cell or start markup."""
    return _MARKDOWN.sub(r"\\\1", text).replace("\n", " ")
