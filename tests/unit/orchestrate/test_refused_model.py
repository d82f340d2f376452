"""A model that cannot be measured is left out of a run, which says so and ends with exit code 1."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.record import schema
from orchestrate import cli
from orchestrate.devices import Device
from orchestrate.errors import BadInput
from orchestrate.execution import own_words
from orchestrate.runs import plan
from tests.conftest import PATIENCE
from tests.models import mlp
from tests.unit.orchestrate import sample

ROOT = Path(__file__).resolve().parents[3]


def torch_device() -> Device:
    return Device.model_validate({"transport": "process", "backend": "torch"})


def test_a_file_that_one_device_cannot_run_is_refused_there_alone() -> None:
    bundle = sample.bundle("net", "half")
    bundle["models"][1]["precision"] = "fp16"
    made = plan.plan(bundle, {"local": sample.device(), "torch": torch_device()}, "1")
    jobs = {name: [job["model"]["id"] for job in part["jobs"]] for name, part in made["devices"].items()}
    assert jobs == {"local": ["net", "half"], "torch": ["net"]}
    (refused,) = made["refused"]
    assert plan.refusal(refused).startswith("half: refused on torch: backend torch does not run a file that")
    assert not plan.problems(plan.for_run(made, "20260101-000000-x", "2026-01-01T00:00:00Z"))


def test_a_device_that_can_run_none_ends_the_command() -> None:
    bundle = sample.bundle("half")
    bundle["models"][0]["precision"] = "fp16"
    with pytest.raises(BadInput, match="torch: half: backend torch does not run a file that is fp16"):
        plan.plan(bundle, {"local": sample.device(), "torch": torch_device()}, "1")


def test_nothing_refused_leaves_the_plan_as_it_was() -> None:
    assert "refused" not in plan.plan(sample.bundle("a"), {"local": sample.device()}, "1")


def test_what_is_said_of_a_refused_file_is_left_aside_and_never_taken_for_another_one() -> None:
    good = {"id": "onnx-good-01234567", "batch": 1}
    found = own_words.with_accuracy([good], ["bad=50", "good=90"], ["bad.onnx"])
    assert found == [{**good, "accuracy": {"value": 90.0, "source": "stated"}}]
    assert own_words.with_names([good], ["bad=other"], ["bad.onnx"]) == [good]
    with pytest.raises(BadInput, match="--accuracy 90: of which file"):
        own_words.with_accuracy([good], ["90"], ["bad.onnx"])
    with pytest.raises(BadInput, match="no file is called ''"):
        own_words.with_accuracy([{"id": "zoo", "architecture": "vgg11"}], ["90"])


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ORBITBENCH_LOCK_DIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = [sys.executable, "-m", "orchestrate.cli", "run"]

    def invoke(*words: str) -> "subprocess.CompletedProcess[str]":
        command = [*program, *words, "--no-report", "--json"]
        return subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False
        )

    return invoke


def test_a_run_measures_the_others_and_remembers_the_bad_one(
    tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sample.quick_local(tmp_path)
    mlp(tmp_path / "good.onnx", 16)
    (tmp_path / "bad.onnx").write_text("no model")
    first = run("--device", "local", "--onnx", "bad.onnx", "--onnx", "good.onnx")
    assert first.returncode == 1, first.stderr
    said = json.loads(first.stdout)
    assert said["devices"]["local"]["ok"] == said["devices"]["local"]["jobs"] == 1
    assert said["refused"] == ["bad.onnx: refused: not an ONNX file, or a truncated one (8 bytes)"]
    folder = tmp_path / said["path"]
    schema.load(str(folder / "bundle/bundle.json"), "bundle")
    schema.load(str(folder / "local/jobs.json"), "jobs")
    monkeypatch.chdir(tmp_path)
    again = CliRunner().invoke(cli.build(), ["run", "--resume", said["run"], "--no-report", "--json"])
    assert again.exit_code == 1
    assert json.loads(again.stdout)["refused"] == said["refused"]
