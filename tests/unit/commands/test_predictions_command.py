"""`bench predictions` over networks of anybody's records: what cannot be predicted costs nothing else."""

import json
from pathlib import Path

from typer.testing import CliRunner

from bench.cli import build
from bench.cost.profile import save_profile
from tests.unit.cost.synthetic_profile import profile


def test_a_network_that_cannot_be_predicted_is_left_out_and_counted(tmp_path: Path) -> None:
    save_profile(profile(), tmp_path / "made-up.yaml")
    good = {"id": "good", "architecture": "vgg11", "dataset": "cifar10", "widths": [16, 32, 33, *[64] * 5]}
    networks = [
        {**good, "id": "wide", "widths": [2**52] * 8},
        {**good, "id": "unknown", "architecture": "alexnet"},
        {**good, "id": "other data", "dataset": "faces"},
        {**good, "id": "of seven layers", "widths": [16] * 7},
        {**good, "id": "large images", "dataset": "imagenet"},
        good,
    ]
    words = ["predictions", str(tmp_path / "made-up.yaml")]
    done = CliRunner().invoke(build(), words, input=json.dumps(networks))
    assert done.exit_code == 0, done.output
    [row] = json.loads(done.stdout)
    assert row["model"] == "good"
    assert row["latency"]["low"] < row["latency"]["value"] < row["latency"]["high"]
    [line] = done.stderr.splitlines()
    assert line.startswith(
        "profile made-up predicts 1 of 6 networks; of the others the first: vgg11 on cifar10"
    )
    assert "--extrapolate" not in line  # no option of those who ask here
