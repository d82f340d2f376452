"""Numbers, and lists of words, as people write and read them.

Limits come with their unit: `64MB`, `20ms`, `70%`, `5mJ`; a number without one is refused. Figures become
text by `number` only (the page's scripts follow the same rule).
"""

import math

from bench.record import quantities
from bench.record.quantities import ENERGY, MEMORY, PERCENT, SHARE, TIME, Kind, counted
from orchestrate.errors import BadInput

__all__ = [
    "ENERGY",
    "MEMORY",
    "MISSING",
    "PERCENT",
    "SHARE",
    "TIME",
    "Kind",
    "counted",
    "number",
    "optional",
    "parse",
    "size",
    "words",
]


def parse(text: str, kind: Kind, option: str) -> float:
    """Read `text` in the base unit of `kind`, above zero; BadInput names the option and what is allowed."""
    try:
        return quantities.parse(text, kind, option)
    except ValueError as error:
        raise BadInput(str(error)) from None


def optional(text: str | None, kind: Kind, option: str) -> float | None:
    """Do as `parse`; None where nothing was given."""
    return None if text is None else parse(text, kind, option)


def words(option: str, *texts: str | None) -> list[str]:
    """Return the words of each text, which commas separate; None has none. BadInput for an empty word."""
    found = []
    for text in texts:
        if text is not None:
            parts = [word.strip() for word in text.split(",")]
            if not all(parts):
                raise BadInput(f"{option} {text!r}: a value is missing; separate values with one comma")
            found += parts
    return found


def size(count: int) -> str:
    """Return bytes as people read them: `512 MB`, `12.3 GB`."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


MISSING = "–"
KEPT = 6  # significant digits of a figure on the page


def number(value: float | None, digits: int = 3) -> str:
    """Return `value` with `digits` significant digits and no exponent; a dash where it is not known.

    Halves go away from zero. Of more than KEPT digits none decides: the page holds no more, and both agree.
    """
    if value is None or not math.isfinite(value):
        return MISSING
    if value == 0:
        return "0"
    value = _rounded(_rounded(value, KEPT), digits)  # 0.99996 is 1.00, not 1.000
    places = digits - 1 - math.floor(math.log10(abs(value)))
    if places <= 0:
        return f"{round(value, places):,.0f}"
    text = f"{value:.{min(places, 12)}f}"
    return text.rstrip("0").rstrip(".") if abs(value) < 1e-3 else text


def _rounded(value: float, digits: int) -> float:
    """To significant digits, halves away from zero; also what is a half but for a float's own rounding."""
    return float(f"{value * (1 + 1e-9):.{digits}g}")
