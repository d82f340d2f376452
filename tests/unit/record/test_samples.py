"""The codec of sample series: what goes in comes out, in little room, and nonsense is refused."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.record import samples

durations = st.integers(min_value=-(2**62) + 1, max_value=2**62 - 1)


@given(st.lists(durations, max_size=300))
def test_every_series_of_integers_survives(values: list[int]) -> None:
    assert samples.decode(samples.encode(values)) == values


def test_seconds_are_nanoseconds_scaled() -> None:
    assert samples.seconds(samples.encode([1_500_000_000, 2])) == [1.5, 2e-9]


def test_24576_noisy_samples_take_under_90_kilobytes() -> None:
    noise = random.Random(1)
    values = [int(noise.gauss(2e6, 5e4)) for _ in range(24576)]
    assert len(samples.encode(values)["data"]) < 90_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": "%%%"}, "damaged"),
        ({"data": "aGVsbG8="}, "damaged"),
        ({"data": 7}, "not an object"),
        ({"n": 3}, "states n = 3 but holds 2"),
        ({"n": 1}, "states n = 1"),
        ({"n": -1}, "allowed is 0 to"),
        ({"n": True}, "allowed is 0 to"),
        ({"n": 10**9}, "allowed is 0 to"),
        ({"unit": "ms"}, "unit 'ms', known is 'ns'"),
        ({"encoding": "raw"}, "encoding 'raw'"),
    ],
)
def test_a_series_that_encode_cannot_have_made_is_refused_in_one_line(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        samples.decode({**samples.encode([5, 6]), **change})
    assert "\n" not in str(caught.value)


def test_a_zip_bomb_is_not_unpacked() -> None:
    import base64
    import zlib

    bomb = base64.b64encode(zlib.compress(bytes(50_000_000))).decode()
    with pytest.raises(ValueError, match="states n = 10"):
        samples.decode({**samples.encode([1]), "n": 10, "data": bomb})


@given(st.binary(max_size=200))
def test_random_bytes_never_do_more_than_raise_value_error(data: bytes) -> None:
    import base64
    import contextlib
    import zlib

    for raw in (data, zlib.compress(data)):
        with contextlib.suppress(ValueError):
            samples.decode({**samples.encode([1]), "n": 5, "data": base64.b64encode(raw).decode()})
