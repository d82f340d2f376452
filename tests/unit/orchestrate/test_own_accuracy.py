"""Accuracy of one's own: from a labelled test set to `recommend`, through the real commands."""

import json
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from orchestrate import cli
from orchestrate.analysis import memory, recommend, records, table
from orchestrate.errors import BadInput
from orchestrate.execution.options import RunOptions, check
from tests import synthetic
from tests.conftest import PATIENCE
from tests.models import mlp
from tests.synthetic import Study
from tests.unit.orchestrate import sample

ROOT = Path(__file__).resolve().parents[3]


def test_a_measured_accuracy_decides_what_is_recommended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORBITBENCH_LOCK_DIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))

    def orchestrate(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "orchestrate.cli", *words]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    sample.quick_local(tmp_path)
    mlp(tmp_path / "net.onnx", 16, batch=1)
    import onnxruntime

    session = onnxruntime.InferenceSession(str(tmp_path / "net.onnx"))
    inputs = np.random.default_rng(0).standard_normal((20, 16)).astype("f4")
    answers = np.array([session.run(None, {"input": row[None]})[0].argmax() for row in inputs])
    answers[:5] = (answers[:5] + 1) % 16
    np.savez(tmp_path / "t.npz", input=inputs, label=answers)
    words = ["--device", "local", "--onnx", "net.onnx", "--test-set", "t.npz", "--processes", "2"]
    ran = orchestrate("run", *words, "--no-report", "--json")
    assert ran.returncode == 0, ran.stderr
    (record,) = (tmp_path / json.loads(ran.stdout)["path"]).glob("local/records/*.json")
    stored = json.loads(record.read_text())
    stored["validity"] = {"valid": True, "reasons": [], "warnings": []}  # however busy this machine is
    record.write_text(json.dumps(stored))
    accuracy = stored["accuracy"]
    assert (accuracy["value"], accuracy["n"], accuracy["source"]) == (75.0, 20, "measured")
    run = json.loads(ran.stdout)["run"]
    monkeypatch.chdir(tmp_path)
    limits = ["recommend", run, "--device", "local", "--max-latency", "10s", "--min-accuracy"]
    assert CliRunner().invoke(cli.build(), [*limits, "95"]).exit_code == 1
    assert "75" in CliRunner().invoke(cli.build(), [*limits, "20"]).stdout


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (RunOptions(test_set=Path("t.npz")), "--test-set is for models of your own"),
        (RunOptions(onnx=[Path("m")], pixels="unit"), "--metric and --pixels say how to judge a test set"),
        (RunOptions(onnx=[Path("m")], metric="top5"), "--metric and --pixels say how to judge a test set"),
        (RunOptions(resume="x", test_set=Path("t.npz")), "--resume goes on with what the run has planned"),
    ],
)
def test_options_that_say_nothing_alone_are_refused(options: RunOptions, told: str) -> None:
    with pytest.raises(BadInput, match=told):
        check(options)


def test_a_top5_accuracy_is_neither_subtracted_from_nor_ranked_with_a_top1(tmp_path: Path) -> None:
    """92 % by top-5 beat 80 % by top-1, and was `+16.00 to stated`."""
    made = Study(architectures=("vgg11",), ratios=(0.5, 1.0), methods=("uniform",))
    run = synthetic.write(made, tmp_path)
    for path, metric, value in zip(
        sorted(run.glob("*/records/*.json")), ("top5", "top1"), (92.0, 80.0), strict=True
    ):
        record = json.loads(path.read_text())
        stated = {"value": 76.0, "unit": "percent", "source": "stated"}
        record["job"]["model"] |= {"architecture": None, "method": None, "dataset": None, "accuracy": stated}
        record["accuracy"] = {
            "value": value,
            "unit": "percent",
            "source": "measured",
            "metric": metric,
            "n": 99,
        }
        path.write_text(json.dumps(record))
    rows = table.tidy(records.read([run]))
    assert dict(zip(rows["accuracy_metric"], rows["accuracy_difference"], strict=True)) == {
        "top5": pytest.approx(math.nan, nan_ok=True),
        "top1": pytest.approx(4.0),
    }
    answers = recommend.recommend(rows, recommend.ModelLimits())
    assert [(answer.judged_by, len(answer.others)) for answer in answers] == [("", 0), ("top-5", 0)]
    assert recommend.fronts(rows, [memory.PROCESS]) == [1, 1]


def test_outputs_that_are_no_numbers_are_said_where_the_accuracy_would_be(tmp_path: Path) -> None:
    run = synthetic.write(Study(architectures=("vgg11",), ratios=(0.5,), methods=("uniform",)), tmp_path)
    (path,) = run.glob("*/records/*.json")
    record = json.loads(path.read_text())
    record["accuracy"] = {"value": None, "source": "measured", "metric": "top1", "n": 99, "non_finite": 99}
    path.write_text(json.dumps(record))
    (row,) = table.tidy(records.read([run])).rows()
    assert math.isnan(row["accuracy"])
    assert row["accuracy_source"] == "no accuracy: NaN or infinite outputs for all images on the device"
    (answer,) = recommend.recommend(table.tidy(records.read([run])), recommend.ModelLimits(accuracy=10))
    assert answer.best is None
