"""The torch reference against onnxruntime, operator by operator, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.runtime.backends.base import BackendError, Settings
from bench.runtime.backends.torch import TorchBackend

RANDOM = np.random.default_rng(0)
IMAGE, KERNEL = (2, 4, 9, 9), (6, 4, 3, 3)


def weight(*shape: int) -> Any:
    return RANDOM.standard_normal(shape).astype("f4")


NORM = {name: np.abs(weight(4)) + 0.5 for name in ("scale", "shift", "mean", "variance")}
# name -> (operator, input shape, constants in order, attributes, opset)
CASES: dict[str, tuple[str, tuple[int, ...], dict[str, Any], dict[str, Any], int]] = {
    "conv": ("Conv", IMAGE, {"w": weight(*KERNEL), "b": weight(6)}, {"pads": [1, 1, 1, 1]}, 13),
    "conv without bias": ("Conv", IMAGE, {"w": weight(*KERNEL)}, {"strides": [2, 2]}, 13),
    "conv with uneven pads": ("Conv", IMAGE, {"w": weight(*KERNEL)}, {"pads": [0, 1, 2, 1]}, 13),
    "conv dilated": ("Conv", IMAGE, {"w": weight(*KERNEL)}, {"dilations": [2, 2]}, 13),
    "conv depthwise": ("Conv", IMAGE, {"w": weight(4, 1, 3, 3)}, {"group": 4}, 13),
    "gemm": ("Gemm", (2, 8), {"w": weight(3, 8), "b": weight(3)}, {"transB": 1}, 13),
    "gemm scaled": ("Gemm", (2, 8), {"w": weight(8, 3), "b": weight(3)}, {"alpha": 0.5, "beta": 2.0}, 13),
    "gemm of a transposed input": ("Gemm", (8, 2), {"w": weight(8, 3)}, {"transA": 1}, 13),
    "matmul": ("MatMul", (2, 8), {"w": weight(8, 3)}, {}, 13),
    "add": ("Add", IMAGE, {"b": weight(4, 1, 1)}, {}, 13),
    "sub": ("Sub", IMAGE, {"b": weight(4, 1, 1)}, {}, 13),
    "mul": ("Mul", IMAGE, {"b": weight(4, 1, 1)}, {}, 13),
    "div": ("Div", IMAGE, {"b": np.abs(weight(4, 1, 1)) + 1}, {}, 13),
    "relu": ("Relu", IMAGE, {}, {}, 13),
    "leaky relu": ("LeakyRelu", IMAGE, {}, {"alpha": 0.2}, 13),
    "sigmoid": ("Sigmoid", IMAGE, {}, {}, 13),
    "hard sigmoid": ("HardSigmoid", IMAGE, {}, {"alpha": 0.3}, 13),
    "hard swish": ("HardSwish", IMAGE, {}, {}, 14),
    "softmax": ("Softmax", (2, 8), {}, {"axis": 1}, 13),
    "identity": ("Identity", IMAGE, {}, {}, 13),
    "dropout at rest": ("Dropout", IMAGE, {}, {}, 13),
    "transpose": ("Transpose", IMAGE, {}, {"perm": [0, 2, 3, 1]}, 13),
    "concat": ("Concat", IMAGE, {"w": weight(*IMAGE)}, {"axis": 1}, 13),
    "clip": ("Clip", IMAGE, {"low": np.array(0, "f4"), "high": np.array(1, "f4")}, {}, 13),
    "clip with attributes": ("Clip", IMAGE, {}, {"min": -0.5, "max": 0.5}, 6),
    "clip from below": ("Clip", IMAGE, {"low": np.array(0.1, "f4")}, {}, 13),
    "max pool": ("MaxPool", IMAGE, {}, {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}, 12),
    "max pool, uneven": ("MaxPool", IMAGE, {}, {"kernel_shape": [2, 2], "pads": [0, 0, 1, 1]}, 12),
    "average pool": ("AveragePool", IMAGE, {}, {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}, 11),
    "average pool counting its pads": (
        "AveragePool",
        IMAGE,
        {},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "count_include_pad": 1},
        11,
    ),
    "global average pool": ("GlobalAveragePool", IMAGE, {}, {}, 13),
    "batch normalisation": ("BatchNormalization", IMAGE, NORM, {"epsilon": 1e-3}, 9),
    "flatten": ("Flatten", IMAGE, {}, {}, 13),
    "flatten from axis 2": ("Flatten", IMAGE, {}, {"axis": 2}, 13),
    "reshape keeping a size": ("Reshape", IMAGE, {"shape": np.array([0, -1])}, {}, 13),
    "mean over an attribute's axes": ("ReduceMean", IMAGE, {}, {"axes": [2, 3], "keepdims": 0}, 13),
    "mean over an input's axes": ("ReduceMean", IMAGE, {"axes": np.array([1])}, {}, 18),
    "mean over everything": ("ReduceMean", IMAGE, {}, {}, 13),
}


def save(path: Path, nodes: list[Any], shape: Any, constants: dict[str, Any], opset: int = 13) -> Path:
    value_in = helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)
    value_out = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    tensors = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "g", [value_in], [value_out], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def run(path: Path, array: Any, **options: Any) -> Any:
    backend = TorchBackend(Settings("fp32", 1, 1, None, None, options))
    backend.import_library()
    with backend:
        backend.load(str(path))
        backend.bind({"x": array})
        backend.infer()
        return [output.copy() for output in backend.outputs()]


@pytest.mark.parametrize("name", CASES)
def test_an_operator_agrees_with_onnxruntime(name: str, tmp_path: Path) -> None:
    operator, shape, constants, attributes, opset = CASES[name]
    node = helper.make_node(operator, ["x", *constants], ["y"], **attributes)
    path, array = save(tmp_path / "m.onnx", [node], shape, constants, opset), weight(*shape)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (got,), (wanted,) = run(path, array), session.run(None, {"x": array})
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, atol=2e-5)


def test_constant_nodes_and_bindings_by_name_work(tmp_path: Path) -> None:
    value = numpy_helper.from_array(np.array(2.0, "f4"))
    nodes = [
        helper.make_node("Constant", [], ["two"], value=value),
        helper.make_node("Mul", ["x", "two"], ["y"]),
    ]
    (got,) = run(save(tmp_path / "m.onnx", nodes, (3,), {}), np.ones(3, "f4"))
    assert got.tolist() == [2.0, 2.0, 2.0]


def test_the_input_is_used_where_it_lies(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], (3,), {})
    backend, array = TorchBackend(Settings("fp32", 1, 1, None, None, {})), np.ones(3, "f4")
    backend.import_library()
    with backend:
        backend.load(str(path))
        backend.bind({"x": array})
        array[:] = 5.0
        backend.infer()
        assert backend.outputs()[0].tolist() == [5.0, 5.0, 5.0]


@pytest.mark.parametrize("attributes", [{"auto_pad": "SAME_UPPER"}])
def test_a_form_of_an_operator_that_is_not_known_is_refused(attributes: Any, tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], **attributes)
    path = save(tmp_path / "m.onnx", [node], IMAGE, {"w": weight(*KERNEL)})
    with pytest.raises(BackendError) as caught:
        run(path, weight(*IMAGE))
    assert caught.value.kind == "unsupported_operator"
    assert "auto_pad" in caught.value.message


def test_a_compiler_that_torch_does_not_have_fails_the_build_with_advice(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [helper.make_node("Relu", ["x"], ["y"])], (3,), {})
    with pytest.raises(BackendError) as caught:
        run(path, np.ones(3, "f4"), compile=True, compile_backend="nonesuch")
    assert caught.value.kind == "build_failed"
    assert "aot_eager" in caught.value.advice


@pytest.mark.slow
def test_inductor_gives_the_same_answer(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"])
    path, array = save(tmp_path / "m.onnx", [node], IMAGE, {"w": weight(*KERNEL)}), weight(*IMAGE)
    np.testing.assert_allclose(run(path, array, compile=True)[0], run(path, array)[0], atol=1e-4)
