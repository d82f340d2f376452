"""Numbers of page and tables: rounded, as short as they can be written, null where unknown."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate.report import rounding

# Seconds, bytes, ratios and counts are in this range; what is smaller than any of them may have more digits.
FIGURES = st.floats(-1e15, 1e15).filter(lambda value: not value or abs(value) > 1e-13)


@pytest.mark.parametrize("digits", [6, 9])  # of the page, and of CSV
@given(values=st.lists(FIGURES))
def test_a_figure_is_rounded(digits: int, values: list[float]) -> None:
    for value, shown in zip(values, json.loads(rounding.as_json(np.array(values), digits)), strict=True):
        assert shown == float(f"{shown:.{digits}g}")
        assert math.isclose(shown, value, rel_tol=5.0001 * 10.0**-digits)


@given(st.lists(st.floats()))
def test_whatever_a_number_is_the_list_is_json(values: list[float]) -> None:
    for value, shown in zip(values, json.loads(rounding.as_json(np.array(values), 6)), strict=True):
        known = math.isfinite(value)
        assert math.isclose(shown, value, rel_tol=1e-5, abs_tol=1e-300) if known else shown is None


def test_rows_are_lists_and_whole_numbers_have_no_fraction() -> None:
    rows = np.array([[1.0, 0.1234567, math.nan], [-2e6, math.inf, 0.0]])
    assert rounding.as_json(rows, 6) == "[[1,0.123457,null],[-2000000,null,0]]"
