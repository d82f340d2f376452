"""A short seeded run of the fuzzer: nothing that a stranger sends ends otherwise than in a typed error.

`make fuzz` runs the same for ten minutes.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz import run
from tests.fuzz.targets import TARGETS
from tests.matrix import Part

MATRIX = Part("hostile", "fuzz")
INPUTS = 40  # of each target


@pytest.fixture(scope="module", autouse=True)
def _matrix():
    yield
    MATRIX.write()


@pytest.mark.parametrize("target", TARGETS)
def test_spoilt_input_is_refused_in_words_of_ours(target: str) -> None:
    tally = run.Tally()

    @settings(max_examples=INPUTS, deadline=None, derandomize=True, database=None)
    @given(st.integers(0, 2**62))
    def inputs(seed: int) -> None:
        run.one(target, seed, tally)

    inputs()
    got = tally.untyped or f"{tally.inputs[target]} inputs, {tally.refused[target]} refused"
    MATRIX.add(f"spoilt input: {target}", "no untyped exception", got, not tally.untyped)


def test_the_fuzzer_notices_an_untyped_exception_and_can_repeat_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def faulty(rng) -> None:
        if rng.random() < 0.5:
            raise KeyError("State")

    monkeypatch.setitem(TARGETS, "faulty", faulty)
    tallies = [run.Tally(), run.Tally()]
    for tally in tallies:
        for seed in range(20):
            run.one("faulty", seed, tally)
    assert tallies[0].untyped == tallies[1].untyped != {}
    assert run.summary(tallies[0], 1.0)["untyped_exceptions"] == sum(
        each["times"] for each in tallies[0].untyped.values()
    )
