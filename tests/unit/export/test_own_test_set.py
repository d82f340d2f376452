"""A labelled test set for a model of one's own: what fits goes into the bundle, what does not is one line."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from PIL import Image
from typer.testing import CliRunner

from bench.cli import build
from bench.export.errors import ExportError
from bench.export.own import images, labelled
from bench.export.own.request import OwnRequest, Prepared
from bench.record import schema
from tests.unit.export.test_export_own import read, save, value

UINT8 = TensorProto.UINT8


def flat(path: Path, shape: tuple[int, ...] = (1, 3, 4, 4), kind: int = TensorProto.FLOAT) -> Path:
    """A network whose outputs are the inputs themselves, as floats."""
    count = int(np.prod(shape[1:]))
    nodes = [
        helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["f"], ["y"]),
    ]
    return save(path, nodes, [value("x", shape, kind)], [value("y", [shape[0], count])])


def added(model: Prepared, source: Path, folder: Path, **more: Any) -> tuple[np.ndarray, np.ndarray]:
    made = labelled.add(model, OwnRequest(test_set=source, **more), folder)
    stored = np.load(made.test_set)  # type: ignore[arg-type]
    return stored["input.0"], stored["label"]


def npz(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("name", ["x", "input.0", "images"])
@pytest.mark.parametrize("label", ["label", "labels", "y"])
def test_an_npz_holds_labels_and_the_input_by_any_name_where_it_is_the_only_one(
    tmp_path: Path, name: str, label: str
) -> None:
    given = np.arange(2 * 48, dtype="u1").reshape(2, 3, 4, 4)
    source = npz(tmp_path / "t.npz", **{name: given, label: np.array([3, 47])})
    found, labels = added(read(flat(tmp_path / "m.onnx")), source, tmp_path)
    assert found.dtype == np.float32
    assert np.array_equal(found, given)
    assert labels.tolist() == [3, 47]


ONES, TWO = np.ones((2, 3, 4, 4), "f4"), np.array([0, 1])
WRONG = {
    "no labels": ({"x": ONES}, "holds no array of labels; call it label, labels or y"),
    "two inputs": ({"a": ONES, "b": ONES, "y": np.array([0, 1])}, "no array for the input x"),
    "shape": ({"x": ONES[:, :2], "y": np.array([0, 1])}, r"shape \[2, 2, 4, 4\], the model takes \[2, 3"),
    "count": ({"x": ONES, "y": np.array([0])}, "2 images and 1 labels: give one label an image"),
    "two labels": ({"x": ONES, "y": TWO, "label": TWO}, "several arrays of labels: label, y"),
    "not a number": ({"x": ONES * np.nan, "y": np.array([0, 1])}, "images hold NaN or infinite values"),
    "too large": ({"x": ONES.astype("f8") * 1e300, "y": TWO}, "the array of images holds 1e\\+300"),
    "label beyond": ({"x": ONES, "y": np.array([0, 48])}, "label 48 is not among the model's outputs: 0 to"),
    "label below": ({"x": ONES, "y": np.array([0, -1])}, "label -1 is not among the model's outputs: 0 to"),
    "labels of floats": ({"x": ONES, "y": np.array([0.0, 1.0])}, "labels are one whole number an image"),
    "type": ({"x": ONES.astype(complex), "y": np.array([0, 1])}, "images are of type complex128"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_an_npz_that_does_not_fit_is_refused_in_one_line(tmp_path: Path, case: str) -> None:
    arrays, told = WRONG[case]
    source = npz(tmp_path / "t.npz", **arrays)
    with pytest.raises(ExportError, match=told) as error:
        added(read(flat(tmp_path / "m.onnx")), source, tmp_path)
    assert str(error.value).startswith(f"--test-set {source}: ")
    assert "\n" not in str(error.value)


def test_a_file_that_is_no_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.npz").write_text("no archive")
    with pytest.raises(ExportError, match="not an npz file"):
        added(read(flat(tmp_path / "m.onnx")), tmp_path / "t.npz", tmp_path)


def test_top5_needs_five_outputs(tmp_path: Path) -> None:
    model = read(flat(tmp_path / "m.onnx", (1, 1, 2, 2)))
    source = npz(tmp_path / "t.npz", x=np.ones((1, 1, 2, 2), "f4"), y=np.array([0]))
    with pytest.raises(ExportError, match="--metric top5: the model has only 4 outputs"):
        added(model, source, tmp_path, metric="top5")


def test_a_model_of_two_inputs_has_no_test_set(tmp_path: Path) -> None:
    nodes = [helper.make_node("Add", ["a", "b"], ["y"])]
    model = read(
        save(tmp_path / "m.onnx", nodes, [value("a", [1, 4]), value("b", [1, 4])], [value("y", [1, 4])])
    )
    with pytest.raises(ExportError, match=r"needs a model with one input .*; this one has 2"):
        added(model, npz(tmp_path / "t.npz", a=ONES, y=np.array([0, 1])), tmp_path)


# -- folders of images --------------------------------------------------------------------------------------
@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A white and a red picture, one wider than high."""
    place = tmp_path / "pictures"
    (place / "sub").mkdir(parents=True)
    Image.new("RGB", (8, 4), "white").save(place / "w.png")
    Image.new("RGB", (4, 4), "red").save(place / "sub/a red.png")
    (place / "labels.csv").write_text("file,label\nw.png,7\nsub/a red.png, 0\n\n")
    return place


def test_pictures_become_what_the_network_takes(tmp_path: Path, folder: Path) -> None:
    found, labels = added(read(flat(tmp_path / "m.onnx")), folder, tmp_path)
    assert found.shape == (2, 3, 4, 4)
    assert labels.tolist() == [7, 0]
    assert found[:, :, 1, 1].tolist() == [[1, 1, 1], [1, 0, 0]]


SCALES = {"unit": [1, 0, 0], "signed": [1, -1, -1], "raw": [255, 0, 0],
          "imagenet": [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]}  # fmt: skip


@pytest.mark.parametrize("pixels", SCALES)
def test_pixels_are_scaled_as_asked(folder: Path, pixels: str) -> None:
    found, _ = images.read(folder, [3, 4, 4], "float32", pixels)
    assert found[1, :, 1, 1].tolist() == pytest.approx(SCALES[pixels], abs=1e-6)


def test_bytes_stay_bytes_and_channels_may_be_last(folder: Path) -> None:
    found, _ = images.read(folder, [4, 4, 3], "uint8", None)
    assert found.dtype == np.uint8
    assert found[1, 1, 1].tolist() == [255, 0, 0]
    assert images.read(folder, [1, 4, 4], "float32", None)[0].shape == (2, 1, 4, 4)


def test_a_list_without_heading_and_with_blanks_will_do(folder: Path) -> None:
    (folder / "labels.csv").unlink()
    (folder / "labels.txt").write_text("w.png 7\nsub/a red.png\t0\n")
    assert images.read(folder, [3, 4, 4], "float32", None)[1].tolist() == [7, 0]


def replaced(text: str) -> Any:
    return lambda folder: (folder / "labels.csv").write_text(text)


BAD = {
    "no list": (lambda f: (f / "labels.csv").unlink(), "needs labels.csv: a line an image"),
    "empty list": (replaced("file,label\n"), "labels.csv names no image"),
    "no label": (replaced("w.png,1\nx.png\n"), "labels.csv:2: give an image's file and its label"),
    "missing": (replaced("gone.png,1\n"), "gone.png cannot be read as an image"),
    "no image": (replaced("labels.csv,1\n"), "labels.csv cannot be read as an image"),
    "outside": (replaced("../secret.png,1\n"), "../secret.png: leads out of the folder"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_folder_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, folder: Path, case: str) -> None:
    spoil, told = BAD[case]
    spoil(folder)
    with pytest.raises(ExportError, match=told) as error:
        added(read(flat(tmp_path / "m.onnx")), folder, tmp_path)
    assert "\n" not in str(error.value)


def test_scaling_that_an_integer_input_cannot_take_is_refused(folder: Path) -> None:
    with pytest.raises(ExportError, match="--pixels unit: the model takes uint8, so raw is all that fits"):
        images.read(folder, [3, 4, 4], "uint8", "unit")


def test_an_input_that_is_no_picture_is_refused(folder: Path) -> None:
    with pytest.raises(ExportError, match=r"images do not fit an input of \[16\]"):
        images.read(folder, [16], "float32", None)


# -- the command --------------------------------------------------------------------------------------------
def export(*words: Any) -> Any:
    return CliRunner().invoke(build(), ["export", *map(str, words)])


def test_the_bundle_names_test_set_and_metric(tmp_path: Path, folder: Path) -> None:
    out = tmp_path / "out"
    done = export(
        "--onnx", flat(tmp_path / "m.onnx"), "--test-set", folder, "--metric", "top5", "--out", out, "--json"
    )
    assert done.exit_code == 0, done.output
    (model,) = schema.load(str(out / "bundle.json"), "bundle")["models"]
    assert model["test_set"]["metric"] == "top5"
    assert (out / model["test_set"]["file"]).is_file()
    assert json.loads(done.stdout)["models"][0]["test_set"] == model["test_set"]


def test_a_file_that_it_does_not_fit_is_refused_and_the_others_are_not(tmp_path: Path, folder: Path) -> None:
    fits, other = flat(tmp_path / "fits.onnx"), flat(tmp_path / "other.onnx", (1, 5))
    done = export("--onnx", fits, "--onnx", other, "--test-set", folder, "--out", tmp_path / "out")
    assert done.exit_code == 1
    assert "other.onnx: refused: --test-set" in done.stderr
    assert "images do not fit an input of [5]" in done.stderr


def test_it_needs_a_file_of_ones_own(tmp_path: Path, folder: Path) -> None:
    done = export("smoke", "--test-set", folder, "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "--test-set is for models of your own" in done.stderr
