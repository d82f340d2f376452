"""A frame is a table by column: kinds of columns, rows in order, groups and matches by key."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate.analysis.frame import Frame, column, matches

NAN = float("nan")
SMALL = Frame(
    {"name": ["b", "a", "b"], "size": [2, 1, 1], "share": [0.5, NAN, 0.25], "widths": [(8,), (), (8,)]}
)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, 2], "i"),
        ([1, 2.5], "f"),
        ([1, None], "f"),
        ([0.5, np.float64(1)], "f"),
        ([np.float64(1), np.float64(2)], "f"),
        ([np.float64(1), None], "f"),
        ([True, False], "b"),
        ([True, 1], "O"),
        (["a", None], "O"),
        ([(1, 2), (3, 4)], "O"),
        ([None, None], "O"),
        ([], "O"),
    ],
)
def test_numbers_are_numbers_and_anything_else_is_kept_as_it_is(values: list, kind: str) -> None:
    made = column(values)
    assert (made.dtype.kind, made.ndim, len(made)) == (kind, 1, len(values))
    if kind == "O":
        assert made.tolist() == values


def test_rows_come_back_in_python_s_own_types() -> None:
    first = SMALL.rows()[0]
    assert first == {"name": "b", "size": 2, "share": 0.5, "widths": (8,)}
    assert [type(value) for value in first.values()] == [str, int, float, tuple]
    assert Frame.of_rows(SMALL.rows()).keys(SMALL.names) == SMALL.keys(SMALL.names)


def test_a_row_without_a_value_has_none_or_nan() -> None:
    made = Frame.of_rows([{"a": 1, "b": "x"}, {"c": 3}], ["a", "b"])
    assert (made.names, made.keys(["a", "b"])) == (("a", "b"), [(1.0, "x"), (None, None)])


def test_rows_of_nothing_have_their_columns() -> None:
    made = Frame.of_rows([], ["a", "b"])
    assert (len(made), made.names, made.rows(), made.groups(["a"])) == (0, ("a", "b"), [], {})
    assert len(Frame.of_rows([])) == len(Frame.stacked([])) == 0


def test_columns_of_several_lengths_are_no_table() -> None:
    with pytest.raises(ValueError, match=r"\[1, 2\]"):
        Frame({"a": [1], "b": [1, 2]})


def test_rows_are_taken_by_place_or_by_mask() -> None:
    assert SMALL.take([2, 0])["share"].tolist() == [0.25, 0.5]
    assert SMALL.take(SMALL["name"] == "b")["size"].tolist() == [2, 1]
    assert len(SMALL.take([])) == 0
    assert SMALL.head(2)["name"].tolist() == ["b", "a"]


def test_groups_keep_the_order_of_their_first_rows_and_nan_is_a_value_like_others() -> None:
    assert {key: len(rows) for key, rows in SMALL.groups(["name"]).items()} == {("b",): 2, ("a",): 1}
    assert list(SMALL.groups(["share"])) == [(0.5,), (None,), (0.25,)]


def test_rows_are_sorted_by_several_columns_with_nan_last() -> None:
    assert SMALL.sorted_by(["name", "size"])["share"].tolist()[1:] == [0.25, 0.5]
    assert SMALL.sorted_by(["share"])["name"].tolist() == ["b", "b", "a"]


def test_text_is_sorted_with_none_last() -> None:
    made = Frame({"name": ["b", None, "a", None], "at": [0, 1, 2, 3]})
    assert made.sorted_by(["name"])["at"].tolist() == [2, 0, 1, 3]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from([1.0, 2.0, NAN]))))
def test_sorting_is_stable(rows: list[tuple[str, float]]) -> None:
    made = Frame({"name": [a for a, _ in rows], "x": [b for _, b in rows], "at": list(range(len(rows)))})
    expected = sorted(range(len(rows)), key=lambda at: (rows[at][0], rows[at][1] != rows[at][1], rows[at][1]))
    if not any(b != b for _, b in rows):
        assert made.sorted_by(["name", "x"])["at"].tolist() == expected
    assert made.sorted_by(["name"])["at"].tolist() == sorted(range(len(rows)), key=lambda at: rows[at][0])


def test_stacked_and_changed_frames_share_nothing_that_changes() -> None:
    twice = Frame.stacked([SMALL, SMALL])
    assert (len(twice), twice["size"].dtype.kind) == (6, "i")
    more = SMALL.having({"double": SMALL["size"] * 2}).without(["widths"])
    assert more.names == ("name", "size", "share", "double")
    assert "double" not in SMALL


@given(st.lists(st.integers(0, 3)), st.lists(st.integers(0, 3)))
def test_matches_are_every_two_equal_keys(left: list[int], right: list[int]) -> None:
    found = matches([(key,) for key in left], [(key,) for key in right])
    expected = [(a, b) for a, x in enumerate(left) for b, y in enumerate(right) if x == y]
    assert list(zip(*found, strict=True)) == expected
