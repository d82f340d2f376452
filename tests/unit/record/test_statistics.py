"""Figures from samples: checked against scipy and against what MLPerf prints, and by what must hold for
any input."""

import math
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from bench.record import bootstrap, distributions, statistics

lists = st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=60)


@given(lists, st.floats(0, 1))
def test_quantiles_are_those_of_numpy(values: list[float], p: float) -> None:
    assert statistics.quantile(sorted(values), p) == pytest.approx(np.quantile(values, p), rel=1e-9)


@given(st.floats(0.1, 1e5), st.floats(0.1, 1e5), st.floats(0, 1))
def test_the_incomplete_beta_is_that_of_scipy(a: float, b: float, x: float) -> None:
    assert distributions.incomplete_beta(a, b, x) == pytest.approx(
        special.betainc(a, b, x), rel=1e-8, abs=1e-12
    )


@given(st.integers(1, 200))
def test_students_quantile_is_that_of_scipy(degrees: int) -> None:
    assert distributions.student_quantile(0.975, degrees) == pytest.approx(
        stats.t.ppf(0.975, degrees), rel=1e-9
    )


@pytest.mark.parametrize(("p", "least"), [(0.90, 64), (0.95, 130), (0.99, 662)])
def test_a_tail_is_told_only_from_as_many_samples_as_mlperf_asks_for(p: float, least: int) -> None:
    assert statistics.early_stopping([1.0] * (least - 1), p) is None
    assert statistics.early_stopping([1.0] * least, p) == 1.0


def test_with_the_least_number_of_samples_the_slowest_is_reported_and_with_more_fewer_are_set_aside() -> None:
    assert statistics.early_stopping(list(range(64)), 0.9) == 63
    assert statistics.early_stopping(list(range(10000)), 0.9) == 10000 - statistics.discarded(10000, 0.9)
    assert stats.binom.cdf(statistics.discarded(10000, 0.9), 10000, 0.1) <= 0.01
    assert stats.binom.cdf(statistics.discarded(10000, 0.9) + 1, 10000, 0.1) > 0.01


def test_early_stopping_bounds_the_true_percentile_in_99_of_100_series() -> None:
    noise = random.Random(2)
    truth = -math.log(0.1)
    below = sum(
        statistics.early_stopping(sorted(noise.expovariate(1) for _ in range(200)), 0.9) < truth
        for _ in range(400)
    )
    assert below <= 12  # expected 4 at most; 12 has a chance below 0.001


def test_drift_is_the_change_from_the_first_third_to_the_last() -> None:
    assert statistics.drift([1.0] * 50 + [9.0] * 20 + [1.1] * 50) == pytest.approx(0.1)
    assert statistics.drift([1.0] * 29) is None


def test_autocorrelation_tells_independent_samples_from_neighbours_that_agree() -> None:
    noise = np.random.default_rng(0).standard_normal(4000)
    smooth = np.convolve(noise, np.ones(2))
    assert abs(statistics.autocorrelation(list(noise))) < 0.05
    assert statistics.autocorrelation(list(smooth)) == pytest.approx(0.5, abs=0.05)
    assert statistics.autocorrelation([3.0] * 10) == 0.0


def test_the_interval_of_a_median_is_students_over_the_medians_of_processes() -> None:
    interval = statistics.median_interval([[1.0, 2.0, 90.0], [3.0] * 3, [4.0] * 3])
    low, high = stats.t.interval(0.95, 2, loc=3.0, scale=stats.sem([2.0, 3.0, 4.0]))
    assert interval == pytest.approx((3.0, low, high, 3))


def test_a_single_process_gets_the_narrower_interval_of_its_own_noise_and_says_so() -> None:
    noise = random.Random(3)
    series = [noise.gauss(100, 1) for _ in range(400)]
    interval = statistics.median_interval([series])
    assert interval.processes == 1
    assert interval.low < statistics.median(series) < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * 1.2533 / 400**0.5, rel=0.5)


@settings(max_examples=30)
@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_a_comparison_does_not_depend_on_the_unit_and_turns_over_with_its_sides(
    ratio: float, unit: float
) -> None:
    noise = random.Random(4)
    a = [[noise.gauss(1, 0.01) for _ in range(20)] for _ in range(3)]
    b = [[ratio * noise.gauss(1, 0.01) for _ in range(20)] for _ in range(3)]
    there = statistics.compare(a, b)
    scaled = statistics.compare([[x * unit for x in p] for p in a], [[x * unit for x in p] for p in b])
    back = statistics.compare(b, a)
    assert there[:3] == pytest.approx(scaled[:3])
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert there.low == pytest.approx(1 / back.high)


def test_a_slowdown_well_beyond_the_scatter_is_found_and_one_inside_is_not() -> None:
    a = [[1.00], [1.01], [0.99]]
    assert statistics.compare(a, [[1.10], [1.11], [1.09]]).differs is True
    assert statistics.compare(a, [[1.005], [1.015], [0.995]]).differs is False


def test_a_change_below_the_threshold_is_not_told_however_sure_it_is() -> None:
    a, b = [[1.0], [1.00001], [0.99999]], [[1.005], [1.00501], [1.00499]]
    assert statistics.compare(a, b).differs is False
    assert statistics.compare(a, b).low > 1
    assert statistics.compare(a, b, threshold=0.0).differs is True


def test_two_single_processes_are_never_said_to_differ() -> None:
    assert statistics.compare([[1.0]], [[9.0]]) == (pytest.approx(9.0), None, None, None)


def test_identical_sides_claim_a_difference_in_about_5_of_100_trials() -> None:
    noise = np.random.default_rng(5)
    claims = 0
    for _ in range(400):
        a, b = (np.exp(noise.standard_normal((3, 1)) * 0.02) for _ in range(2))
        claims += bool(statistics.compare(a.tolist(), b.tolist()).differs)
    assert 6 <= claims <= 38  # binomial(400, 0.05) leaves this range with a chance below 0.001


def test_the_block_bootstrap_scatters_as_the_median_of_an_autoregression_does() -> None:
    noise = np.random.default_rng(6)

    def series() -> list[float]:
        steps, x = noise.standard_normal(400), 0.0
        return [x := 0.6 * x + s for s in steps]

    true = np.std([np.median(series()) for _ in range(300)])
    found = [
        np.std(bootstrap.deviations(s, statistics.median(s), random.Random(0)))
        for s in (series() for _ in range(8))
    ]
    naive = 1.2533 * 1.25 / 400**0.5
    assert np.mean(found) == pytest.approx(true, rel=0.25)
    assert true > 1.4 * naive


@given(st.lists(st.floats(0.5, 2.0), min_size=1, max_size=40))
def test_resampled_medians_stay_between_the_extremes(values: list[float]) -> None:
    found = bootstrap.medians(values, random.Random(0), replicates=20)
    assert min(values) <= found[0] <= found[-1] <= max(values)
    assert found == sorted(found)
