"""A bundle's test set: which models get one, what is in it, and that it is the same bytes again."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from bench import data
from bench.cli import build
from bench.data import cifar
from bench.record import schema
from bench.record.files import sha256_of
from bench.runtime.__main__ import main
from tests import models

TRAINED = {"vgg11-digits-uniform-p0.0005": 24, "vgg11-digits-uniform-p0.001": 480}  # minibatch
GROUPS = """\
name: tested
groups:
  - {architectures: [vgg11], dataset: digits, methods: [uniform], ratios: [0.0005, 0.001], ratio_of: params}
"""
RANDOM = """\
  - {architectures: [mobilenetv2], dataset: digits, methods: [uniform], ratios: [0.1], ratio_of: width}
"""


def call(*arguments: Any) -> Result:
    return CliRunner().invoke(build(), [str(each) for each in arguments])


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Two networks trained for an epoch, one of them well: their folder, and what training said of them."""
    folder = tmp_path_factory.mktemp("training")
    said = {}
    for model, batch in TRAINED.items():
        options = ("--recipe", "reduced", "--epochs", 1, "--set", f"batch={batch}", "--out", folder)
        result = call("train", model, *options, "--accuracy", folder / "a.yaml", "--json")
        assert result.exit_code == 0, result.output
        said[model] = json.loads((folder / model / "seed-0/result.json").read_text())
    return {"folder": folder, "said": said}


def export(folder: Path, training: Any, text: str, *options: Any) -> Result:
    (folder / "tested.yaml").write_text(text)
    options = ("--weights", training["folder"], "--cache", training["folder"] / "cache", *options)
    return call("export", folder / "tested.yaml", "--out", folder / "bundle", *options, "--json")


def bundle(result: Result) -> dict[str, Any]:
    assert result.exit_code == 0, result.output
    contents: dict[str, Any] = json.loads(result.stdout)
    return contents


def test_trained_models_of_a_data_set_share_one_file_of_all_its_test_images(
    tmp_path: Path, training: Any
) -> None:
    found = bundle(export(tmp_path, training, GROUPS + "test_set: true\n"))
    first, second = (model["test_set"] for model in found["models"])
    path = tmp_path / "bundle" / first["file"]
    assert first == second
    assert first["sha256"] == sha256_of(path)
    images, labels = data.load("digits", "test")
    with np.load(path) as arrays:
        assert arrays["input.0"].shape == images.shape
        assert arrays["input.0"].dtype == np.float32
        assert np.array_equal(arrays["label"], labels.numpy())
    assert schema.problems({**json.loads((tmp_path / "bundle/bundle.json").read_text())}) == []
    stamp = path.read_bytes()
    (tmp_path / "again").mkdir()
    bundle(export(tmp_path / "again", training, GROUPS + "test_set: true\n"))
    assert (tmp_path / "again/bundle" / first["file"]).read_bytes() == stamp
    bundle(export(tmp_path, training, GROUPS))
    assert not path.exists()  # no model names it any more


def test_the_device_counts_what_the_training_counted(tmp_path: Path, training: Any) -> None:
    found = bundle(export(tmp_path, training, GROUPS + "test_set: true\n"))
    quick = {"processes": 1, "min_samples": 11, "max_seconds": 0.1, "min_seconds": 0}
    jobs = [models.job_of(model, id=model["id"], measure=quick) for model in found["models"]]
    listed = models.job_list(tmp_path / "jobs.json", tmp_path / "bundle", jobs, device=tmp_path.name)
    assert main([str(listed), str(tmp_path / "out")]) == 0
    for name, said in training["said"].items():
        record = schema.load(str(tmp_path / f"out/records/{name}.json"), "record")
        assert record["accuracy"]["n"] == 360
        assert record["accuracy"]["value"] == pytest.approx(said["top1"], abs=100 / 360)
    assert max(said["top1"] for said in training["said"].values()) > 20  # more than a guess


def test_a_number_takes_so_many_images_from_the_whole_of_the_split(tmp_path: Path, training: Any) -> None:
    found = bundle(export(tmp_path, training, GROUPS + "test_set: 40\n"))
    labels = data.load("digits", "test")[1].numpy()
    with np.load(tmp_path / "bundle" / found["models"][0]["test_set"]["file"]) as arrays:
        assert np.array_equal(arrays["label"], labels[::9])


def test_random_weights_get_no_test_set_and_a_line_says_what_to_train(tmp_path: Path, training: Any) -> None:
    result = export(tmp_path, training, GROUPS + RANDOM + "test_set: true\n")
    by_name = {model["id"]: model["test_set"] for model in bundle(result)["models"]}
    assert by_name.pop("mobilenetv2-digits-uniform-w0.1") is None
    assert all(by_name.values())
    (line,) = [line for line in result.stderr.splitlines() if "test set" in line]
    assert "no test set for 1 model," in line
    assert "bench train mobilenetv2-digits-uniform-w0.1" in line


def test_unless_asked_for_there_is_none(tmp_path: Path, training: Any) -> None:
    result = export(tmp_path, training, GROUPS + RANDOM)
    assert all("test_set" not in model for model in bundle(result)["models"])
    assert "test set" not in result.stderr


@pytest.mark.parametrize("value", ["0", "-3", "1.5", "many", "null"])
def test_a_switch_that_says_nothing_is_refused_with_its_line(
    tmp_path: Path, training: Any, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    result = export(tmp_path, training, f"{GROUPS}test_set: {value}\n")
    assert result.exit_code == 2
    assert "tested.yaml:4: test_set" in result.output + str(capsys.readouterr())


def test_images_that_are_not_here_are_told_with_how_to_get_them(
    tmp_path: Path, training: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules["bench.data.load"].LOADERS, "digits", "bench.data.cifar")  # a stand-in
    monkeypatch.setitem(cifar.ARCHIVES, "digits", cifar.ARCHIVES["cifar10"])
    result = export(tmp_path, training, GROUPS + "test_set: true\n", "--data", tmp_path)
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1
    assert "cifar-10-python.tar.gz does not exist" in result.output
