"""A float32 ONNX model rewritten so that it computes in half, or in simulated 8-bit integers.

What the pretend TensorRT builds: the numbers are those of real rounding, by numpy in onnx's own evaluator.
"""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WORK = {"Conv", "ConvTranspose", "Gemm", "MatMul"}


def in_half(model: Any) -> Any:
    """Every tensor in float16; inputs and outputs stay float32, cast at the border."""
    made = onnx.ModelProto()
    made.CopyFrom(model)
    graph = made.graph
    del graph.value_info[:]
    for tensor in graph.initializer:
        if tensor.data_type == TensorProto.FLOAT:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype("f2"), tensor.name))
    border = {value.name for value in [*graph.input, *graph.output]}
    for node in graph.node:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                names[index] = f"{name}.half" if name in border else name
    nodes = [_cast(v.name, f"{v.name}.half", TensorProto.FLOAT16) for v in graph.input if _is_float(v)]
    nodes += [*graph.node]
    nodes += [_cast(f"{v.name}.half", v.name, TensorProto.FLOAT) for v in graph.output if _is_float(v)]
    del graph.node[:]
    graph.node.extend(nodes)
    return made


def _is_float(value: Any) -> bool:
    return bool(value.type.tensor_type.elem_type == TensorProto.FLOAT)


def _cast(source: str, target: str, kind: int) -> Any:
    return helper.make_node("Cast", [source], [target], to=kind)


def in_int8(model: Any, batches: list[dict[str, Any]]) -> Any:
    """Both operands of every product rounded to 255 steps of a range: the largest value seen in `batches`."""
    ranges = _ranges(model, batches)
    made = onnx.ModelProto()
    made.CopyFrom(model)
    nodes: list[Any] = []
    for node in made.graph.node:
        if node.op_type in WORK:
            for index in (0, 1):
                nodes += _rounded(made.graph, node, index, ranges[node.input[index]])
        nodes.append(node)
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del made.graph.node[:]
    made.graph.node.extend(kept)
    return made


def _ranges(model: Any, batches: list[dict[str, Any]]) -> dict[str, float]:
    """Tensor -> the largest size of any of its values."""
    open_model = onnx.ModelProto()
    open_model.CopyFrom(model)
    names = [name for node in model.graph.node for name in node.output]
    del open_model.graph.output[:]
    open_model.graph.output.extend([helper.make_empty_tensor_value_info(name) for name in names])
    evaluator = onnx.reference.ReferenceEvaluator(open_model)
    found = {t.name: float(np.abs(numpy_helper.to_array(t)).max(initial=0)) for t in model.graph.initializer}
    for batch in batches:
        tensors = {**batch, **dict(zip(names, evaluator.run(None, batch), strict=True))}
        for name, value in tensors.items():
            found[name] = max(found.get(name, 0.0), float(np.abs(value).max(initial=0)))
    return found


def _rounded(graph: Any, node: Any, index: int, largest: float) -> list[Any]:
    """Nodes that round operand `index` of `node` to its steps, which reads the result."""
    source, base = node.input[index], f"{node.output[0]}.{index}"
    constants = {"step": (largest or 1.0) / 127, "low": -127.0, "high": 127.0}
    for name, value in constants.items():
        graph.initializer.append(numpy_helper.from_array(np.array(value, "f4"), f"{base}.{name}"))
    node.input[index] = f"{base}.rounded"
    return [
        helper.make_node("Div", [source, f"{base}.step"], [f"{base}.scaled"]),
        helper.make_node("Round", [f"{base}.scaled"], [f"{base}.whole"]),
        helper.make_node("Clip", [f"{base}.whole", f"{base}.low", f"{base}.high"], [f"{base}.clipped"]),
        helper.make_node("Mul", [f"{base}.clipped", f"{base}.step"], [f"{base}.rounded"]),
    ]
