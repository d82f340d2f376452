"""The best model under limits: intervals respected, losers told why, limits with their unit."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from orchestrate import cli, quantities
from orchestrate.analysis import recommend
from orchestrate.analysis.frame import Frame
from orchestrate.analysis.recommend import FAILS, FITS, RISK, ModelLimits
from orchestrate.errors import BadInput
from tests import synthetic
from tests.synthetic import Study

SIZE = "process_own_trimmed"


def row(name: str, **given: Any) -> dict[str, Any]:
    """A row of the table with narrow intervals, unless told otherwise."""
    values = {"latency": 0.010, SIZE: 50e6, "accuracy": 70.0, "energy": math.nan, **given}
    ends = {f"{k}{e}": values[k] * f for k in ("latency", SIZE) for e, f in (("_low", 0.99), ("_high", 1.01))}
    running = {"device": "d", "backend": "onnxruntime", "precision": "fp32", "threads": 1, "batch": 1}
    return {"model": name, **running, "dataset": "cifar10", "judged_by": "", "job": name, **ends, **values}


def best(rows: list[dict[str, Any]], limits: ModelLimits) -> recommend.Recommendation:
    (answer,) = recommend.recommend(Frame.of_rows(rows), limits)
    return answer


def test_the_most_accurate_model_within_the_limits_wins() -> None:
    rows = [row("small", accuracy=60.0), row("good"), row("slow", accuracy=80.0, latency=0.030)]
    answer = best(rows, ModelLimits(latency=0.020))
    assert answer.best is not None
    assert answer.best.row["model"] == "good"
    assert {c.row["model"]: c.lost for c in answer.others} == {
        "slow": "latency 30.0 ms, at most 20.0 wanted",
        "small": "10.0 points less accurate",
    }


def test_a_model_whose_interval_crosses_a_limit_is_at_risk_and_never_recommended() -> None:
    rows = [row("sure", accuracy=60.0), row("risky", latency=0.0199)]
    answer = best(rows, ModelLimits(latency=0.020))
    assert answer.best is not None
    assert answer.best.row["model"] == "sure"
    assert answer.others[0].verdict == RISK
    assert "at risk: latency 19.9 (19.7 to 20.1)" in answer.others[0].lost.replace(" ms", "")


@pytest.mark.parametrize(
    ("name", "value", "limit", "verdict"),
    [
        ("latency", 0.020, 0.020, RISK),
        ("latency", 0.0198, 0.020, FITS),
        ("latency", 0.0201, 0.020, FAILS),
        (SIZE, 64e6, 64e6, RISK),
        (SIZE, 70e6, 64e6, FAILS),
        ("accuracy", 70.0, 70.0, FITS),
        ("accuracy", 69.9, 70.0, FAILS),
        ("energy", 0.004, 0.005, FITS),
        ("energy", math.nan, 0.005, FAILS),
    ],
)
def test_each_limit_is_judged_at_its_edge(name: str, value: float, limit: float, verdict: str) -> None:
    limits = ModelLimits(**{"memory" if name == SIZE else name: limit})
    assert recommend.judge(row("m", **{name: value}), limits).verdict == verdict


def test_an_accuracy_whose_interval_crosses_the_limit_is_at_risk() -> None:
    sure = row("m", accuracy=70.5, accuracy_low=70.2, accuracy_high=70.8)
    unsure = row("m", accuracy=70.5, accuracy_low=69.2, accuracy_high=71.8)
    assert recommend.judge(sure, ModelLimits(accuracy=70)).verdict == FITS
    assert recommend.judge(unsure, ModelLimits(accuracy=70)).verdict == RISK


def test_an_unknown_accuracy_never_satisfies_a_limit_and_never_wins_over_a_known_one() -> None:
    unknown = row("unknown", accuracy=math.nan, latency=0.001)
    assert recommend.judge(unknown, ModelLimits(accuracy=1)).verdict == FAILS
    answer = best([unknown, row("known")], ModelLimits())
    assert answer.best is not None
    assert answer.best.row["model"] == "known"
    assert answer.others[0].lost == "its accuracy is unknown"


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"accuracy": 69.5}, "0.500 points less accurate"),
        ({"accuracy": math.nan}, "its accuracy is unknown"),
        ({"latency": 0.011}, "slower"),
        ({SIZE: 51e6}, "larger"),
        ({SIZE: math.nan}, "its memory is unknown"),
        ({"energy": 0.9}, "takes more energy"),
        ({}, "equal in all"),
    ],
)
def test_the_next_one_lost_in_what_it_is_behind(changed: dict[str, float], why: str) -> None:
    answer = best([row("best", energy=0.5), row("next", **{"energy": 0.5, **changed})], ModelLimits())
    assert [(c.row["model"], c.lost) for c in answer.others] == [("next", why)]


def test_one_model_in_two_ways_is_not_named_twice_alike() -> None:
    rows = [row("a", threads=1, **{SIZE: 40e6}), row("a", threads=4, latency=0.005)]
    assert best(rows, ModelLimits()).front == [
        "a (d, onnxruntime fp32, 4 threads)",
        "a (d, onnxruntime fp32, 1 thread)",
    ]
    assert best(rows[:1], ModelLimits()).front == ["a"]


def test_the_pareto_set_in_json_holds_ids_however_the_models_ran(tmp_path: Path) -> None:
    made = Study(architectures=("vgg11",), ratios=(0.5, 1.0), threads=(1, 4), samples=20)
    run = synthetic.write(made, tmp_path)
    (answer,) = json.loads(CliRunner().invoke(cli.build(), ["recommend", str(run), "--json"]).stdout)
    every = [answer["best"], *answer["others"]]
    front = [each for each in every if each["pareto"]]
    assert len({each["threads"] for each in front}) == 2
    assert answer["pareto"] == list(dict.fromkeys(each["model"] for each in front))


def test_the_pareto_set_is_what_no_other_beats_in_everything() -> None:
    rows = [row("a"), row("worse", latency=0.011, accuracy=69.0), row("fast", latency=0.001, accuracy=50.0)]
    assert {c.row["model"] for c in best(rows, ModelLimits()).pareto} == {"a", "fast"}


def test_models_of_different_datasets_do_not_compete() -> None:
    rows = [row("ten"), row("hundred", dataset="cifar100", accuracy=60.0)]
    answers = recommend.recommend(Frame.of_rows(rows), ModelLimits())
    assert {a.dataset: a.best and a.best.row["model"] for a in answers} == {
        "cifar10": "ten",
        "cifar100": "hundred",
    }


def test_where_nothing_fits_nothing_is_recommended_and_the_nearest_comes_first() -> None:
    answer = best([row("far", latency=0.050), row("near", latency=0.021)], ModelLimits(latency=0.020))
    assert answer.best is None
    assert [c.row["model"] for c in answer.others] == ["near", "far"]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("64MB", quantities.MEMORY, 64e6),
        ("1.5 GiB", quantities.MEMORY, 1.5 * 2**30),
        ("20ms", quantities.TIME, 0.020),
        (".5s", quantities.TIME, 0.5),
        ("70", quantities.PERCENT, 70),
        ("70%", quantities.PERCENT, 70),
        ("5mJ", quantities.ENERGY, 0.005),
    ],
)
def test_limits_are_read_with_their_unit(text: str, kind: quantities.Kind, value: float) -> None:
    assert quantities.parse(text, kind, "--x") == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "kind", "told"),
    [
        ("64", quantities.MEMORY, "a unit is missing"),
        ("64mb", quantities.MEMORY, "unknown unit 'mb'"),
        ("20Ms", quantities.TIME, "unknown unit 'Ms'"),
        ("-1ms", quantities.TIME, "a time is wanted"),
        ("0ms", quantities.TIME, "above 0"),
        ("nan ms", quantities.TIME, "a time is wanted"),
        ("", quantities.TIME, "a time is wanted"),
        ("101", quantities.PERCENT, "at most 100"),
        ("1e3ms", quantities.TIME, "a time is wanted"),
        ("5 m J", quantities.ENERGY, "an energy is wanted"),
    ],
)
def test_limits_that_could_be_misread_are_refused(text: str, kind: quantities.Kind, told: str) -> None:
    with pytest.raises(BadInput, match=told) as error:
        quantities.parse(text, kind, "--max-x")
    assert str(error.value).startswith("--max-x")


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    synthetic.write(Study(architectures=("vgg11",), devices=("a", "b"), samples=20, run="r"), folder)
    return folder


def invoked(*arguments: str) -> Any:
    return CliRunner().invoke(cli.build(), list(arguments))


def test_the_command_answers_in_json_in_base_units(results: Path) -> None:
    limits = ("--max-memory", "80MB", "--max-latency", "1s")
    done = invoked("recommend", "r", "--results", str(results), "--device", "a", *limits, "--json")
    assert done.exit_code == 0
    (answer,) = json.loads(done.stdout)
    assert answer["best"]["memory"] < 80e6
    assert answer["best"]["verdict"] == "fits"
    assert {other["verdict"] for other in answer["others"]} <= {"fits", "at risk", "does not fit"}
    assert all(other["why_not"] for other in answer["others"])


def test_memory_under_another_definition_is_called_so(results: Path) -> None:
    words = ["recommend", "r", "--results", str(results), "--memory-is", "peak_rss", "--max-memory"]
    assert "memory (peak on the host, VmHWM) 98.9 MB, latency" in invoked(*words, "100MB").stdout
    assert ": memory (peak on the host, VmHWM) 89.3 MB, at most 1.00 wanted" in invoked(*words, "1MB").stdout


def test_the_command_says_that_nothing_fits_with_exit_code_1(results: Path) -> None:
    done = invoked("recommend", "r", "--results", str(results), "--device", "a", "--max-memory", "1MB")
    assert done.exit_code == 1
    assert "no model fits" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["r", "--device", "c"], "known here: a, b"),
        (["r", "--device", "a", "--device", "c"], "no valid record of device 'c'"),
        (["r", "--device", "a,"], "--device 'a,': a value is missing"),
        (["nowhere"], "no run 'nowhere'"),
        (["r", "--device", "a", "--max-memory", "64"], "a unit is missing"),
        (["r", "--device", "a", "--memory-is", "weight"], "process_own_trimmed"),
        (["r", "--memory-is", "peak_rss", "--profile", "p"], "profiles predict process_own_trimmed alone"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(results: Path, arguments: list[str], told: str) -> None:
    done = invoked("recommend", *arguments, "--results", str(results))
    assert done.exit_code == 2
    assert told in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(("name", "limit"), [("latency", "latency"), (SIZE, "memory")])
def test_a_figure_of_one_process_is_at_risk_however_far_from_the_limit(name: str, limit: str) -> None:
    alone = row("alone", **{f"{name}_low": math.nan, f"{name}_high": math.nan})
    found = recommend.judge(alone, ModelLimits(**{limit: 10 * alone[name]}))
    assert found.verdict == RISK
    assert "one process or build, no interval" in found.notes[0]
    assert recommend.judge(alone, ModelLimits(**{limit: 0.5 * alone[name]})).verdict == FAILS
    assert recommend.judge(alone, ModelLimits(accuracy=10)).verdict == FITS
