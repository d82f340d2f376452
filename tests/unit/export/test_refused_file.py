"""A file that cannot be measured costs one line; the others of the same command are exported."""

import json

import numpy as np
import pytest
from onnx import helper
from typer.testing import CliRunner

from bench.cli import build
from bench.export import bundle
from bench.export.errors import ExportError
from bench.record import schema
from tests.models import mlp
from tests.unit.export.test_export_own import read, save, value


def export(*arguments):
    return CliRunner().invoke(build(), ["export", *map(str, arguments)])


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.onnx"
    path.write_text("no model")
    return path


def test_the_others_are_in_the_bundle_which_names_the_bad_one(tmp_path, bad):
    good = [mlp(tmp_path / f"good{width}.onnx", width) for width in (8, 16)]
    words = [word for path in (good[0], bad, good[1]) for word in ("--onnx", path)]
    done = export(*words, "--out", tmp_path / "out", "--json")
    assert done.exit_code == 1
    assert "bad.onnx: refused: not an ONNX file" in done.stderr
    assert str(tmp_path) not in done.stderr.replace("export 2/3", "")
    stored = schema.load(str(tmp_path / "out/bundle.json"), "bundle")
    assert [model["id"].split("-")[1] for model in stored["models"]] == ["good8", "good16"]
    assert [each["file"] for each in stored["refused"]] == ["bad.onnx"]
    assert json.loads(done.stdout)["refused"] == stored["refused"]


def test_where_all_are_bad_it_is_bad_input(tmp_path, bad):
    done = export("--onnx", bad, "--onnx", tmp_path / "absent.onnx", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert "bad.onnx: not an ONNX file" in done.stderr
    assert "absent.onnx: cannot be read" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_model_that_no_job_list_may_hold_is_refused_at_export(tmp_path):
    shape = [1] * 9
    nodes = [helper.make_node("Relu", ["x"], ["y"])]
    model = read(save(tmp_path / "m.onnx", nodes, [value("x", shape)], [value("y", shape)]))
    with pytest.raises(ExportError, match=r"^cannot be measured: inputs\[0\]\.shape has 9 elements"):
        bundle.check_own(model)


def test_names_are_those_of_any_of_the_files(tmp_path):
    """Each file takes of --input what is its own; a name that is nobody's is an error of the command."""
    for name in ("a", "b"):
        save(tmp_path / f"{name}.onnx", [helper.make_node("Relu", [name], ["y"])],
             [value(name, [2, 3])], [value("y", [2, 3])])  # fmt: skip
    given = {"a": np.ones((2, 3), "f4"), "b": np.zeros((2, 3), "f4")}
    both = ["--onnx", tmp_path / "a.onnx", "--onnx", tmp_path / "b.onnx", "--input", tmp_path / "x.npz"]
    np.savez(tmp_path / "x.npz", **given)
    assert export(*both, "--out", tmp_path / "out").exit_code == 0
    np.savez(tmp_path / "x.npz", **given, c=given["a"])
    done = export(*both, "--out", tmp_path / "other")
    assert done.exit_code == 2
    assert "--input c: no file has such an input; known: a, b" in done.stderr


def test_a_typo_is_refused_with_a_suggestion(tmp_path):
    save(tmp_path / "a.onnx", [helper.make_node("Relu", ["image"], ["y"])],
         [value("image", ["batch", 3])], [value("y", ["batch", 3])])  # fmt: skip
    words = [
        "--onnx",
        tmp_path / "a.onnx",
        "--out",
        tmp_path / "out",
        "--dim",
        "bacth=2",
        "--value",
        "imagee=1",
    ]
    done = export(*words)
    assert done.exit_code == 2
    assert "--dim bacth (did you mean batch?): no file has such a dynamic dimension" in done.stderr
    assert "--value imagee (did you mean image?): no file has such an input; known: image" in done.stderr
