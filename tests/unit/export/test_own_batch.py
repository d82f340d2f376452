"""`--batch 1,8` of one's own files: a dynamic batch axis takes each size, a fixed one is refused clearly."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench import cli
from bench.export import ExportError, OwnFiles, export
from bench.export.own.request import OwnRequest
from tests.unit.export.test_own_kinds import conv


def shapes(contents: dict) -> list[tuple[str, int, list[int]]]:
    return [
        (model["id"].rpartition("-")[0], model["batch"], model["inputs"][0]["shape"])
        for model in contents["models"]
    ]


def test_a_dynamic_batch_takes_every_size(tmp_path: Path) -> None:
    file = conv(tmp_path / "net.onnx", ["N", 3, 8, 8])
    contents = export(tmp_path / "out", None, OwnFiles([file]), batches=[1, 8])
    assert shapes(contents) == [("onnx-net", 1, [1, 3, 8, 8]), ("onnx-net-b8", 8, [8, 3, 8, 8])]
    for model in contents["models"]:
        arrays = np.load(tmp_path / "out" / model["reference"]["file"])
        assert arrays["input.0"].shape[0] == arrays["output.0"].shape[0] == model["batch"]


def test_a_fixed_batch_is_measured_as_it_is_and_refused_as_another(tmp_path: Path) -> None:
    file = conv(tmp_path / "net.onnx", [1, 3, 8, 8])
    contents = export(tmp_path / "out", None, OwnFiles([file]), batches=[1, 8])
    assert shapes(contents) == [("onnx-net", 1, [1, 3, 8, 8])]
    (refused,) = contents["refused"]
    assert refused["reason"].startswith("--batch 8: the first axis of input x is fixed at 1; export it with")
    with pytest.raises(ExportError, match="--batch 8: the first axis of input x is fixed at 1"):
        export(tmp_path / "other", None, OwnFiles([file]), batches=[8])


def test_a_size_by_name_wins_over_the_batch(tmp_path: Path) -> None:
    file = conv(tmp_path / "net.onnx", ["N", 3, "H", 8])
    contents = export(tmp_path / "out", None, OwnFiles([file], OwnRequest({"H": 16})), batches=[2])
    assert shapes(contents) == [("onnx-net-b2", 2, [2, 3, 16, 8])]


@pytest.mark.parametrize("text", ["0", "1,,2", "x", "1025", "1.5", ""])
def test_a_wrong_batch_is_named(tmp_path: Path, text: str) -> None:
    done = CliRunner().invoke(
        cli.build(), ["export", "demo", "--batch", text, "--out", str(tmp_path / "out")]
    )
    assert done.exit_code == 2
    assert "--batch" in done.output
    assert "whole numbers from 1 to 1024" in " ".join(done.output.split())
