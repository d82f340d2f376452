"""Values given for one's own inputs arrive as they are, or are refused: nothing wraps or is overruled."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from typer.testing import CliRunner

from bench import cli
from bench.export import ExportError
from bench.export.own.request import assumption
from tests.unit.export.test_export_own import FLOAT, read, save, value

node = helper.make_node


def passing(path: Path, kind: int, shape: tuple[object, ...] = (1, 4), name: str = "x") -> Path:
    return save(path, [node("Identity", [name], ["y"])], [value(name, shape, kind)], [value("y", None, kind)])


@pytest.mark.parametrize(
    ("kind", "array", "told"),
    [
        (
            "INT8",
            np.array([[1, 2, 3, 300]]),
            "x holds 300; the model takes int8: give whole numbers from -128 to 127",
        ),
        ("UINT16", np.array([[1, 2, 3, 70000]], "u4"), "x holds 70000; the model takes uint16"),
        ("FLOAT16", np.array([[1, 2, 3, 1e6]], "f4"), "x holds 1e+06; the model takes float16"),
        ("FLOAT", np.array([[1, 2, 3, 1e300]]), "x holds 1e+300; the model takes float32"),
        ("UINT8", np.array([[1, 2, 3, -4]]), "x is of type int64, the model takes uint8"),
    ],
)
def test_an_array_that_does_not_fit_is_refused(
    tmp_path: Path, kind: str, array: np.ndarray, told: str
) -> None:
    path = passing(tmp_path / "m.onnx", getattr(TensorProto, kind))
    np.savez(tmp_path / "in.npz", x=array)
    with pytest.raises(ExportError) as caught:
        read(path, inputs=tmp_path / "in.npz")
    assert f"--input: {told}" in str(caught.value)


@pytest.mark.parametrize("kind", ["INT8", "FLOAT16", "DOUBLE"])
def test_an_array_that_fits_keeps_its_values(tmp_path: Path, kind: str) -> None:
    path = passing(tmp_path / "m.onnx", getattr(TensorProto, kind))
    np.savez(tmp_path / "in.npz", x=np.array([[1, -2, 3, 100]]))
    stored = np.load(read(path, inputs=tmp_path / "in.npz").reference)
    assert stored["input.0"].tolist() == stored["output.0"].tolist() == [[1, -2, 3, 100]]


@pytest.mark.parametrize(
    ("kind", "number", "told"),
    [
        ("BOOL", 0.5, "--value x=0.5: the model takes bool: give 0 or 1"),
        ("BOOL", 7, "--value x=7: the model takes bool"),
        ("FLOAT16", 1e6, "--value x=1e+06: the model takes float16: give numbers from -65504 to 65504"),
        ("FLOAT", 1e60, "--value x=1e+60: the model takes float32"),
        ("INT64", 1e19, "--value x=1e+19: the model takes int64: give whole numbers"),
        ("INT8", 1.5, "--value x=1.5: the model takes int8: give whole numbers"),
    ],
)
def test_a_constant_that_does_not_fit_is_refused(tmp_path: Path, kind: str, number: float, told: str) -> None:
    with pytest.raises(ExportError) as caught:
        read(passing(tmp_path / "m.onnx", getattr(TensorProto, kind)), values={"x": number})
    assert told in str(caught.value)


def test_an_input_with_an_array_takes_no_constant_besides(tmp_path: Path) -> None:
    np.savez(tmp_path / "in.npz", x=np.ones((1, 4), "f4"))
    with pytest.raises(ExportError, match="input x is given by --input and by --value: leave one out"):
        read(passing(tmp_path / "m.onnx", FLOAT), inputs=tmp_path / "in.npz", values={"x": 3})


def test_two_sizes_of_the_batch_are_refused(tmp_path: Path) -> None:
    path = passing(tmp_path / "m.onnx", FLOAT, ("N", 4))
    with pytest.raises(ExportError, match="--dim N=2 and --batch 4 are one dimension: leave one out"):
        read(path, {"N": 2}, batch=4)
    assert read(path, {"N": 4}, batch=4).entry["batch"] == 4


def test_a_batch_that_nobody_sized_is_one_and_said_to_be(tmp_path: Path) -> None:
    path = passing(tmp_path / "m.onnx", FLOAT, ("N", 4))
    model = read(path)
    assert model.entry["assumed"] == {"N": 1}
    assert assumption("m", model.entry) == "m: N is 1, a batch of one; to measure another: --dim N=SIZE"
    np.savez(tmp_path / "in.npz", x=np.ones((1, 4), "f4"))
    for told in (read(path, {"N": 1}), read(path, batch=1), read(path, inputs=tmp_path / "in.npz")):
        assert told.entry["assumed"] == {}
    command = ["export", "--out", str(tmp_path / "out"), "--onnx", str(path)]
    done = CliRunner().invoke(cli.build(), command)
    assert "N is 1, a batch of one; to measure another: --batch SIZE, or --dim N=SIZE" in done.stderr
    assert "batch of one" not in CliRunner().invoke(cli.build(), [*command, "--batch", "2"]).stderr


@pytest.mark.parametrize("option", ["--dim", "--value"])
def test_one_name_with_two_numbers_is_refused(tmp_path: Path, option: str) -> None:
    path = passing(tmp_path / "m.onnx", FLOAT, ("N", 4))
    command = ["export", "--out", str(tmp_path / "out"), "--onnx", str(path), option, "N=2", option, "N=3"]
    done = CliRunner().invoke(cli.build(), command)
    assert done.exit_code == 2
    assert f"{option} N is given twice, as 2 and 3" in done.output


@pytest.mark.parametrize("name", ["x\ny", "\x1b[31mred", "a\tb", "‮abc"])
def test_a_dimension_of_an_input_that_nobody_can_type_has_a_name_that_one_can(
    tmp_path: Path, name: str
) -> None:
    path = passing(tmp_path / "m.onnx", FLOAT, (None, 4, None), name)
    with pytest.raises(ExportError) as caught:
        read(path)
    advice = str(caught.value)
    assert advice.isprintable()
    typed = advice.partition("--dim '")[2].partition("=SIZE'")[0]
    assert read(path, {typed: 5}).entry["inputs"][0]["shape"] == [1, 4, 5]


def test_what_fails_for_made_up_values_is_not_blamed_on_the_file(tmp_path: Path) -> None:
    """The checker wants output shapes, onnxruntime does not: its own reason counts once a file is loaded."""
    wide = node("OneHot", ["i", "d", "v"], ["y"])
    inputs = [value("i", [2], TensorProto.INT64), value("d", [], TensorProto.INT64)]
    path = save(tmp_path / "m.onnx", [wide], inputs, [value("y", None)], {"v": np.array([0, 1], "f4")})
    with pytest.raises(
        ExportError, match=r"OneHot: Depth is negative.* \(for made-up inputs; give real ones"
    ):
        read(path)
    assert read(path, values={"d": 3}).entry["inputs"][1]["shape"] == []


def test_a_file_whose_name_breaks_the_line_and_a_tiny_one_are_shown_as_they_are(tmp_path: Path) -> None:
    """A 32-MAC model had 0.0 million MACs and 0.00 MB."""
    (tmp_path / "a\nb.onnx").write_bytes(b"x")
    weights = {"w": np.ones((4, 8), "f4")}
    small = save(tmp_path / "m.onnx", [node("MatMul", ["x", "w"], ["y"])], [value("x", [1, 4])],
                 [value("y", [1, 8])], weights)  # fmt: skip
    command = [
        "export",
        "--out",
        str(tmp_path / "out"),
        "--onnx",
        str(small),
        "--onnx",
        str(tmp_path / "a\nb.onnx"),
    ]
    done = CliRunner().invoke(cli.build(), command)
    assert done.exit_code == 1
    assert "export 2/2 a b.onnx\n" in done.stderr
    assert "bench: a b.onnx: refused: not an ONNX file" in done.stderr
    [row] = [line.split() for line in done.stdout.splitlines() if line.startswith(" onnx-m-")]
    assert row[1:3] == ["32", "3.2e-05"]
    assert float(row[3]) > 0


def test_an_input_without_a_type_is_called_so(tmp_path: Path) -> None:
    path = passing(tmp_path / "m.onnx", FLOAT)
    model = onnx.load(str(path))
    model.graph.input[0].ClearField("type")
    onnx.save(model, str(path))
    with pytest.raises(ExportError, match="input x has no type"):
        read(path)
