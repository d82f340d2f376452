"""Parameters and multiply-accumulates, counted in an ONNX graph."""

from collections.abc import Iterator, Mapping
from math import prod

import onnx
import onnx.inliner
from onnx import TensorProto

from bench.export.onnx_file import graphs

WEIGHT_TYPES = {
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
    TensorProto.DOUBLE,
    TensorProto.INT8,
    TensorProto.UINT8,
    *(
        code
        for name, code in TensorProto.DataType.items()
        if name.startswith(("FLOAT8", "FLOAT4", "INT4", "UINT4", "INT2", "UINT2"))
    ),
}
# Operators that multiply and accumulate in ways not counted here: with one of them the MACs are unknown.
UNCOUNTED = {
    "LSTM",
    "GRU",
    "RNN",
    "Einsum",
    "Attention",
    "LinearAttention",
    "CausalConvWithState",
    "AffineGrid",
    "DFT",
    "STFT",
    "Det",
    "ConvInteger",
    "MatMulInteger",
    "DeformConv",
    "Loop",
    "If",
    "Scan",
    "SequenceMap",
}
# Operators of other sets that multiply nothing; of any other one the MACs are unknown.
OTHER_SETS = ("com.microsoft", "ai.onnx.ml")
WITHOUT_MACS = {
    "QuantizeLinear",
    "DequantizeLinear",
    "Gelu",
    "FastGelu",
    "BiasGelu",
    "QuickGelu",
    "LayerNormalization",
}
WITHOUT_MACS |= {"SkipLayerNormalization", "Scaler", "Normalizer", "Cast", "ArrayFeatureExtractor", "ZipMap"}
# Inputs that are scales, zero points, thresholds or sizes, not weights, by position.
SETTINGS = {
    "QuantizeLinear": (1, 2),
    "DequantizeLinear": (1, 2),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QGemm": (1, 2, 4, 5, 7, 8),
    "QAttention": (3, 4, 6, 7),
    "MatMulInteger": (2, 3),
    "ConvInteger": (2, 3),
    "MatMulIntegerToFloat": (2, 3, 4, 5),
    "DynamicQuantizeMatMul": (2, 3),
    "MatMulNBits": (2, 3),
    "MatMulBnb4": (2,),
    "Resize": (1, 2),
    "Upsample": (1,),
    "NonMaxSuppression": (3, 4),
    "OneHot": (2,),
}
# Weights of K x N values, several in a byte, at input 1.
PACKED = ("MatMulNBits", "MatMulBnb4")
# Operators that keep what they have learned elsewhere than in tensors, or packed: weights are unknown.
OPAQUE = {
    "LinearClassifier",
    "LinearRegressor",
    "SVMClassifier",
    "SVMRegressor",
    "TreeEnsemble",
    "TreeEnsembleClassifier",
    "TreeEnsembleRegressor",
    "GatherBlockQuantized",
    "QMoE",
}
STATISTICS = {"BatchNormalization": (3, 4)}  # running mean and variance
# Where integers of 32 bits are weights after all.
BIASES = {"DequantizeLinear": (0,), "QLinearConv": (8,), "QGemm": (6,)}
Shapes = dict[str, list[int]]


def parameters(model: onnx.ModelProto) -> int | None:
    """Return the weights of all graphs: elements of float and of 8-bit or smaller tensors of one or more
    dimensions.

    Whole numbers of 32 and 64 bits are shapes and indices, a batch norm's running mean and variance are
    statistics, and scales, zero points, thresholds and sizes are no weights. A tensor used twice counts once.
    None where weights are sparse, or where an operator keeps them to itself.
    """
    total = 0
    for graph in graphs(model):
        if _hidden(graph):
            return None
        left_out = _roles(graph, STATISTICS) | _roles(graph, SETTINGS)
        biases, packed = _roles(graph, BIASES), _packed(graph)
        for tensor in {tensor.name: tensor for tensor in _tensors(graph)}.values():
            weight = tensor.data_type in WEIGHT_TYPES or tensor.name in biases
            if tensor.dims and weight and tensor.name not in left_out:
                total += packed.get(tensor.name, prod(tensor.dims))
    return total


def _hidden(graph: onnx.GraphProto | onnx.FunctionProto) -> bool:
    """Whether a graph has weights that are no tensors of a known size."""
    sparse = isinstance(graph, onnx.GraphProto) and graph.sparse_initializer
    return bool(sparse) or any(
        (node.op_type in OPAQUE and node.domain in OTHER_SETS)
        or any(attribute.name == "sparse_value" for attribute in node.attribute)
        for node in graph.node
    )


def _packed(graph: onnx.GraphProto | onnx.FunctionProto) -> dict[str, int]:
    """Values in every tensor that holds several in a byte."""
    found = {}
    for node in graph.node:
        if node.op_type in PACKED and len(node.input) > 1:
            sizes = {attribute.name: attribute.i for attribute in node.attribute}
            found[node.input[1]] = sizes.get("K", 0) * sizes.get("N", 0)
    return found


def _roles(graph: onnx.GraphProto | onnx.FunctionProto, roles: Mapping[str, tuple[int, ...]]) -> set[str]:
    """Names that nodes take as an input at one of the positions that `roles` lists for their operator."""
    return {
        node.input[position]
        for node in graph.node
        for position in roles.get(node.op_type, ())
        if position < len(node.input)
    }


def layer_parameters(model: onnx.ModelProto) -> dict[str, int]:
    """Return elements by role over the layers of a CNN: `weight` and `bias` of convolutions and Gemm, `norm`.

    Counts per layer, not per tensor: the exporter stores equal tensors once. `norm` is scale and shift.
    """
    sizes = tensor_sizes(model.graph)
    count = {"weight": 0, "bias": 0, "conv_bias": 0, "norm": 0}
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            count["weight"] += sizes[node.input[1]]
            bias = sizes[node.input[2]] if len(node.input) > 2 else 0
            count["conv_bias" if node.op_type == "Conv" else "bias"] += bias
        elif node.op_type == "BatchNormalization":
            count["norm"] += sizes[node.input[1]] + sizes[node.input[2]]
    return count


def tensor_sizes(graph: onnx.GraphProto) -> dict[str, int]:
    """Return elements of every constant by name, also where an Identity gives it a second name."""
    sizes = {tensor.name: prod(tensor.dims) for tensor in _tensors(graph)}
    for node in graph.node:
        if node.op_type == "Identity" and node.input[0] in sizes:
            sizes[node.output[0]] = sizes[node.input[0]]
    return sizes


def macs(model: onnx.ModelProto) -> int | None:
    """Return the multiplications of convolutions and matrix products in one run; None if unknown."""
    try:
        flat = skeleton(model)
        if any(_uncounted(node) for node in flat.graph.node):
            return None
        shapes = _shapes(onnx.shape_inference.infer_shapes(flat).graph)
        return sum(_node_macs(node, shapes) for node in flat.graph.node)
    except (KeyError, onnx.shape_inference.InferenceError):  # a shape that cannot be inferred
        return None


def _uncounted(node: onnx.NodeProto) -> bool:
    standard = node.domain in ("", "ai.onnx")
    foreign = not standard and not (node.domain in OTHER_SETS and node.op_type in WITHOUT_MACS)
    return foreign or node.op_type in UNCOUNTED or node.op_type.startswith("QLinear")


def skeleton(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model without its weights, the bodies of its own functions in the places of their calls.

    Where these cannot be put there the calls stay.
    """
    hollow = _without_weights(model)
    try:
        return onnx.inliner.inline_local_functions(hollow) if model.functions else hollow
    except (onnx.checker.ValidationError, RuntimeError, ValueError):
        return hollow


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """The graph with the data of small tensors only (shapes, sizes): inference copies all it is given."""
    light = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import)
    graph = light.graph
    graph.name = model.graph.name
    light.functions.extend(model.functions)
    for field in ("node", "input", "output", "value_info"):
        getattr(graph, field).extend(getattr(model.graph, field))
    for tensor in model.graph.initializer:
        small = prod(tensor.dims) <= 64
        hollow = onnx.TensorProto(name=tensor.name, dims=tensor.dims, data_type=tensor.data_type)
        graph.initializer.append(tensor if small else hollow)
    return light


def _node_macs(node: onnx.NodeProto, shapes: Shapes) -> int:
    if node.op_type == "Conv":
        return prod(shapes[node.output[0]]) * prod(shapes[node.input[1]][1:])
    if node.op_type == "ConvTranspose":
        return prod(shapes[node.input[0]]) * prod(shapes[node.input[1]][1:])
    if node.op_type == "MatMul":
        return prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]
    if node.op_type == "Gemm":
        transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
        return prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]
    return 0


def _shapes(graph: onnx.GraphProto) -> Shapes:
    shapes: Shapes = {tensor.name: list(tensor.dims) for tensor in _tensors(graph)}
    for info in (*graph.input, *graph.value_info, *graph.output):
        dims = info.type.tensor_type.shape.dim
        if info.type.tensor_type.HasField("shape") and all(
            dim.HasField("dim_value") and dim.dim_value >= 0 for dim in dims
        ):
            shapes.setdefault(info.name, [dim.dim_value for dim in dims])
    return shapes


def _tensors(graph: onnx.GraphProto | onnx.FunctionProto) -> Iterator[onnx.TensorProto]:
    """Initializers and values of Constant nodes, the latter by the name of their output."""
    if isinstance(graph, onnx.GraphProto):
        yield from graph.initializer
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                tensor = onnx.TensorProto()
                if attribute.name == "value":
                    tensor.CopyFrom(attribute.t)
                elif attribute.name == "value_floats":
                    tensor.data_type = TensorProto.FLOAT
                    tensor.dims.append(len(attribute.floats))
                else:
                    continue
                tensor.name = node.output[0]
                yield tensor
