"""A tiny tuning of the emulated board: the whole path runs, and nothing of it enters a verdict."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import synthetic
from tests.conftest import ROOT
from tests.service.arm64 import Bench, bench, pi4
from tests.service.qboard import NAME, QBoard
from tests.synthetic import Study

pytestmark = [pytest.mark.service, pytest.mark.slow]
MEASUREMENTS = 16  # the fewest that `orchestrate tune` takes
SECONDS = 7200  # 32 processes, each of which starts for a minute there
__all__ = ["bench", "pi4"]  # fixtures


@pytest.fixture(scope="module")
def profile(bench: Bench, pi4: str, emulated_board: QBoard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The profile that tuning leaves."""
    folder = tmp_path_factory.mktemp("tuning")
    bench.environment["ORBITBENCH_SSH_CONFIG"] = str(emulated_board.ssh_config)
    bench.images("load", "--device", NAME)
    words = ("--measurements", str(MEASUREMENTS), "--out", str(folder / f"{NAME}.yaml"))
    done = bench.orchestrate(
        "tune", "--device", NAME, *words, "--results", str(folder / "results"), timeout=SECONDS
    )
    assert done.returncode == 0, done.stderr
    assert "the CPU is emulated" in done.stdout
    return folder / f"{NAME}.yaml"


def asked(*words: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "bench.cli", *words, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_profile_is_of_the_board_and_marked(profile: Path) -> None:
    data = yaml.safe_load(profile.read_text())
    assert data["emulated"]
    where = data["environment"]
    assert (where["device"], where["backend"], where["precision"]) == (NAME, "onnxruntime", "fp32")
    assert len(data["measurements"]) == MEASUREMENTS
    assert all(each["memory"]["process"] > 10_000_000 for each in data["measurements"])


def test_what_it_predicts_is_marked(profile: Path) -> None:
    words = ("vgg11", "-d", "cifar10", "--device", str(profile), "--extrapolate", "--no-measure")
    found = asked("scale", *words, "--max-memory", "90MB")
    assert found["emulated"]
    assert found["predicted"]["memory"]["value"] <= 90e6


def test_it_enters_no_verdict(profile: Path, bench: Bench, tmp_path: Path) -> None:
    study = Study(architectures=("vgg11",), devices=("a",), samples=20, run="r")
    synthetic.write(study, tmp_path)
    done = bench.orchestrate(
        "recommend",
        "r",
        "--results",
        str(tmp_path),
        "--profile",
        str(profile),
        "--max-latency",
        "10s",
        "--json",
    )
    assert done.returncode == 0, done.stderr
    assert [answer["predicted"] for answer in json.loads(done.stdout)] == [[]]
    assert "emulated" in done.stderr
