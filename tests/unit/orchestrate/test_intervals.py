"""Intervals: the same arithmetic as the records', covering as often as they say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.record.statistics import compare, median_interval
from orchestrate.analysis import statistics

durations = st.lists(st.floats(1e-5, 1.0), min_size=2, max_size=6)


@given(durations)
def test_the_interval_of_a_job_is_that_of_the_records(medians: list[float]) -> None:
    mine, theirs = statistics.of_processes(medians), median_interval([[m] for m in medians])
    assert mine[:3] == pytest.approx((theirs.estimate, theirs.low, theirs.high), rel=1e-9)


@given(durations, durations)
def test_the_ratio_of_two_jobs_is_that_of_the_records(above: list[float], below: list[float]) -> None:
    mine, theirs = (
        statistics.of_ratio(above, below),
        compare([[b] for b in below], [[a] for a in above]),
    )
    assert mine[:3] == pytest.approx((theirs.ratio, theirs.low, theirs.high), rel=1e-6)


def test_one_process_gives_a_figure_and_no_interval() -> None:
    assert statistics.of_processes([2.0]).value == 2
    assert not statistics.of_processes([2.0]).known
    assert not statistics.of_ratio([2.0], [1.0]).known


@pytest.mark.parametrize("count", [1, 2])
def test_fewer_than_three_pairs_give_a_mean_and_no_interval(count: int) -> None:
    estimate = statistics.of_pairs([2.0] * count)
    assert (estimate.value, estimate.known, estimate.n) == (pytest.approx(2), False, count)


def test_no_pairs_give_nothing() -> None:
    assert statistics.of_pairs([]).n == 0
    assert math.isnan(statistics.of_pairs([]).value)


@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=20))
def test_turning_a_ratio_over_turns_its_interval_over(ratios: list[float]) -> None:
    one, other = statistics.of_pairs(ratios), statistics.of_pairs([1 / r for r in ratios])
    assert one.value == pytest.approx(1 / other.value)
    assert one.low <= one.value * (1 + 1e-9)
    assert one.high >= one.value * (1 - 1e-9)


def test_the_same_pairs_give_the_same_interval() -> None:
    ratios = np.random.default_rng(0).lognormal(1, 0.2, 12)
    assert statistics.of_pairs(ratios) == statistics.of_pairs(ratios)


@pytest.mark.parametrize(("pairs", "noise"), [(3, 0.3), (9, 0.0), (10, 0.3), (16, 0.0)])
def test_intervals_over_pairs_cover_the_truth_in_93_to_97_percent(pairs: int, noise: float) -> None:
    """Pairs scatter around the effect; each is measured with noise. 2,000 studies: +-1% at two sigma."""
    rng, effect, hits, studies = np.random.default_rng(11), math.log(2.5), 0, 2000
    for _ in range(studies):
        logs = effect + rng.normal(0, 0.2, pairs) + rng.normal(0, noise, pairs)
        estimate = statistics.of_pairs(np.exp(logs))
        hits += estimate.low <= 2.5 <= estimate.high
    assert 0.93 <= hits / studies <= 0.97


def test_intervals_of_three_processes_cover_the_truth_in_93_to_97_percent() -> None:
    rng = np.random.default_rng(5)
    ratios = [statistics.of_ratio(*np.exp(rng.normal(0, 0.05, (2, 3)))) for _ in range(4000)]
    assert 0.93 <= np.mean([ratio.low <= 1 <= ratio.high for ratio in ratios]) <= 0.97


def test_the_p_value_of_no_difference_is_uniform() -> None:
    rng = np.random.default_rng(6)
    values = [statistics.difference(*np.exp(rng.normal(0, 0.05, (2, 3)))).p for _ in range(4000)]
    assert 0.04 <= np.mean(np.array(values) < 0.05) <= 0.06
    assert 0.47 <= np.mean(values) <= 0.53


def test_a_share_of_few_images_is_as_uncertain_as_wilson_says() -> None:
    found = statistics.of_share(90.0, 10)
    assert (found.low, found.high) == pytest.approx(
        (59.58, 98.21), abs=0.01
    )  # statsmodels' proportion_confint
    assert statistics.of_share(100.0, 360).low == pytest.approx(98.94, abs=0.01)
    assert not statistics.of_share(90.0, 0).known


def test_the_mean_over_seeds_has_students_interval_and_one_seed_has_none() -> None:
    found = statistics.of_seeds(70.0, 1.0, 3)
    assert found.high - 70.0 == pytest.approx(4.3027 / math.sqrt(3), rel=1e-4)
    assert not statistics.of_seeds(70.0, math.nan, 3).known
    assert not statistics.of_seeds(70.0, 1.0, 1).known
