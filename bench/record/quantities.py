"""Numbers as people write them, for both programs: `64MB`, `20ms`, `70%`, `30M`."""

import re
from typing import Dict, NamedTuple


class Kind(NamedTuple):
    """What is meant: its units as factors to the base unit, and an example for messages."""

    name: str
    units: Dict[str, float]
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
COUNT = Kind("a count", {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9}, "30M")


def parse(text: str, kind: Kind, option: str) -> float:
    """Return `text` in the base unit of `kind`, above zero.

    ValueError, in one line, names the option and what is allowed; a number without its unit is refused.
    """
    found = re.match(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+) ?([^\s0-9]*)\Z", text.strip())
    known = ", ".join(unit for unit in kind.units if unit)
    if not found:
        raise ValueError(f"{option} {text!r}: {kind.name} is wanted, such as {kind.example} (units: {known})")
    number, unit = found.groups()
    if unit not in kind.units:
        problem = f"unknown unit {unit!r}" if unit else "a unit is missing"
        raise ValueError(f"{option} {text!r}: {problem}; such as {kind.example} (units: {known})")
    value = float(number) * kind.units[unit]
    if value <= 0 or (kind is PERCENT and value > 100):
        raise ValueError(f"{option} {text!r}: must be above 0" + (", at most 100" if kind is PERCENT else ""))
    return value


def counted(count: int, what: str) -> str:
    """Return `1 model`, `3 models`, `2 processes`, `2 accuracies`."""
    plural = what + ("es" if what.endswith(("ss", "search")) else "s")
    plural = what[:-1] + "ies" if what.endswith("cy") else plural
    return "{} {}".format(count, what if count == 1 else plural)
