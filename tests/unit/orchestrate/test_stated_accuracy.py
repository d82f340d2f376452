"""Accuracies that are known in another precision, or by another metric, than is wanted."""

import json
from pathlib import Path

import pytest

from orchestrate import report
from orchestrate.analysis import claim_file, claims, records, table
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
