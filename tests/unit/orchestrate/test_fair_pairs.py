"""What enters a verdict: no stand-in, equal rounding, each network once, one kind of accuracy, and intervals
that know that networks of one architecture resemble each other."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from orchestrate import report
from orchestrate.analysis import (
    accuracy_ratio,
    claim_file,
    claims,
    efficiency,
    pairs,
    recommend,
    records,
    statistics,
    table,
)
from orchestrate.analysis.claims import UNSETTLED
from orchestrate.commands import recommend as command
from orchestrate.report import terminal, verdict_cards
from tests import synthetic
from tests.synthetic import Study

CPU_LATENCY = next(claim for claim in claim_file.load() if claim.id == "cpu-latency")
ACCURACY_PER_MB = next(claim for claim in claim_file.load() if claim.id == "cpu-accuracy-per-mb")
EQUAL = {comparison.key: comparison for comparison in pairs.COMPARISONS}
LIMITS = recommend.ModelLimits()
STILL = Study(latency=3.0, spread=0.01, samples=20)


def rows(*runs: Path) -> Any:
    return table.tidy(records.read(runs))


def answer(*runs: Path) -> claims.Answer:
    (found,) = claims.answers(rows(*runs), [CPU_LATENCY])
    return found


def test_stand_ins_alone_give_no_verdict_and_are_shown_beside(tmp_path: Path) -> None:
    run = synthetic.write(replace(STILL, stand_ins=STILL.architectures), tmp_path)
    found = answer(run)
    assert (found.verdict, found.estimate.n, found.stand_ins.n) == (UNSETTLED, 0, 16)
    assert found.stand_ins.value == pytest.approx(3.0, rel=0.05)
    assert "left out: 16 pairs whose fit is a stand-in" in verdict_cards.card(found)
    built = report.build([run])
    assert {each.verdict for each in built.answers} == {UNSETTLED}
    assert len(built.frames["means"]) == 0
    assert set(built.frames["pairs"]["fit_quality"]) == {"stand-in"}


def test_a_line_of_memory_over_parameters_is_of_no_stand_in_and_its_network_is_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = rows(synthetic.write(replace(STILL, stand_ins=("resnet50",)), tmp_path))
    counts = {row["method"]: row["models"] for row in efficiency.slopes(found).rows()}
    assert counts == {"neuralscale": 12, "uniform": 16}
    one = found.take(found["model"] == "resnet50-cifar100-neuralscale-p0.5")
    (answer,) = recommend.recommend(one, LIMITS)
    command.show(answer, LIMITS)
    assert "; its fit is a stand-in" in capsys.readouterr().out
    assert command.as_data(answer, LIMITS)["best"]["fit_quality"] == "stand-in"


def test_a_stand_in_among_others_moves_no_mean(tmp_path: Path) -> None:
    without = answer(
        synthetic.write(replace(STILL, architectures=STILL.architectures[:3], run="a"), tmp_path)
    )
    beside = answer(synthetic.write(replace(STILL, stand_ins=("resnet50",), run="b"), tmp_path))
    assert beside.estimate.n == without.estimate.n == 12
    assert beside.estimate.value == pytest.approx(without.estimate.value, rel=0.02)
    assert beside.stand_ins.n == 4


def test_a_record_from_before_fits_had_a_quality_is_known_by_the_name_of_its_fit() -> None:
    assert table.fit_quality({"fit": "resnet50-digits-reduced"}) == "stand-in"
    assert table.fit_quality({"fit": "vgg11-cifar10"}) == ""
    assert table.fit_quality({"fit": "vgg11-digits-reduced", "fit_quality": "searched"}) == "searched"
    assert table.fit_quality({"fit": None}) == ""


def test_latency_is_shown_against_both_baselines_and_aligned_only_with_aligned(tmp_path: Path) -> None:
    run = synthetic.write(replace(STILL, aligns=(1, 8), rounding=0.5), tmp_path)
    found = answer(run)
    assert found.estimate.value == pytest.approx(3.0, rel=0.03)
    beside = dict(found.beside)
    assert beside["against uniform in multiples of 8"].value == pytest.approx(6.0, rel=0.03)
    assert beside["both in multiples of 8"].value == pytest.approx(3.0, rel=0.03)
    made = report.build([run])
    (told,) = terminal.rounding(made)
    assert "rounding uniform's widths to multiples of 8 alone takes 0.5" in told
    assert "against uniform in multiples of 8: 6.0" in verdict_cards.card(found)


def test_aligned_pairs_have_equal_multiples(tmp_path: Path) -> None:
    found = pairs.of(rows(synthetic.write(replace(STILL, aligns=(1, 8, 16)), tmp_path)), EQUAL["aligned"])
    assert len(found) == 32
    assert all(str(a)[-2:] == str(b)[-2:] for a, b in zip(found["model"], found["baseline"], strict=True))


def test_one_pair_of_networks_counts_once_however_often_it_was_asked_for(tmp_path: Path) -> None:
    made = replace(STILL, ratios=(0.25, 0.5), ratio_ofs=("params", "width"))
    run = synthetic.write(made, tmp_path)
    for path in run.glob("*/records/*-p0.25*.json"):  # a quarter of the parameters is half of the widths
        record, other = (
            json.loads(path.read_text()),
            json.loads((path.parent / path.name.replace("-p0.25", "-w0.5")).read_text()),
        )
        record["job"]["model"]["widths"] = other["job"]["model"]["widths"]
        path.write_text(json.dumps(record))
    assert answer(run).estimate.n == 4 * 3
    assert [row["models"] for row in efficiency.slopes(rows(run)).rows()] == [4 * 3] * 6


def test_a_pair_of_one_network_compares_nothing_and_is_counted_beside(tmp_path: Path) -> None:
    run = synthetic.write(STILL, tmp_path)
    for path in run.glob("*/records/*neuralscale-p1-*.json"):
        record, other = (
            json.loads(each.read_text())
            for each in (path, path.parent / path.name.replace("neuralscale", "uniform"))
        )
        record["job"]["model"]["widths"] = other["job"]["model"]["widths"]
        record["latency"] = other["latency"]
        path.write_text(json.dumps(record))
    found = answer(run)
    assert (found.estimate.n, found.of_one) == (4 * 3, 4)
    assert found.estimate.value == pytest.approx(3.0, rel=0.05)  # with the ratios of 1 it would be 2.3
    assert "left out: 4 pairs in which both methods give the same network" in verdict_cards.card(found)
    told = "left out: 4 pairs in which both methods give the same network"
    assert any(line.endswith(told) for line in terminal.remarks(report.build([run])))
    listed = pairs.of(rows(run), EQUAL["params"])
    assert listed["left_out"].tolist().count("one and the same network") == 4
    assert pairs.mean(pairs.decided(listed), "latency").n == 4 * 3


def test_two_runs_of_the_same_networks_do_not_double_the_pairs(tmp_path: Path) -> None:
    one = synthetic.write(replace(STILL, run="one"), tmp_path)
    other = synthetic.write(replace(STILL, run="other"), tmp_path)
    for path in other.glob("*/records/*.json"):
        record = json.loads(path.read_text())
        record["job"]["id"] = record["job"]["model"]["id"] = f"again-{record['job']['model']['id']}"
        path.write_text(json.dumps(record))
    assert answer(one, other).estimate.n == answer(one).estimate.n == 16


def with_accuracy(run: Path, part: str, **changes: Any) -> None:
    for path in run.glob(f"*/records/*{part}*.json"):
        record = json.loads(path.read_text())
        record["job"]["model"]["accuracy"].update(changes)
        path.write_text(json.dumps(record))


def test_a_pair_never_mixes_best_epoch_with_last_epoch(tmp_path: Path) -> None:
    run = synthetic.write(replace(STILL, architectures=("vgg11",), ratios=(0.5, 1.0), epoch="last"), tmp_path)
    with_accuracy(run, "neuralscale", epoch="best", value=60.0)
    mixed = pairs.of(rows(run), EQUAL["params"])
    assert np.isnan(mixed["accuracy_ratio"]).all()
    assert set(mixed["accuracy_unlike"]) == {accuracy_ratio.OF_TWO_EPOCHS}
    with_accuracy(run, "uniform", best={"value": 50.0})
    both = pairs.of(rows(run), EQUAL["params"])
    assert both["accuracy_ratio"].tolist() == pytest.approx([1.2, 1.2])
    assert set(both["accuracy_from"]) == {"trained (best epoch)"}


RECIPE = {"epochs": 4, "batch": 64}


@pytest.mark.parametrize(
    ("ours", "theirs", "why"),
    [
        (
            {"source": "published", "epoch": "best"},
            {"best": {"value": 50.0}},
            "one accuracy is published, the other trained",
        ),
        (
            {"recipe": {**RECIPE, "epochs": 1}},
            {"recipe": RECIPE},
            "accuracies of unlike trainings (epochs 1; epochs 4)",
        ),
        ({"recipe": RECIPE}, {}, "accuracies of unlike trainings (batch 64, epochs 4; synthetic)"),
        ({"recipe": RECIPE, "seeds": 1}, {"recipe": RECIPE}, ""),
    ],
)
def test_a_pair_compares_accuracies_of_one_source_and_one_recipe(
    tmp_path: Path, ours: dict[str, Any], theirs: dict[str, Any], why: str
) -> None:
    run = synthetic.write(STILL, tmp_path)
    with_accuracy(run, "neuralscale", **ours)
    with_accuracy(run, "uniform", **theirs)
    found = rows(run)
    paired = pairs.of(found, EQUAL["params"])
    assert set(paired["accuracy_unlike"]) == {why}
    assert np.isnan(paired["accuracy_ratio"]).tolist() == [bool(why)] * 16
    (told,) = claims.answers(found, [ACCURACY_PER_MB])
    assert told.settle.startswith(why)
    assert told.lacking == (16 if why else 0)


def test_a_pair_of_which_one_alone_was_published_compares_trainings_where_both_were_trained(
    tmp_path: Path,
) -> None:
    """As after `bench sweep`: it trains all networks, and some of them were published."""
    run = synthetic.write(replace(STILL, epoch="last"), tmp_path)
    ours = {"value": 50.0, "source": "trained", "epoch": "last", "recipe": RECIPE}
    published = {"value": 70.0, "source": "published", "epoch": "best", "recipe": None}
    with_accuracy(run, "neuralscale", **{**ours, "value": 60.0})
    with_accuracy(run, "uniform", **published, other=ours)
    assert set(rows(run).take(rows(run)["method"] == "uniform")["accuracy"]) == {70.0}
    paired = pairs.of(rows(run), EQUAL["params"])
    assert paired["accuracy_ratio"].tolist() == pytest.approx([1.2] * 16)
    assert set(paired["accuracy_from"]) == {"trained (last epoch)"}
    assert set(paired["accuracy_unlike"]) == {""}
    with_accuracy(run, "neuralscale", **published, other={**ours, "value": 60.0})
    assert set(pairs.of(rows(run), EQUAL["params"])["accuracy_from"]) == {"published (best epoch)"}
    with_accuracy(run, "neuralscale", **{**ours, "recipe": {**RECIPE, "epochs": 1}}, other=None)
    paired = pairs.of(rows(run), EQUAL["params"])
    assert np.isnan(paired["accuracy_ratio"]).all()
    assert set(paired["accuracy_unlike"]) == {"one accuracy is trained, the other published"}


def test_how_far_the_trained_network_is_from_the_measured_one_is_said_beside_its_source(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = synthetic.write(STILL, tmp_path)
    for path in run.glob("*/records/*neuralscale*.json"):
        record = json.loads(path.read_text())
        record["job"]["model"]["widths"] = [105, *record["job"]["model"]["widths"][1:]]
        record["job"]["model"]["accuracy"]["widths"] = [100, *record["job"]["model"]["widths"][1:]]
        path.write_text(json.dumps(record))
    found = rows(run)
    source = "trained, of a network within 5.0 %"
    assert set(found.take(found["method"] == "neuralscale")["accuracy_source"]) == {source}
    assert set(found.take(found["method"] == "uniform")["accuracy_source"]) == {"trained"}
    paired = pairs.of(found, EQUAL["params"])
    assert paired["accuracy_apart"].tolist() == pytest.approx([0.05] * 16)
    assert set(paired["accuracy_from"]) == {"trained (last epoch)"}
    assert len(pairs.decided(paired).take(np.isfinite(paired["accuracy_ratio"]))) == 16
    means = report.build([run]).frames["means"]
    assert "trained (last epoch), of a network within 5.0 %" in set(means["accuracy_from"])
    (answer,) = recommend.recommend(found.take(found["dataset"] == "cifar10"), LIMITS)
    command.show(answer, LIMITS)
    assert f"({source})" in capsys.readouterr().out


@pytest.mark.parametrize("widths", [[0], "x", [1.5]])
def test_an_accuracy_of_no_widths_is_refused(tmp_path: Path, widths: Any) -> None:
    run = synthetic.write(replace(STILL, architectures=("vgg11",)), tmp_path)
    with_accuracy(run, "uniform", widths=widths)
    with_accuracy(run, "neuralscale", recipe=["epochs"])
    found = records.read([run])
    assert (len(found.jobs), {each.code for each in found.excluded}) == (0, {"unreadable"})


def test_accuracies_measured_on_weights_of_unlike_trainings_are_not_compared(tmp_path: Path) -> None:
    run = synthetic.write(STILL, tmp_path)
    for path in run.glob("*/records/*.json"):
        record = json.loads(path.read_text())
        epochs = 1 + 3 * ("uniform" in path.name)
        record["job"]["model"]["weights_recipe"] = {"epochs": epochs}
        record["accuracy"] = {"value": 60.0, "source": "measured", "n": 500}
        path.write_text(json.dumps(record))
    found = pairs.of(rows(run), EQUAL["params"])
    assert set(found["accuracy_unlike"]) == {"accuracies of unlike trainings (epochs 1; epochs 4)"}


@pytest.mark.parametrize("architectures", [3, 4])
@pytest.mark.parametrize("own", [0.0, 0.1, 0.3])
def test_intervals_cover_the_truth_though_each_architecture_has_an_effect_of_its_own(
    architectures: int, own: float
) -> None:
    """4,000 studies of four pairs an architecture: the share that covers is known to 0.7% at two sigma."""
    rng, studies = np.random.default_rng(13), 4000
    groups = np.repeat(np.arange(architectures), 4)
    logs = np.log(2.5) + rng.normal(0, own, (architectures, studies))[groups]
    ratios = np.exp(logs + rng.normal(0, 0.05, (len(groups), studies)))
    found = statistics.of_columns(ratios, groups.tolist())
    assert 0.93 <= np.mean([each.low <= 2.5 <= each.high for each in found]) <= 0.97
    alone = statistics.of_columns(ratios)  # as if pairs were independent
    if own:
        assert np.mean([each.low <= 2.5 <= each.high for each in alone]) < 0.8


def test_each_architecture_counts_alike_and_a_single_one_has_no_interval() -> None:
    found = statistics.of_pairs([2.0, 2.0, 2.0, 8.0], ["a", "a", "a", "b"])
    assert (found.value, found.n, found.groups) == (pytest.approx(4.0), 4, 2)
    assert not statistics.of_pairs([2.0, 2.1, 2.2, 2.3], ["a"] * 4).known


def test_the_page_says_how_much_wider_resemblance_makes_an_interval(tmp_path: Path) -> None:
    found = answer(synthetic.write(replace(STILL, own_effect=0.2, seed=3), tmp_path))
    assert found.widening > 1.5
    assert "95% interval over 4 architectures, " in verdict_cards.card(found)
    assert "times as wide as if its pairs were independent" in verdict_cards.card(found)
