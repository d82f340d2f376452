"""Numbers as people write and read them.

Limits come with their unit: `64MB`, `20ms`, `70%`, `5mJ`; a number without one is refused. Figures become
text by `number` only (the page's scripts follow the same rule).
"""

import math
import re
from typing import Any, NamedTuple

from orchestrate.errors import BadInput


class Kind(NamedTuple):
    """What is limited: its units as factors to the base unit, and an example for messages."""

    name: str
    units: dict[str, float]
    example: str


MEMORY = Kind(
    "a size",
    {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 2.0**10, "MiB": 2.0**20, "GiB": 2.0**30},
    "64MB",
)
TIME = Kind("a time", {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}, "20ms")
ENERGY = Kind("an energy", {"uJ": 1e-6, "µJ": 1e-6, "mJ": 1e-3, "J": 1.0}, "5mJ")
PERCENT = Kind("a percentage", {"%": 1.0, "": 1.0}, "70%")
SHARE = Kind("a percentage", {"%": 0.01}, "1%")


def counted(count: int, what: str) -> str:
    """`1 model`, `3 models`."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def parse(text: str, kind: Kind, option: str) -> float:
    """`text` in the base unit of `kind`, above zero; BadInput names the option and what is allowed."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) ?([^\s0-9]*)", text.strip())
    known = ", ".join(unit for unit in kind.units if unit)
    if not found:
        raise BadInput(f"{option} {text!r}: {kind.name} is wanted, such as {kind.example} (units: {known})")
    number, unit = found.groups()
    if unit not in kind.units:
        said = f"unknown unit {unit!r}" if unit else "a unit is missing"
        raise BadInput(f"{option} {text!r}: {said}; such as {kind.example} (units: {known})")
    value = float(number) * kind.units[unit]
    if value <= 0 or (kind is PERCENT and value > 100):
        raise BadInput(f"{option} {text!r}: must be above 0" + (", at most 100" if kind is PERCENT else ""))
    return value


def optional(text: str | None, kind: Kind, option: str) -> float | None:
    """Like `parse`; None where nothing was given."""
    return None if text is None else parse(text, kind, option)


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
