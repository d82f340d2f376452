"""Intervals cover as often as they say."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrate.analysis import builds, job, memory, statistics, table
from tests import synthetic

ONE = synthetic.Study(architectures=("vgg11",), ratios=(1.0,), methods=("uniform",), processes=5)
durations = st.lists(st.floats(1e-5, 1.0), min_size=2, max_size=6)


@given(durations)
def test_the_interval_of_a_job_is_students_over_the_logarithms_of_its_processes(medians: list[float]) -> None:
    from scipy import stats

    value, *bounds = statistics.of_processes(medians)[:3]
    logs = np.log(medians)
    assert value == pytest.approx(stats.gmean(medians), rel=1e-9)
    if np.std(logs) > 1e-9:
        ends = stats.t.interval(0.95, len(medians) - 1, loc=np.mean(logs), scale=stats.sem(logs))
        assert bounds == pytest.approx(np.exp(ends), rel=1e-6)


@given(st.lists(durations, min_size=1, max_size=4))
def test_no_interval_of_positive_values_reaches_0_and_rows_are_the_same(jobs: list[list[float]]) -> None:
    rows = np.array([[*each, *[math.nan] * (6 - len(each))] for each in jobs])
    mean, low, high = statistics.of_process_rows(rows)
    assert ((low > 0) & (low <= mean * (1 + 1e-9)) & (mean <= high * (1 + 1e-9))).all()
    for place, each in enumerate(jobs):
        alone = statistics.of_processes(each)
        assert alone[:3] == pytest.approx((mean[place], low[place], high[place]))


def test_sizes_that_are_not_all_positive_are_averaged_as_they_are() -> None:
    from scipy import stats

    medians = [-1.0, 2.0, 5.0]
    found = statistics.of_processes(medians)
    low, high = stats.t.interval(0.95, 2, loc=2, scale=stats.sem(medians))
    assert found == (2, pytest.approx(low), pytest.approx(high), 3, 0)


def test_intervals_of_three_processes_cover_their_median_in_93_to_97_percent() -> None:
    medians = np.exp(np.random.default_rng(8).normal(0, 0.3, (4000, 3)))
    _, low, high = statistics.of_process_rows(medians)
    assert 0.93 <= np.mean((low <= 1) & (high >= 1)) <= 0.97


@pytest.mark.parametrize("processes", [5, 9])
def test_intervals_over_shared_engines_cover_where_those_over_processes_do_not(processes: int) -> None:
    rng, number = np.random.default_rng(12), [process % 3 for process in range(processes)]
    engines = rng.normal(0, 0.1, (4000, 3))[:, number]
    medians = np.exp(engines + rng.normal(0, 0.01, (4000, processes)))

    def covered(values: np.ndarray) -> float:
        _, low, high = statistics.of_process_rows(values)
        return float(np.mean((low <= 1) & (high >= 1)))

    assert covered(medians) < 0.85
    assert 0.93 <= covered(builds.means(medians, number)) <= 0.97


def test_processes_of_one_engine_are_one_replicate_of_every_figure() -> None:
    (record,) = synthetic.records(ONE)
    alone = table.row(job.build(record))
    for process in record["latency"]["processes"]:
        process |= {"build": process["process"] % 3, "load_seconds": 0.1 + process["process"]}
    shared = job.build(record)
    p50s = [process.p50 for process in shared.processes]
    assert shared.p50s == pytest.approx([(p50s[0] * p50s[3]) ** 0.5, (p50s[1] * p50s[4]) ** 0.5, p50s[2]])
    assert [len(sizes) for sizes in shared.memory.values()] == [3] * len(shared.memory)
    assert len(shared.load) == 3
    found = table.row(shared)
    assert found["processes"] == 5
    for name in ("latency", memory.PROCESS):
        assert found[f"{name}_high"] - found[f"{name}_low"] > alone[f"{name}_high"] - alone[f"{name}_low"]
    for process in record["latency"]["processes"]:
        process["build"] = process["process"]
    assert len(job.build(record).p50s) == 5


@given(durations, durations)
def test_the_ratio_of_two_jobs_is_students_on_logarithms_and_rows_are_the_same(
    above: list[float], below: list[float]
) -> None:
    from scipy import stats

    found = statistics.of_ratio(above, below)
    assert found.value == pytest.approx(stats.gmean(above) / stats.gmean(below), rel=1e-9)
    theirs = stats.ttest_ind(np.log(above), np.log(below)).confidence_interval(0.95)
    if np.std(above) + np.std(below) > 1e-9:
        assert found[1:3] == pytest.approx((math.exp(theirs.low), math.exp(theirs.high)), rel=1e-6)
    rows = [np.array([[*side, *[math.nan] * (6 - len(side))]]) for side in (above, below)]
    assert found[:3] == pytest.approx([float(each[0]) for each in statistics.of_ratio_rows(*rows)])


@given(st.lists(st.one_of(st.floats(0, 9), st.just(math.nan)), min_size=1, max_size=7))
def test_the_median_of_a_row_leaves_missing_processes_out(values: list[float]) -> None:
    known = [value for value in values if not math.isnan(value)]
    found = statistics.median_rows(np.array([values]))[0]
    assert found == pytest.approx(np.median(known)) if known else math.isnan(found)


@pytest.mark.parametrize(("p", "least"), [(0.90, 64), (0.95, 130), (0.99, 662)])
def test_a_tail_is_reported_only_from_as_many_samples_as_mlperf_asks_for(p: float, least: int) -> None:
    assert math.isnan(statistics.early_stopping(np.ones(least - 1), p))
    assert statistics.early_stopping(np.ones(least), p) == 1.0


def test_with_the_least_number_of_samples_the_slowest_is_reported_and_with_more_fewer_are_set_aside() -> None:
    from scipy import stats

    assert statistics.early_stopping(np.arange(64.0), 0.9) == 63
    kept_back = statistics.discarded(10000, 0.9)
    assert statistics.early_stopping(np.arange(10000.0), 0.9) == 10000 - kept_back
    assert stats.binom.cdf(kept_back, 10000, 0.1) <= 0.01 < stats.binom.cdf(kept_back + 1, 10000, 0.1)


def test_early_stopping_bounds_the_true_percentile_in_99_of_100_series() -> None:
    series = np.sort(np.random.default_rng(2).exponential(1, (400, 200)), axis=1)
    below = sum(statistics.early_stopping(each, 0.9) < -math.log(0.1) for each in series)
    assert below <= 12  # expected 4 at most; 12 has a chance below 0.001


def test_one_process_gives_a_figure_and_no_interval() -> None:
    value, low, high = statistics.of_process_rows(np.array([[2.0, math.nan]]))
    assert value[0] == 2
    assert math.isnan(low[0])
    assert math.isnan(high[0])
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
