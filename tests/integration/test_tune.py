"""`orchestrate tune` on this machine: killed, gone on with, and a profile that `bench cost predict` reads."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bench.cost.profile import find_profile
from bench.record import schema
from tests.conftest import PATIENCE, ROOT

pytestmark = pytest.mark.integration
# Fewer and shorter measurements than a profile worth having needs, a network of each architecture among them.
# Turns that disagree are measured again, twice at most: on a busy machine nearly all.
FEW = """
from orchestrate.execution import tune
class Short(tune.TuneStage):
    def words(self, number, measured):
        return [*super().words(number, measured), "--seconds", "0.05"]
tune.AGAIN = 0
tune.Tuning.stages = lambda wanted: [Short(parts=8, networks=4)]
from orchestrate.cli import main
main()
"""
COUNT = 12  # the least that a fit takes
TUNE = [sys.executable, "-c", FEW, "tune", "--device", "local", "--measurements", "16", "--json"]
WIDTHS = "16,32,33,64,64,64,64,64"


def start(folder: Path) -> "subprocess.Popen[str]":
    locks = folder / "locks"
    locks.mkdir(exist_ok=True)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "ORBITBENCH_LOCK_DIR": str(locks)}
    pipe = subprocess.PIPE
    return subprocess.Popen(TUNE, cwd=folder, env=env, stdout=pipe, stderr=pipe, text=True, bufsize=1)


@pytest.fixture(scope="module")
def tuned(tmp_path_factory) -> tuple[Path, dict, str]:
    """A tuning that was killed after its second measurement and then run again; what it said of both."""
    folder = tmp_path_factory.mktemp("tune")
    first = start(folder)
    for line in first.stderr:
        if f" 2/{2 * COUNT} " in line:  # each measurement has one more process, of the profiler
            break
    first.send_signal(signal.SIGTERM)
    _, rest = first.communicate(timeout=PATIENCE)
    assert first.returncode == 130, rest
    again = start(folder)
    out, err = again.communicate()  # as long as the suite lets it: a busy machine needs minutes
    assert again.returncode == 0, err
    return folder, json.loads(out), err


def test_a_killed_tuning_goes_on_with_what_it_has(tuned):
    folder, said, err = tuned
    assert "resuming" in err
    runs = list(folder.glob("results/tuning/local-*/*-tune"))
    assert len(runs) == 1
    assert said["measurements"] == COUNT


def test_the_profile_is_of_this_environment_and_predicts(tuned):
    import onnxruntime

    folder, said, _ = tuned
    profile = find_profile(str(folder / said["profile"]))
    assert profile.environment.version == onnxruntime.__version__
    assert profile.environment.model_dump(include={"device", "backend", "precision", "threads"}) == {
        "device": "local", "backend": "onnxruntime", "precision": "fp32", "threads": 1,
    }  # fmt: skip
    command = [sys.executable, "-m", "bench.cli", "cost", "predict", "vgg11", "-d", "cifar10", "--json"]
    done = subprocess.run(
        [*command, "--widths", WIDTHS],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert 0 < found["latency"]["low"] < found["latency"]["value"] < found["latency"]["high"]
    assert found["process"]["value"] > 10e6


def test_every_record_of_a_tuning_is_an_ordinary_record(tuned):
    records = list(tuned[0].glob("results/tuning/local-*/*-tune/local/records/*.json"))
    assert len(records) == COUNT
    for path in records:
        record = schema.load(str(path), "record")
        assert len(record["latency"]["processes"][0]["turns"]) >= 5
