"""A claim about the spread counts how far two networks of a pair are apart, whichever of them is larger."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.manifests import reader
from orchestrate import report
from orchestrate.analysis import claim_file, claims, memory, pairs
from orchestrate.analysis.claims import Claim
from orchestrate.analysis.frame import Frame
from orchestrate.report import terminal, verdict_cards
from tests import synthetic

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


def test_a_spread_has_no_side_of_1_and_its_card_says_what_it_is(tmp_path: Path) -> None:
    """'above 1 under all memory definitions', 'the direction is as claimed': it cannot be otherwise."""
    run = synthetic.write(synthetic.Study(latency=1.05, memory=1.05, samples=20), tmp_path)
    built = report.build([run])
    spreads = [answer for answer in built.answers if answer.claim.spread]
    assert {answer.verdict for answer in spreads} == {claims.FAILS}
    for answer in spreads:
        card = verdict_cards.card(answer)
        assert "the larger divided by the smaller of each pair (neuralscale, uniform), at equal" in card
        assert "above 1" not in card + answer.definitions
        assert "direction" not in card
    of_memory = next(answer for answer in spreads if answer.claim.quantity == "memory")
    assert "memory definitions" in of_memory.definitions
    assert of_memory.definitions in [row["ranking"] for row in built.frames["claims"].rows()]
    assert any(line.endswith(of_memory.definitions) for line in terminal.remarks(built))
    ratio = next(answer for answer in built.answers if answer.claim.id == "cpu-latency")
    assert "<li>neuralscale divided by uniform, at equal parameters</li>" in verdict_cards.card(ratio)


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
