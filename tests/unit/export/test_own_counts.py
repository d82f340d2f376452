"""Counts and labels of one's own files are right, or unknown: functions, packed weights, settings."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.record.onnxfile import weight_bytes
from tests.unit.export.test_export_own import FLOAT, read, save, value

INT64, BOOL, INT8 = TensorProto.INT64, TensorProto.BOOL, TensorProto.INT8
node = helper.make_node
X8 = [value("x", [1, 8])]


def with_function(path: Path, name: str, body: list[Any], kind: int = FLOAT) -> Path:
    """y = my.`name`(x, w): x 1 x 512, w 512 x 256."""
    opset = helper.make_opsetid("", 17)
    function = helper.make_function("my", name, ["a", "w"], ["o"], body, [opset])
    weights = np.ones((512, 256), helper.tensor_dtype_to_np_dtype(kind))
    graph = helper.make_graph(
        [node(name, ["x", "w"], ["y"], domain="my")], "g",
        [value("x", [1, 512], kind)], [value("y", [1, 256], kind)], [numpy_helper.from_array(weights, "w")],
    )  # fmt: skip
    opsets = [opset, helper.make_opsetid("my", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=[function]), str(path))
    return path


@pytest.mark.parametrize("name", ["Lin", "Gelu", "LayerNormalization"])
def test_the_products_of_a_models_own_function_count_whatever_it_is_called(tmp_path: Path, name: str) -> None:
    entry = read(with_function(tmp_path / "m.onnx", name, [node("MatMul", ["a", "w"], ["o"])])).entry
    assert (entry["params"], entry["macs"]) == (512 * 256, 512 * 256)


def test_an_uncounted_operator_in_a_function_leaves_macs_unknown(tmp_path: Path) -> None:
    body = [node("Einsum", ["a", "w"], ["o"], equation="ij,jk->ik")]
    assert read(with_function(tmp_path / "m.onnx", "Lin", body)).entry["macs"] is None


def test_a_function_in_half_makes_the_file_mixed(tmp_path: Path) -> None:
    body = [
        node("Cast", ["a"], ["ah"], to=TensorProto.FLOAT16),
        node("Cast", ["w"], ["wh"], to=TensorProto.FLOAT16),
        node("MatMul", ["ah", "wh"], ["oh"]),
        node("Cast", ["oh"], ["o"], to=FLOAT),
    ]
    assert read(with_function(tmp_path / "m.onnx", "Lin", body)).entry["precision"] == "mixed"


def branches(path: Path, kind: int) -> Path:
    def branch(name: str) -> onnx.GraphProto:
        weights = numpy_helper.from_array(np.ones((8, 4), helper.tensor_dtype_to_np_dtype(kind)), f"w{name}")
        nodes = [
            node("Cast", ["x"], [f"h{name}"], to=kind),
            node("MatMul", [f"h{name}", f"w{name}"], [f"o{name}"]),
        ]
        return helper.make_graph(nodes, name, [], [value(f"o{name}", [1, 4], kind)], [weights])

    choose = node("If", ["c"], ["y"], then_branch=branch("t"), else_branch=branch("e"))
    return save(path, [choose], [value("c", [], BOOL), *X8], [value("y", [1, 4], kind)])


def test_what_branches_compute_in_names_the_precision(tmp_path: Path) -> None:
    assert read(branches(tmp_path / "half.onnx", TensorProto.FLOAT16)).entry["precision"] == "fp16"
    assert read(branches(tmp_path / "single.onnx", FLOAT)).entry["precision"] == "fp32"


def test_bytes_of_weights_include_branches_and_small_types(tmp_path: Path) -> None:
    assert weight_bytes(str(branches(tmp_path / "half.onnx", TensorProto.FLOAT16))) == 2 * 8 * 4 * 2
    path = dequantised(tmp_path / "four.onnx", TensorProto.INT4)
    assert weight_bytes(str(path)) == 8 * 4 // 2 + 4
    function = with_function(tmp_path / "f.onnx", "Lin", [
        node("Constant", [], ["c"], value=numpy_helper.from_array(np.ones(256, "f4"))),
        node("MatMul", ["a", "w"], ["p"]), node("Add", ["p", "c"], ["o"]),
    ])  # fmt: skip
    assert weight_bytes(str(function)) == 4 * (512 * 256 + 256)


def dequantised(path: Path, kind: int) -> Path:
    """y = x (s q): weights q of a small type, 8 x 4."""
    nodes = [node("DequantizeLinear", ["q", "s"], ["w"]), node("MatMul", ["x", "w"], ["y"])]
    tensors = [helper.make_tensor("q", kind, [8, 4], [1] * 32), numpy_helper.from_array(np.float32(0.1), "s")]
    graph = helper.make_graph(nodes, "g", X8, [value("y", [1, 4])], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize("kind", ["INT4", "UINT4", "FLOAT8E4M3FN", "FLOAT8E5M2", "INT8"])
def test_weights_kept_in_a_small_type_make_a_file_mixed(tmp_path: Path, kind: str) -> None:
    entry = read(dequantised(tmp_path / "m.onnx", TensorProto.DataType.Value(kind))).entry
    assert (entry["precision"], entry["params"], entry["macs"]) == ("mixed", 32, 32)


def test_four_bit_weights_of_matmulnbits_count_as_values_not_bytes(tmp_path: Path) -> None:
    product = node(
        "MatMulNBits", ["x", "b", "s"], ["y"], domain="com.microsoft", K=32, N=4, bits=4, block_size=32
    )
    weights = {"b": np.ones((4, 1, 16), "u1"), "s": np.ones(4, "f4")}
    path = save(tmp_path / "m.onnx", [product], [value("x", [1, 32])], [value("y", [1, 4])], weights,
                domains=["com.microsoft"])  # fmt: skip
    entry = read(path).entry
    assert (entry["precision"], entry["params"], entry["macs"]) == ("mixed", 32 * 4, None)


def test_zero_points_of_whole_number_products_are_no_parameters(tmp_path: Path) -> None:
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("MatMulInteger", ["q", "w", "z", "wz"], ["y"]),
    ]
    weights = {"w": np.ones((8, 4), "i1"), "wz": np.zeros(4, "i1")}
    path = save(tmp_path / "m.onnx", nodes, X8, [value("y", [1, 4], TensorProto.INT32)], weights)
    assert read(path).entry["params"] == 32


def test_how_to_resize_is_no_weight(tmp_path: Path) -> None:
    resize = node("Resize", ["x", "", "s"], ["y"])
    path = save(tmp_path / "m.onnx", [resize], [value("x", [1, 3, 8, 8])], [value("y", [1, 3, 16, 16])],
                {"s": np.array([1, 1, 2, 2], "f4")})  # fmt: skip
    assert read(path).entry["params"] == 0


def test_a_constant_written_as_a_list_is_a_weight(tmp_path: Path) -> None:
    nodes = [node("Constant", [], ["w"], value_floats=[1.0] * 8), node("Mul", ["x", "w"], ["y"])]
    assert read(save(tmp_path / "m.onnx", nodes, X8, [value("y", [1, 8])])).entry["params"] == 8


def test_weights_that_cannot_be_counted_are_unknown_not_zero(tmp_path: Path) -> None:
    learned = node("LinearRegressor", ["x"], ["y"], domain="ai.onnx.ml", coefficients=[1.0] * 8, targets=1)
    path = save(tmp_path / "m.onnx", [learned], X8, [value("y", [1, 1])], domains=["ai.onnx.ml"])
    assert read(path).entry["params"] is None
    places = numpy_helper.from_array(np.array([0, 5]), "i")
    sparse = helper.make_sparse_tensor(numpy_helper.from_array(np.ones(2, "f4"), "v"), places, [8, 4])
    nodes = [node("Constant", [], ["w"], sparse_value=sparse), node("MatMul", ["x", "w"], ["y"])]
    assert read(save(tmp_path / "s.onnx", nodes, X8, [value("y", [1, 4])])).entry["params"] is None


@pytest.mark.parametrize(
    ("taken", "given", "batch"),
    [
        ([8, 3, 4, 4], [8, 3, 4, 4], 8),
        ([32, 10], [32, 10], 32),
        ([3, 4, 4], [3, 4, 4], 1),  # an image, its channels first
        ([4, 4, 3], [4, 4, 3], 1),  # or last
        ([6, 3, 4, 4], [1, 3, 4, 4], 1),  # six views of one scene
    ],
)
def test_a_fixed_first_axis_is_a_batch_where_every_output_has_it(
    tmp_path: Path, taken: list[int], given: list[int], batch: int
) -> None:
    operator = "Relu" if taken == given else "ReduceMax"
    options = {} if taken == given else {"axes": [0]}
    path = save(
        tmp_path / "m.onnx",
        [node(operator, ["x"], ["y"], **options)],
        [value("x", taken)],
        [value("y", given)],
    )
    assert read(path).entry["batch"] == batch
    if taken == [3, 4, 4]:
        assert read(path, batch=3).entry["batch"] == 3  # as its owner says


def test_a_scalar_output_says_nothing_of_the_batch(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"], ["y"]), node("ReduceMax", ["x"], ["most"], keepdims=0)]
    path = save(tmp_path / "m.onnx", nodes, [value("x", [8, 10])], [value("y", [8, 10]), value("most", [])])
    assert read(path).entry["batch"] == 8


def test_a_batch_that_another_input_has_is_the_batch(tmp_path: Path) -> None:
    nodes = [node("Mul", ["x", "scale"], ["y"])]
    path = save(
        tmp_path / "m.onnx", nodes, [value("scale", [1, 4]), value("x", ["N", 4])], [value("y", ["N", 4])]
    )
    model = read(path, batch=8)
    assert (model.entry["batch"], "-b8-" in model.id) == (8, True)


def test_whole_numbers_widen_no_tolerance(tmp_path: Path) -> None:
    """An index of 3 million allowed every probability."""
    nodes = [node("Identity", ["x"], ["y"]), node("Cast", ["big"], ["i"], to=INT64)]
    path = save(
        tmp_path / "m.onnx", nodes, [*X8, value("big", [1])], [value("y", [1, 8]), value("i", [1], INT64)]
    )
    model = read(path, values={"big": 3e6, "x": 0.5})
    assert model.entry["tolerance"] == pytest.approx(1e-4)
