"""A claim about the spread counts how far two networks of a pair are apart, whichever of them is larger."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.manifests import reader
from orchestrate.analysis import claim_file, claims, memory, pairs
from orchestrate.analysis.claims import Claim
from orchestrate.analysis.frame import Frame

QUANTITIES = st.sampled_from(["latency", "memory", "accuracy"])


def claim(quantity: str, statistic: str = "spread") -> Claim:
    return Claim("c", "A claim.", "cpu", quantity, "neuralscale", "uniform", ("params",), 1.1, 1.1, np.inf,
                 statistic=statistic)  # fmt: skip


def found(ratios: list[float]) -> Frame:
    names = ["latency_ratio", "accuracy_ratio", *(f"{key}_ratio" for key in memory.DEFINITIONS)]
    architectures = [f"a{n}" for n in range(len(ratios))]
    return Frame({"architecture": architectures, **dict.fromkeys(names, ratios)})


@given(QUANTITIES, st.lists(st.floats(0.01, 100), min_size=1, max_size=8))
def test_a_spread_is_the_ratio_or_its_inverse_and_never_below_one(quantity: str, ratios: list[float]) -> None:
    column = pairs.column(quantity)
    spread = claims.stated(claim(quantity), found(ratios))[column]
    inverse = claims.stated(claim(quantity), found([1 / ratio for ratio in ratios]))[column]
    assert spread.tolist() == pytest.approx([max(ratio, 1 / ratio) for ratio in ratios])
    assert inverse.tolist() == pytest.approx(spread.tolist())


def test_two_methods_that_win_in_turn_have_no_ratio_but_a_spread() -> None:
    turns = found([2.0, 0.5, 2.0, 0.5])
    assert pairs.mean(claims.stated(claim("memory", "ratio"), turns), "memory").value == pytest.approx(1)
    for definition in memory.DEFINITIONS:
        mean = pairs.mean(claims.stated(claim("memory"), turns), "memory", definition)
        assert mean.value == pytest.approx(2), definition


def test_a_pair_without_a_figure_has_no_spread() -> None:
    spread = claims.stated(claim("latency"), found([2.0, np.nan]))["latency_ratio"]
    assert np.isnan(spread).tolist() == [False, True]


def test_a_spread_that_could_never_hold_is_refused() -> None:
    text = (
        "name: mine\nclaims:\n"
        "  - {id: a, text: b, processor: cpu, quantity: latency, statistic: spread, method: neuralscale,\n"
        "     claimed: 0.5, holds_to: 0.9}\n"
    )
    with pytest.raises(reader.ManifestError, match="a spread is never below 1"):
        reader.parse(text, claim_file.ClaimsFile)
