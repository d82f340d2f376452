"""What an ONNX file is, from its weights and operators: real files, quantised by onnxruntime's own tools."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime import quantization

from bench.record import onnx_graph, onnx_precision
from tests import models


def judge(path: Path) -> str:
    graph = onnx_graph.read(str(path))
    assert graph is not None
    return onnx_precision.precision(graph)


@pytest.fixture(scope="module")
def cnn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.cnn(tmp_path_factory.mktemp("precision") / "cnn.onnx", channels=8, size=8)


class Samples(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        self.left: Iterator[Any] = iter([{"input": np.ones((1, 3, 8, 8), "f4")}] * 2)

    def get_next(self) -> Any:
        return next(self.left, None)


@pytest.fixture(scope="module", params=["QDQ", "QOperator"])
def static(request: pytest.FixtureRequest, cnn: Path) -> Path:
    made, kind = cnn.with_name(f"{request.param}.onnx"), quantization.QuantFormat[request.param]
    quantization.quantize_static(str(cnn), str(made), Samples(), quant_format=kind)
    return made


def test_a_file_of_float_weights_is_fp32(cnn: Path) -> None:
    assert judge(cnn) == "fp32"


def test_a_file_that_onnxruntime_quantised_is_int8(static: Path, cnn: Path) -> None:
    assert judge(static) == "int8"
    dynamic = cnn.with_name("dynamic.onnx")
    quantization.quantize_dynamic(str(cnn), str(dynamic))
    assert judge(dynamic) == "int8"


def test_a_network_exported_in_half_is_fp16(tmp_path: Path) -> None:
    net = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Flatten(), torch.nn.Linear(144, 5)).half()
    example, path = torch.zeros(1, 3, 8, 8, dtype=torch.half), tmp_path / "half.onnx"
    with pytest.warns(DeprecationWarning, match="legacy"):
        torch.onnx.export(net, (example,), str(path), dynamo=False)
    assert judge(path) == "fp16"


def one_layer_left(path: Path, source: Path) -> Path:
    """A QDQ file whose last layer takes its operands as floats, as some toolkits leave it."""
    quantization.quantize_static(
        str(source), str(path), Samples(), quant_format=quantization.QuantFormat.QDQ,
        op_types_to_quantize=["Conv"],
    )  # fmt: skip
    return path


def test_a_file_of_quantised_and_float_layers_is_mixed(cnn: Path) -> None:
    assert judge(one_layer_left(cnn.with_name("partly.onnx"), cnn)) == "mixed"


def small(path: Path, nodes: list[Any], weights: dict[str, Any], kind: int = TensorProto.FLOAT) -> Path:
    values = [helper.make_tensor_value_info(name, kind, [1, 4]) for name in ("input", "output")]
    constants = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "small", values[:1], values[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=8), str(path))
    return path


def test_weights_that_are_only_stored_smaller_make_a_file_mixed(tmp_path: Path) -> None:
    cast = helper.make_node("Cast", ["w"], ["wide"], to=TensorProto.FLOAT)
    product = helper.make_node("MatMul", ["input", "wide"], ["output"])
    assert judge(small(tmp_path / "cast.onnx", [cast, product], {"w": np.ones((4, 4), "f2")})) == "mixed"
    scales = {"w": np.ones((4, 4), "i1"), "s": np.array(0.1, "f4"), "z": np.array(0, "i1")}
    wide = helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wide"])
    assert judge(small(tmp_path / "weight_only.onnx", [wide, product], scales)) == "mixed"


@pytest.mark.parametrize(
    ("kind", "said"),
    [(TensorProto.FLOAT16, "fp16"), (TensorProto.DOUBLE, "fp64"), (TensorProto.INT64, "fp32")],
)
def test_a_file_without_weights_is_what_its_inputs_are(tmp_path: Path, kind: int, said: str) -> None:
    node = helper.make_node("Identity", ["input"], ["output"])
    assert judge(small(tmp_path / "none.onnx", [node], {}, kind)) == said


def test_the_layers_and_their_sums_are_counted(cnn: Path) -> None:
    graph = onnx_graph.read(str(cnn))
    assert graph is not None
    found = [(layer.operator, layer.products) for layer in onnx_precision.layers(graph)]
    assert found == [("Conv", 27), ("Conv", 72), ("MatMul", 8)]


def test_what_is_no_onnx_file_has_no_graph(tmp_path: Path, cnn: Path) -> None:
    for content in (b"", b"not a model", cnn.read_bytes()[:200]):
        assert onnx_graph.parse(content) is None or onnx_graph.parse(content).nodes  # type: ignore[union-attr]
    assert onnx_graph.read(str(tmp_path / "none.onnx")) is None
