"""What an ONNX file is (fp32, fp16, int8, mixed, ...), from its weights and operators alone.

Judged by the operators that carry a network's work: convolutions, matrix products, recurrent layers. Each
computes in the type of its operands; behind DequantizeLinear on both sides (QDQ) it computes in int8. Weights
that are stored in another type than they are used in (weight-only quantisation, a cast) make a file mixed.
"""

from typing import Dict, List, NamedTuple, Set, Tuple

from bench.record.onnx_graph import Graph, Node, Tensor

NAMES = {1: "fp32", 10: "fp16", 16: "bf16", 11: "fp64", 2: "int8", 3: "int8", 4: "int16", 5: "int16"}
NAMES.update({17: "fp8", 18: "fp8", 19: "fp8", 20: "fp8"})
NAMES.update({21: "int4", 22: "int4", 23: "fp4", 25: "int2", 26: "int2"})
FLOATS = {"fp32", "fp16", "bf16", "fp64"}
WORK = {"Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN", "Einsum", "Attention", "DeformConv"}
WORK |= {"FusedConv", "FusedGemm", "FusedMatMul", "MultiHeadAttention"}
PACKED_WORK = {"MatMulNBits", "MatMulBnb4", "QMoE"}  # floats with weights of a few bits
INTEGER_WORK = {
    "QLinearConv",
    "QLinearMatMul",
    "ConvInteger",
    "MatMulInteger",
    "MatMulIntegerToFloat",
    "DynamicQuantizeMatMul",
    "QGemm",
    "QAttention",
}
SAME = {"Identity", "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze"}  # move values, change none

# What is known of a tensor: its type in use, the type it was stored in, whether DequantizeLinear made it.
Value = NamedTuple("Value", [("kind", str), ("stored", str), ("dequantised", bool)])
Work = NamedTuple("Work", [("operator", str), ("kinds", Set[str]), ("products", int)])


def precision(graph: Graph) -> str:
    """Return `fp32`, `fp16`, `bf16`, `fp64` or `int8` where all work is done in it, `mixed` where not.

    A file without such work is int8 where it quantises, else what its inputs are; fp32 where no floats.
    """
    kinds = set().union(*[layer.kinds for layer in layers(graph)])
    if not kinds and any(node.operator == "QuantizeLinear" for node in graph.nodes):
        return "int8"
    if not kinds:
        found = [NAMES.get(kind, "") for kind in graph.inputs.values()]
        kinds = {kind for kind in found if kind in FLOATS} or {"fp32"}
    return next(iter(kinds)) if len(kinds) == 1 and kinds <= FLOATS | {"int8"} else "mixed"


def layers(graph: Graph) -> List[Work]:
    """Return the operators that carry the work: in what they compute, and how many products each output sums
    up."""
    values = {name: _stored(tensor) for name, tensor in graph.tensors.items()}
    for name, kind in graph.inputs.items():
        values.setdefault(name, _plain(NAMES.get(kind, "")))
    found = []
    for node in graph.nodes:
        if node.operator in INTEGER_WORK:
            found.append(Work(node.operator, {"int8"}, _products(node, graph.tensors)))
        elif node.operator in PACKED_WORK:
            operand = values.get(node.inputs[0], _plain("")) if node.inputs else _plain("")
            found.append(Work(node.operator, {operand.kind or "fp32", "int4"}, 1))
        elif node.operator in WORK:
            found.append(Work(node.operator, _kinds(node, values), _products(node, graph.tensors)))
        for output in node.outputs:
            values.setdefault(output, _result(node, values))
    return found


def _plain(kind: str) -> Value:
    return Value(kind, kind, False)


def _stored(tensor: Tensor) -> Value:
    return _plain(NAMES.get(tensor.kind, ""))


def _result(node: Node, values: Dict[str, Value]) -> Value:
    """What is known of a node's outputs; most operators give the type of their first operand."""
    inputs = [values.get(name, _plain("")) for name in node.inputs]
    first = inputs[0] if inputs else _plain("")
    if node.operator == "Cast":
        return Value(NAMES.get(node.attributes.get("to", 0), ""), first.stored, False)
    if node.operator == "DequantizeLinear":
        scale = inputs[1].kind if len(inputs) > 1 else "fp32"
        return Value(scale, first.kind, True)
    if node.operator in ("QuantizeLinear", "DynamicQuantizeLinear"):
        zero = inputs[2].kind if len(inputs) > 2 else NAMES.get(node.attributes.get("output_dtype", 0), "")
        return _plain(zero or "int8")
    if node.operator in SAME:
        return first
    floats = [value.kind for value in inputs if value.kind in FLOATS]
    return _plain(floats[0] if floats else first.kind)


def _kinds(node: Node, values: Dict[str, Value]) -> Set[str]:
    operands = [values.get(name, _plain("")) for name in node.inputs[:2]]
    if len(operands) == 2 and all(operand.dequantised for operand in operands):
        return {operand.stored or "int8" for operand in operands}
    constant = operands[1:] if len(operands) > 1 else operands
    kinds = {operand.kind for operand in operands} | {operand.stored for operand in constant}
    return {kind for kind in kinds if kind} or {"fp32"}


def _products(node: Node, tensors: Dict[str, Tensor]) -> int:
    """Products that are summed up into one output value; 1 where the weights' shape is not known."""
    shapes = [tensors[name].shape for name in node.inputs if name in tensors and len(tensors[name].shape) > 1]
    if not shapes:
        return 1
    shape = max(shapes, key=len)
    if node.operator in ("MatMul", "MatMulInteger", "QLinearMatMul") or _untransposed(node):
        return max(1, shape[-2])
    return max(1, _product(shape[1:]))


def _untransposed(node: Node) -> bool:
    return node.operator == "Gemm" and not node.attributes.get("transB")


def _product(sizes: Tuple[int, ...]) -> int:
    total = 1
    for size in sizes:
        total *= size
    return total
