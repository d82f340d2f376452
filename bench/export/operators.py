"""Operators (bench.cost.graph) to an ONNX file with random weights: what torch's exporter writes, without it.

Exporting a network by torch takes seconds; the tens of networks and hundreds of blocks of a tuning would take
longer to make than to measure. tests/unit/cost compare what onnxruntime makes of both.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from bench.cost.graph import Operator, Value
from bench.export.onnx_limits import MAX_IR, OPSET

Node = tuple[list[Any], list[Any]]  # nodes and initialisers of an operator


def onnx_bytes(operators: Sequence[Operator], image: Value, seed: int = 0) -> bytes:
    """Return the model: `input` (1 x channels x size x size) through `operators` to `output`."""
    generator = np.random.default_rng(seed)
    nodes, weights = [], []
    for operator in operators:
        made, stored = _node(operator, generator)
        nodes += made
        weights += stored
    last = operators[-1].output
    flat = operators[-1].kind in ("linear", "mean")
    nodes[-1].output[0] = "output"
    graph = helper.make_graph(
        nodes,
        "blocks",
        [helper.make_tensor_value_info("v0", TensorProto.FLOAT, _shape(image))],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, _shape(last)[: 2 if flat else 4])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=MAX_IR - 1)
    data: bytes = model.SerializeToString(deterministic=True)
    return data


def _shape(value: Value) -> list[int]:
    return [1, value.channels, value.size, value.size]


def _node(operator: Operator, generator: np.random.Generator) -> Node:
    inputs = [f"v{value.id}" for value in operator.inputs]
    output = f"v{operator.output.id}"
    stored = [
        numpy_helper.from_array(array, f"{output}.{name}") for name, array in _weights(operator, generator)
    ]
    names = inputs + [tensor.name for tensor in stored]
    if operator.kind == "mean":
        pooled = helper.make_node("GlobalAveragePool", names, [f"{output}.pooled"])
        return [pooled, helper.make_node("Flatten", [f"{output}.pooled"], [output], axis=1)], stored
    kind, attributes = _described(operator)
    return [helper.make_node(kind, names, [output], **attributes)], stored


def _described(operator: Operator) -> tuple[str, dict[str, Any]]:
    window = {
        "kernel_shape": [operator.kernel] * 2,
        "strides": [operator.stride] * 2,
        "pads": [(operator.kernel - 1) // 2] * 4,
    }
    known: dict[str, tuple[str, dict[str, Any]]] = {
        "conv": ("Conv", {**window, "dilations": [1, 1], "group": operator.groups}),
        "norm": ("BatchNormalization", {"epsilon": 1e-5}),
        "relu": ("Relu", {}),
        "clip": ("Clip", {}),
        "pool": ("MaxPool", window),
        "linear": ("Gemm", {"transB": 1}),
        "add": ("Add", {}),
    }
    return known[operator.kind]


def _weights(
    operator: Operator, generator: np.random.Generator
) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    w_in, w_out = operator.inputs[0].channels, operator.output.channels
    if operator.kind in ("conv", "linear"):
        square = () if operator.kind == "linear" else (operator.kernel, operator.kernel)
        shape = (w_out, w_in // operator.groups, *square)
        scale = (1.4 / np.prod(shape[1:])) ** 0.5
        yield "weight", (generator.standard_normal(shape, np.float32) * np.float32(scale))
        yield "bias", generator.uniform(-0.1, 0.1, w_out).astype(np.float32)
    elif operator.kind == "norm":
        for name, low, high in (
            ("scale", 0.8, 1.2),
            ("shift", -0.1, 0.1),
            ("mean", -0.1, 0.1),
            ("var", 0.8, 1.2),
        ):
            yield name, generator.uniform(low, high, w_out).astype(np.float32)
    elif operator.kind == "clip":
        yield "low", np.array(0, np.float32)
        yield "high", np.array(6, np.float32)
