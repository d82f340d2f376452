"""A user's own ONNX file is measured as it is, or refused in one line that says why."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.export import ExportError
from bench.export.own import values
from bench.export.own.prepare import prepare
from bench.export.own.request import OwnRequest, Prepared
from bench.record import onnx_graph
from tests import matrix

FLOAT = TensorProto.FLOAT


def read(path: Path, dims: dict[str, int] | None = None, **more: Any) -> Prepared:
    """What becomes of a file, its two files in a new folder beside it."""
    return prepare(path, OwnRequest(dims or {}, **more), Path(tempfile.mkdtemp(dir=path.parent)))


def value(name, shape, kind=FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def save(path, nodes, inputs, outputs, weights=(), opset=13, ir=8, external=False, domains=()):
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in dict(weights).items()]
    graph = helper.make_graph(nodes, "own", inputs, outputs, tensors)
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(name, 1) for name in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=ir)
    options = {"save_as_external_data": True, "location": "w.bin", "size_threshold": 0} if external else {}
    onnx.save(model, str(path), **options)
    return path


def dense(path, batch=1, features=4, **options):
    """y = x w: 4 x 3 weights, MACs 12 a row."""
    weights = {"w": np.ones((4, 3), "f4")}
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return save(path, [node], [value("x", [batch, features])], [value("y", [batch, 3])], weights, **options)


def unary(path, operator="Relu", kind=FLOAT, shape=(1, 4), **options):
    inputs, outputs = [value("x", shape, kind)], [value("y", shape, kind)]
    return save(path, [helper.make_node(operator, ["x"], ["y"])], inputs, outputs, **options)


def test_a_static_model_keeps_its_shape_and_is_counted(tmp_path):
    model = read(dense(tmp_path / "my net!.onnx"))
    assert model.id.startswith("onnx-my-net-")
    assert model.entry["params"] == 12
    assert model.entry["macs"] == 12
    assert model.entry["inputs"] == [{"name": "x", "shape": [1, 4], "dtype": "float32"}]
    reference = np.load(model.reference)
    assert np.allclose(reference["output.0"], reference["input.0"].sum() * np.ones(3))


def test_a_dynamic_first_dimension_is_a_batch_of_one_unless_told(tmp_path):
    path = dense(tmp_path / "m.onnx", batch="N")
    assert read(path).entry["inputs"][0]["shape"] == [1, 4]
    larger = read(path, {"N": 8})
    assert (larger.entry["inputs"][0]["shape"], larger.entry["batch"], larger.entry["macs"]) == (
        [8, 4],
        8,
        96,
    )
    static = onnx.load(larger.model)
    assert [d.dim_value for d in static.graph.output[0].type.tensor_type.shape.dim] == [8, 3]


def test_other_dynamic_dimensions_are_asked_for_by_name(tmp_path):
    path = unary(tmp_path / "m.onnx", shape=("N", "length", None))
    with pytest.raises(ExportError, match=r"--dim length=SIZE --dim x\.2=SIZE$"):
        read(path)
    model = read(path, {"length": 5, "x.2": 6})
    assert model.entry["inputs"][0]["shape"] == [1, 5, 6]
    assert set(model.known_dims) == {"N", "length", "x.2"}


@pytest.mark.parametrize(
    "dtype", ["float16", "float32", "float64", "int8", "uint8", "int32", "int64", "bool"]
)
def test_every_tensor_type_a_network_takes_is_measured_in_that_type(tmp_path, dtype):
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model = read(unary(tmp_path / "m.onnx", "Identity", kind))
    assert model.entry["inputs"][0]["dtype"] == dtype
    reference = np.load(model.reference)
    assert reference["input.0"].dtype == dtype
    assert np.array_equal(reference["input.0"], reference["output.0"])


def test_integers_are_valid_indices_into_a_small_table(tmp_path):
    node = helper.make_node("Gather", ["table", "x"], ["y"])
    table = np.array([[1.0, 2.0], [3.0, 4.0]], "f4")
    inputs, outputs = [value("x", [1, 7], TensorProto.INT64)], [value("y", [1, 7, 2])]
    model = read(save(tmp_path / "m.onnx", [node], inputs, outputs, {"table": table}))
    assert np.load(model.reference)["output.0"].shape == (1, 7, 2)


@pytest.mark.parametrize("operator", ["Gather", "Cast", "Constant"])
def test_a_node_that_takes_and_gives_nothing_ends_no_reading(tmp_path, operator):
    nodes = [helper.make_node("Relu", ["x"], ["y"]), helper.make_node(operator, [], [])]
    path = save(tmp_path / "m.onnx", nodes, [value("x", [1])], [value("y", [1])])
    assert values.index_ranges(onnx.load(path)) == {}
    assert onnx_graph.read(str(path)) is not None


def test_several_inputs_and_outputs_are_referenced_in_order(tmp_path):
    nodes = [helper.make_node("Sub", ["a", "b"], ["d"]), helper.make_node("Add", ["a", "b"], ["s"])]
    inputs, outputs = [value("a", [2]), value("b", [2])], [value("d", [2]), value("s", [2])]
    model = read(save(tmp_path / "m.onnx", nodes, inputs, outputs))
    arrays = np.load(model.reference)
    assert not np.array_equal(arrays["input.0"], arrays["input.1"])
    assert np.allclose(arrays["input.0"] - arrays["input.1"], arrays["output.0"])


def test_weights_in_a_second_file_are_taken_into_the_one_file(tmp_path):
    path = dense(tmp_path / "m.onnx", external=True)
    inside = read(path).model
    (tmp_path / "w.bin").unlink()
    (weight,) = onnx.load(inside).graph.initializer
    assert np.array_equal(numpy_helper.to_array(weight), np.ones((4, 3), "f4"))


def test_the_id_tells_two_contents_apart_and_the_same_content_again(tmp_path):
    a, b = dense(tmp_path / "a.onnx", batch="N"), dense(tmp_path / "b.onnx", batch="N")
    assert read(a).id == read(a, {"N": 1}).id
    assert read(a).id != read(a, {"N": 2}).id
    assert read(a).id[-8:] == read(b).id[-8:]


def test_macs_are_unknown_rather_than_wrong_where_an_operator_is_not_understood(tmp_path):
    nodes = [helper.make_node("Einsum", ["x", "w"], ["y"], equation="ij,jk->ik")]
    weights = {"w": np.ones((4, 3), "f4")}
    path = save(tmp_path / "m.onnx", nodes, [value("x", [1, 4])], [value("y", [1, 3])], weights)
    entry = read(path).entry
    assert (entry["params"], entry["macs"]) == (12, None)


def test_shape_constants_and_running_statistics_are_no_parameters(tmp_path):
    nodes = [
        helper.make_node("BatchNormalization", ["x", "scale", "shift", "mean", "var"], ["n"]),
        helper.make_node("Reshape", ["n", "shape"], ["y"]),
    ]
    weights = {name: np.ones(3, "f4") for name in ("scale", "shift", "mean", "var")}
    weights["shape"] = np.array([1, 12])
    path = save(tmp_path / "m.onnx", nodes, [value("x", [1, 3, 2, 2])], [value("y", [1, 12])], weights)
    assert read(path).entry["params"] == 6


def truncated(path):
    raw = dense(path).read_bytes()
    path.write_bytes(raw[: len(raw) // 2])
    return path


def written(path, data):
    path.write_bytes(data)
    return path


def outside(path):
    dense(path, external=True)
    model = onnx.load(str(path), load_external_data=False)
    next(
        e for e in model.graph.initializer[0].external_data if e.key == "location"
    ).value = "../../etc/passwd"
    return written(path, model.SerializeToString())


def without_weights(path):
    dense(path, external=True)
    (path.parent / "w.bin").unlink()
    return path


def of_text(path):
    return unary(path, "Identity", TensorProto.STRING)


def without_rank(path):
    model = onnx.load(str(unary(path)))
    model.graph.input[0].type.tensor_type.ClearField("shape")
    return written(path, model.SerializeToString())


def giving(path, operator):
    """log of a negative number is NaN; random numbers differ from run to run."""
    if operator == "RandomNormalLike":
        return unary(path, operator)
    nodes = [helper.make_node("Abs", ["x"], ["a"]), helper.make_node("Neg", ["a"], ["b"])]
    nodes += [helper.make_node("Log", ["b"], ["y"])]
    return save(path, nodes, [value("x", [1, 4])], [value("y", [1, 4])])


def wired_wrongly(path):
    node = helper.make_node("Relu", ["nowhere"], ["y"])
    return save(path, [node], [value("x", [1])], [value("y", [1])])


REFUSED = {
    "missing file": (lambda p: p, "cannot be read: No such file or directory"),
    "folder": (lambda p: p.mkdir() or p, "this is a folder; give an ONNX file"),
    "empty file": (lambda p: written(p, b""), "not an ONNX file: it holds no graph"),
    "text": (lambda p: written(p, b"hello, I am no model\n" * 9), "not an ONNX file, or a truncated one"),
    "truncated": (truncated, "not an ONNX file, or a truncated one"),
    "zip": (lambda p: written(p, b"PK\x03\x04" + bytes(100)), "not an ONNX file"),
    "unsupported operator": (lambda p: unary(p, "Sparkle"), "unsupported operator Sparkle (opset 13)"),
    "unsupported domain": (
        lambda p: save(p, [helper.make_node("Op", ["x"], ["y"], domain="my.ops")],
                       [value("x", [1])], [value("y", [1])], domains=["my.ops"]),
        "unsupported operator my.ops::Op",
    ),
    "opset of tomorrow": (lambda p: unary(p, opset=99), "opset 99 is newer than the newest known here"),
    "IR of tomorrow": (lambda p: unary(p, ir=99), "IR version 99 is newer than the newest known here"),
    "external data missing": (without_weights, "its weights in w.bin cannot be read"),
    "external data elsewhere": (outside, "its weights in ../../etc/passwd cannot be read"),
    "text input": (of_text, "input x is of type string; supported: float16"),
    "input without rank": (without_rank, "input x has no shape"),
    "shapes that do not fit": (lambda p: dense(p, features=5), "onnxruntime cannot run it"),
    "wired wrongly": (wired_wrongly, "not a valid ONNX model"),
    "NaN output": (lambda p: giving(p, "Log"), "output y is not finite for made-up inputs; give real"),
    "random output": (lambda p: giving(p, "RandomNormalLike"), "output y differs between two runs"),
}  # fmt: skip


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """What is said of each unusable file; also written to build/matrix-own-onnx.json."""
    folder, rows = tmp_path_factory.mktemp("refused"), []
    for number, (case, (make, expected)) in enumerate(REFUSED.items()):
        path = make((folder / str(number)).with_suffix(".onnx"))
        try:
            got = f"accepted as {read(path).id}"
        except ExportError as error:
            got = str(error)
        ok = got.startswith(f"{path}: {expected}") and "\n" not in got
        rows.append({"case": case, "expected": expected, "got": got.replace(f"{folder}/", ""), "ok": ok})
    matrix.write("own-onnx", rows)
    hostile = matrix.Part("hostile", "onnx")
    hostile.rows = [{**row, "case": f"ONNX: {row['case']}"} for row in rows]
    hostile.write()
    return {row["case"]: row for row in rows}


@pytest.mark.parametrize("case", REFUSED)
def test_an_unusable_file_is_refused_in_one_line(told, case):
    assert told[case]["ok"], told[case]
