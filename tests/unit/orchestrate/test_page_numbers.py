"""Numbers of the page: 6 significant digits, as short as they can be written, null where unknown."""

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from orchestrate.report import page

# Seconds, bytes, ratios and counts are in this range; what is smaller than any of them may have more digits.
FIGURES = st.floats(-1e15, 1e15).filter(lambda value: not value or abs(value) > 1e-15)


@given(st.lists(FIGURES))
def test_a_figure_is_rounded_to_six_digits(values: list[float]) -> None:
    for value, shown in zip(values, json.loads(page.numbers(np.array(values, dtype=float))), strict=True):
        assert shown == float(f"{shown:.6g}")
        assert math.isclose(shown, value, rel_tol=5.0001e-6)


@given(st.lists(st.floats()))
def test_whatever_a_number_is_the_list_is_json(values: list[float]) -> None:
    for value, shown in zip(values, json.loads(page.numbers(np.array(values, dtype=float))), strict=True):
        assert (
            shown is None
            if not math.isfinite(value)
            else math.isclose(shown, value, rel_tol=1e-5, abs_tol=1e-300)
        )


def test_rows_are_lists_and_whole_numbers_have_no_fraction() -> None:
    rows = np.array([[1.0, 0.1234567, math.nan], [-2e6, math.inf, 0.0]])
    assert page.numbers(rows) == "[[1,0.123457,null],[-2000000,null,0]]"
