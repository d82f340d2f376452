"""The fast decoder of samples gives what `bench.record.samples` gives, and refuses what that refuses."""

import base64
import zlib
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.record import samples
from orchestrate.analysis import samples as fast
from tests import synthetic


@given(st.lists(st.integers(min_value=-(2**61), max_value=2**61), max_size=60))
def test_decoded_samples_are_those_of_the_records_own_codec(nanoseconds: list[int]) -> None:
    packed = samples.encode(nanoseconds)
    assert fast.seconds(packed).tolist() == pytest.approx(samples.seconds(packed), rel=1e-12, abs=1e-12)


@given(st.lists(st.lists(st.integers(min_value=-(2**61), max_value=2**61), max_size=9), max_size=9))
def test_many_series_decoded_together_are_those_decoded_alone(series: list[list[int]]) -> None:
    held = [samples.encode(each) for each in series]
    together = fast.several([fast.packed(each) for each in held])
    assert [each.tolist() for each in together] == [fast.seconds(each).tolist() for each in held]


@given(st.lists(st.integers(min_value=0, max_value=10**12), min_size=1, max_size=60))
def test_the_synthetic_generator_encodes_as_the_records_do(nanoseconds: list[int]) -> None:
    made = synthetic.series(np.array(nanoseconds))
    assert samples.decode(made) == nanoseconds


@pytest.mark.parametrize(
    "nothing", [None, {"n": 0, "unit": "ns", "encoding": "delta-zlib-base64", "data": ""}]
)
def test_a_missing_series_is_empty(nothing: dict | None) -> None:
    assert len(fast.seconds(nothing)) == 0


def packed(raw: bytes, n: int = 1) -> dict:
    data = base64.b64encode(zlib.compress(raw)).decode()
    return {"n": n, "unit": "ns", "encoding": "delta-zlib-base64", "data": data}


@pytest.mark.parametrize(
    ("damaged", "told"),
    [
        ({**packed(b"\x02"), "encoding": "gzip"}, "encoding 'gzip', known is"),
        ({**packed(b"\x02"), "unit": "us"}, "unit 'us', known is"),
        ({**packed(b"\x02"), "data": "***"}, "is damaged"),
        ({**packed(b"\x02"), "data": base64.b64encode(b"not deflated").decode()}, "is damaged"),
        (packed(b"\x82"), "holds 0 samples"),
        (packed(b"\x02\x82"), "ends inside a value"),
        (packed(b"\x80" * 10 + b"\x01\x02", n=2), "longer than 64 bits"),
        (packed(b"\xff" * 9 + b"\x01"), "not a duration"),
        (lambda: packed(bytes(50_000_000)), "states n = 1"),  # in the test: every worker collects
        ({**packed(b"\x02"), "n": "1"}, "allowed is 0 to"),
        (packed(b"\x02", n=2), "states n = 2 but holds 1"),
    ],
)
def test_damaged_samples_are_told_in_one_line(damaged: dict | Callable[[], dict], told: str) -> None:
    damaged = damaged() if callable(damaged) else damaged
    with pytest.raises(ValueError, match=told) as error:
        fast.seconds(damaged)
    with pytest.raises(ValueError, match="series"):
        samples.decode(damaged)
    assert "\n" not in str(error.value)
