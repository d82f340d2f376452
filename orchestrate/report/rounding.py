"""Many numbers as text, with as many significant digits as asked for."""

import msgspec
import numpy as np
from numpy.typing import NDArray

POWERS = np.array([float(f"1e{exponent}") for exponent in range(309)])  # 10.0**n is not always the nearest


def as_json(values: NDArray[np.float64], digits: int) -> str:
    """Return a list of numbers, or of rows of numbers; null for what is not known.

    digits: at most 15. In half the time that formatting each with `%g` takes.
    """
    text = msgspec.json.encode(rounded(values, digits).tolist()).decode()
    return text.replace(".0,", ",").replace(".0]", "]")


def rounded(values: NDArray[np.float64], digits: int) -> NDArray[np.float64]:
    """Return `values` to significant digits; what is between 1e-13 and 1e21 is written with no more."""
    with np.errstate(all="ignore"):  # of 0, of what is not known, and of what is too small for a power
        size = np.nan_to_num(np.floor(np.log10(np.abs(values))), posinf=0, neginf=0).astype(int)
        places = digits - 1 - size
        power = POWERS[np.minimum(np.abs(places), len(POWERS) - 1)]
        found: NDArray[np.float64] = np.where(
            places < 0, np.round(values / power) * power, np.round(values * power) / power
        )
    return found
