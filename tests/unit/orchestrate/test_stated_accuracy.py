"""Accuracies that are known in another precision, or by another metric, than is wanted."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from orchestrate import report
from orchestrate.analysis import claim_file, claims, pairs, records, table
from orchestrate.report import terminal
from tests import synthetic
from tests.synthetic import Study

PER_MB = next(claim for claim in claim_file.load() if claim.id == "gpu-accuracy-per-mb")
MEASURE = "`test_set: true` in the experiment measures it on the device"
MADE = Study(architectures=("vgg11",), backend="tensorrt", precisions=("int8",), samples=20)


def changed(run: Path, part: str = "-", **facts: object) -> None:
    """Change facts of the models whose record's name holds `part`."""
    for path in run.glob(f"*/records/*{part}*.json"):
        record = json.loads(path.read_text())
        record["job"]["model"] |= facts
        path.write_text(json.dumps(record))


@pytest.mark.parametrize(("dataset", "advice"), [("cifar10", f" ({MEASURE})"), ("imagenet", "")])
def test_a_trained_network_in_int8_is_not_told_to_be_trained(
    tmp_path: Path, dataset: str, advice: str
) -> None:
    run = synthetic.write(MADE, tmp_path)
    changed(run, dataset=dataset)
    study = records.read([run])
    (answer,) = claims.answers(table.tidy(study), [PER_MB])
    assert answer.settle == f"no accuracy in the precision that ran{advice} for 4 of 4 pairs"
    assert {each.reason for each in study.missing} == {
        "known of the fp32 network alone" + (f": {MEASURE}" if advice else "")
    }
    changed(run, "uniform", accuracy=None)
    (answer,) = claims.answers(table.tidy(records.read([run])), [PER_MB])
    assert ("bench train" in answer.settle) == bool(advice)


def test_accuracies_that_only_another_precision_has_are_counted_as_missing(tmp_path: Path) -> None:
    run = synthetic.write(MADE, tmp_path)
    assert "missing: 8 accuracies" in terminal.remarks(report.build([run]))


FP32 = replace(MADE, backend="onnxruntime", precisions=("fp32",))
STATED = {"value": 60.0, "source": "published", "epoch": "best"}


def accuracies_of_pairs(run: Path) -> tuple[set[float], set[str]]:
    """The ratios of a run's pairs, rounded and -1 where unknown, and why there is none."""
    found = pairs.of(table.tidy(records.read([run])), pairs.COMPARISONS[0])
    return {float(each) for each in np.nan_to_num(found["accuracy_ratio"], nan=-1).round(6)}, set(
        found["accuracy_unlike"]
    )


def test_a_top5_accuracy_is_not_divided_by_a_top1(tmp_path: Path) -> None:
    """95 % by top-5 beside 60 % by top-1 decided claims as 1.58."""
    run = synthetic.write(FP32, tmp_path)
    changed(run, "uniform", accuracy=STATED)
    changed(run, "neuralscale", accuracy={**STATED, "value": 95.0, "metric": "top5"})
    assert accuracies_of_pairs(run) == ({-1.0}, {"one accuracy is top-5, the other top-1"})
    changed(run, "uniform", accuracy={**STATED, "value": 76.0, "metric": "top5"})
    assert accuracies_of_pairs(run) == ({1.25}, {""})


def test_of_what_the_device_measured_one_metric_is_compared(tmp_path: Path) -> None:
    run = synthetic.write(FP32, tmp_path)
    changed(run, accuracy=None)

    def measured(part: str, value: float, metric: str) -> None:
        for path in run.glob(f"*/records/*{part}*.json"):
            record = json.loads(path.read_text())
            record["accuracy"] = {"value": value, "source": "measured", "n": 500, "metric": metric}
            path.write_text(json.dumps(record))

    measured("neuralscale", 95.0, "top5")
    measured("uniform", 60.0, "top1")
    assert accuracies_of_pairs(run) == ({-1.0}, {"one accuracy is top-5, the other top-1"})
    measured("uniform", 76.0, "top5")
    assert accuracies_of_pairs(run) == ({1.25}, {""})


def test_a_strangers_recipe_is_cut_where_a_pair_says_why_it_has_no_ratio(tmp_path: Path) -> None:
    run = synthetic.write(FP32, tmp_path)
    changed(run, accuracy={**STATED, "source": "trained", "recipe": {"epochs": 4}})
    changed(run, "uniform", accuracy={**STATED, "source": "trained", "recipe": {"epochs": "x" * 90_000}})
    assert accuracies_of_pairs(run)[1] == {f"accuracies of unlike trainings (epochs 4; epochs {'x' * 93})"}
