"""A count with its noun, as every line for people has it."""

import pytest

from bench.record.quantities import counted


@pytest.mark.parametrize(
    ("count", "noun", "text"),
    [
        (1, "model", "1 model"),
        (0, "model", "0 models"),
        (2, "fresh process", "2 fresh processes"),
        (1, "process", "1 process"),
        (2, "search", "2 searches"),
        (3, "epoch", "3 epochs"),
    ],
)
def test_one_is_singular_and_all_others_are_plural(count: int, noun: str, text: str) -> None:
    assert counted(count, noun) == text
