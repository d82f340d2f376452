"""`imagenet` without its data: scaled and exported; what needs data is refused in one line."""

import json
from pathlib import Path

import onnx
import pytest
from typer.testing import CliRunner, Result

from bench.cli import build
from bench.export import count

EXPERIMENT = """
name: small-imagenet
description: the smallest of each, at 224 pixels
groups:
  - {architectures: [vgg11, mobilenetv2, preact_resnet18, resnet50], dataset: imagenet, methods: [uniform],
     ratios: [0.1], ratio_of: width}
"""


def bench(*args: str) -> Result:
    return CliRunner().invoke(build(), list(args))


def test_scale_hits_a_quarter_of_resnet50s_parameters() -> None:
    command = "scale resnet50 --dataset imagenet --method uniform --ratio 0.25 --ratio-of params --json"
    result = json.loads(bench(*command.split()).stdout)
    assert result["target_params"] == pytest.approx(25_557_032 / 4)
    assert result["params"] == pytest.approx(25_557_032 / 4, rel=0.005)


def test_export_writes_networks_for_224_pixels_and_a_thousand_classes(tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(EXPERIMENT)
    result = bench("export", str(file), "--out", str(tmp_path / "bundle"), "--cache", str(tmp_path / "cache"))
    assert result.exit_code == 0, result.output
    models = json.loads((tmp_path / "bundle/bundle.json").read_text())["models"]
    assert len(models) == 4
    for model in models:
        graph = onnx.load(tmp_path / "bundle" / model["file"])
        shapes = [
            [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            for value in (*graph.graph.input, *graph.graph.output)
        ]
        assert shapes == [[1, 3, 224, 224], [1, 1000]]
        assert count.macs(graph) == model["macs"]


@pytest.mark.parametrize(
    "command",
    [
        "train resnet50-imagenet-uniform-p0.25",
        "train resnet50-imagenet-uniform-p0.25 --recipe reduced",
        "search resnet50 --dataset imagenet",
        "search vgg11 --dataset imagenet --recipe reduced",
    ],
)
def test_without_a_loader_nothing_is_trained(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = bench(*command.split())
    assert result.exit_code == 2
    expected = "no loader for dataset 'imagenet'; known: cifar10, cifar100, tinyimagenet, digits"
    assert result.stderr.strip() == f"bench: {expected}"
    assert list(tmp_path.iterdir()) == []
