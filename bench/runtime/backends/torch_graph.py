"""An ONNX graph as a torch module: one function an operator, the file's tensors as buffers.

Covers what exporters of convolutional networks emit (opset 7 to 17). Semantics: ONNX operator specification,
github.com/onnx/onnx/blob/main/docs/Operators.md. An operator that is not here is refused by name.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import onnx
import torch
from onnx import helper, numpy_helper
from torch.nn import functional

from bench.record.typed_dict import TypedDict
from bench.runtime.backends.base import BackendError, Settings, Tensor


class Attributes(TypedDict, total=False):
    """What is read of an operator's attributes."""

    alpha: float
    auto_pad: bytes
    axes: List[int]
    axis: int
    beta: float
    ceil_mode: int
    count_include_pad: int
    dilations: List[int]
    epsilon: float
    group: int
    keepdims: int
    kernel_shape: List[int]
    max: float
    min: float
    pads: List[int]
    perm: List[int]
    strides: List[int]
    transA: int  # noqa: N815 - as ONNX names it
    transB: int  # noqa: N815 - as ONNX names it


Node = NamedTuple(
    "Node",
    [
        ("operator", str),
        ("sources", List[str]),  # '' where an optional input is left out
        ("targets", List[str]),
        ("attributes", Attributes),
    ],
)
Inputs = List[torch.Tensor]  # of an operator; ABSENT where an optional one is left out
ABSENT = torch.empty(0)


def build_module(model: onnx.ModelProto, settings: Settings) -> Tuple["Graph", List[Tensor]]:
    """Return (module called with one tensor an input, giving a list of outputs; the input tensors)."""
    constants = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    nodes: List[Node] = []
    for node in model.graph.node:
        attributes: Any = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        if node.op_type == "Constant" and "value" in attributes:
            constants[node.output[0]] = numpy_helper.to_array(attributes["value"])
            continue
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            raise BackendError(
                "unsupported_operator",
                "the torch reference does not know operator %s (node %s)" % (node.op_type, node.name),
                "use the onnxruntime backend, or add it to bench/runtime/backends/torch_graph.py",
            )
        nodes.append(Node(node.op_type, list(node.input), list(node.output), attributes))
    inputs = [value for value in model.graph.input if value.name not in constants]
    tensors = [input_tensor(value, settings) for value in inputs]
    buffers = {name: torch.from_numpy(array.copy()) for name, array in constants.items()}
    outputs = [value.name for value in model.graph.output]
    return Graph(nodes, buffers, [tensor.name for tensor in tensors], outputs).eval(), tensors


def input_tensor(value: onnx.ValueInfoProto, settings: Settings) -> Tensor:
    """Return name, static shape and dtype of a graph input.

    Free sizes from options.input_shapes, else the batch.
    """
    kind = value.type.tensor_type
    dims = [dim.dim_value if dim.HasField("dim_value") else -1 for dim in kind.shape.dim]
    given = (settings.options.get("input_shapes") or {}).get(value.name, [settings.batch])
    given = list(given) + dims[len(given) :]
    shape = tuple(wanted if size == -1 else size for size, wanted in zip(dims, given))
    if -1 in shape:
        raise BackendError(
            "model_unreadable",
            "input %s has free dimensions: %s" % (value.name, list(shape)),
            "export the model with static shapes (only the batch may be free)",
        )
    return Tensor(value.name, shape, str(helper.tensor_dtype_to_np_dtype(kind.elem_type)))


class Graph(torch.nn.Module):
    """Nodes in their (topological) order; constants are buffers, not parameters: nothing here is trained."""

    def __init__(
        self, nodes: List[Node], constants: Dict[str, torch.Tensor], inputs: List[str], outputs: List[str]
    ) -> None:
        super(Graph, self).__init__()
        self.steps = [(OPERATORS[node.operator], node) for node in nodes]  # once, not at every inference
        self.inputs, self.outputs = inputs, outputs
        self.slots = {name: "constant_%d" % index for index, name in enumerate(constants)}
        for name, tensor in constants.items():
            self.register_buffer(self.slots[name], tensor)

    def forward(self, *given: torch.Tensor) -> List[torch.Tensor]:
        """Run all nodes, on one tensor an input."""
        values = self._values(given)
        for function, node in self.steps:
            taken = [values[name] for name in node.sources]
            values[node.targets[0]] = function(taken, node.attributes)
        return [values[name] for name in self.outputs]

    def marked(self, work: Dict[str, Optional[int]]) -> Callable[..., None]:
        """Return a forward pass whose nodes torch's profiler sees by name.

        `work`: their multiplications.
        """

        def run(*given: torch.Tensor) -> None:
            values = self._values(given)
            for function, node in self.steps:
                label = "%s: %s" % (node.targets[0], node.operator)
                taken = [values[name] for name in node.sources]
                with torch.profiler.record_function(label):
                    values[node.targets[0]] = function(taken, node.attributes)
                work[label] = multiplications(node.operator, taken, values[node.targets[0]])

        return run

    def _values(self, given: Sequence[torch.Tensor]) -> Dict[str, torch.Tensor]:
        values = dict(zip(self.inputs, given))
        values.update({name: getattr(self, slot) for name, slot in self.slots.items()})
        values[""] = ABSENT
        return values


def multiplications(operator: str, taken: Inputs, made: torch.Tensor) -> Optional[int]:
    """Count those of a convolution or a matrix product, by its tensors' shapes; None for other operators."""
    if operator == "Conv":
        return int(made.numel() * (taken[1].numel() // taken[1].shape[0]))
    if operator == "MatMul":
        return int(made.numel() * taken[0].shape[-1])
    if operator == "Gemm":
        return int(made.numel() * taken[0].numel() // made.shape[0])
    return None


# -- operators ----------------------------------------------------------------------------------------------
def _optional(x: Inputs, place: int) -> Optional[torch.Tensor]:
    """An input that may be left out."""
    return x[place] if len(x) > place and x[place].numel() else None


def _refuse(text: str) -> BackendError:
    return BackendError("unsupported_operator", "the torch reference: " + text, "use the onnxruntime backend")


def _padded(x: torch.Tensor, attributes: Attributes, fill: float) -> torch.Tensor:
    """`x` with ONNX's pads (all beginnings, then all ends) around its spatial dimensions."""
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise _refuse("auto_pad %s is not known" % attributes["auto_pad"].decode())
    pads = list(attributes.get("pads", []))
    if not any(pads):
        return x
    half = len(pads) // 2
    order = [side for axis in reversed(range(half)) for side in (pads[axis], pads[half + axis])]
    return functional.pad(x, order, value=fill)


def _conv(x: Inputs, attributes: Attributes) -> torch.Tensor:
    rank = x[1].dim() - 2
    ones = [1] * rank
    pads = list(attributes.get("pads", [0] * (2 * rank)))
    symmetric = pads[:rank] == pads[rank:] and attributes.get("auto_pad", b"NOTSET") == b"NOTSET"
    data = x[0] if symmetric else _padded(x[0], attributes, 0.0)
    strides, dilations = attributes.get("strides", ones), attributes.get("dilations", ones)
    padding, group = pads[:rank] if symmetric else [0] * rank, attributes.get("group", 1)
    run = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}[rank]
    return run(data, x[1], _optional(x, 2), list(strides), padding, list(dilations), group)


def _gemm(x: Inputs, attributes: Attributes) -> torch.Tensor:
    left = x[0].t() if attributes.get("transA", 0) else x[0]
    right = x[1].t() if attributes.get("transB", 0) else x[1]
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    product = left.matmul(right) if alpha == 1.0 else alpha * left.matmul(right)
    added = _optional(x, 2)
    if added is None:
        return product
    return product + (added if beta == 1.0 else beta * added)


def _pool_shape(attributes: Attributes) -> Tuple[List[int], List[int]]:
    kernel = list(attributes["kernel_shape"])
    if len(kernel) != 2:
        raise _refuse("pooling in %d dimensions is not known" % len(kernel))
    return kernel, list(attributes.get("strides", [1] * len(kernel)))


def _max_pool(x: Inputs, attributes: Attributes) -> torch.Tensor:
    kernel, strides = _pool_shape(attributes)
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    own = pads[:2] == pads[2:] and all(2 * pad <= size for pad, size in zip(pads, kernel))  # torch's limit
    data = x[0] if own else _padded(x[0], attributes, float("-inf"))
    dilation, ceil = list(attributes.get("dilations", [1, 1])), bool(attributes.get("ceil_mode", 0))
    return functional.max_pool2d(data, kernel, strides, pads[:2] if own else 0, dilation, ceil)


def _average_pool(x: Inputs, attributes: Attributes) -> torch.Tensor:
    kernel, strides = _pool_shape(attributes)
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    if pads[:2] != pads[2:]:
        raise _refuse("AveragePool with uneven pads is not known")
    count, ceil = bool(attributes.get("count_include_pad", 0)), bool(attributes.get("ceil_mode", 0))
    return functional.avg_pool2d(x[0], kernel, strides, pads[:2], ceil, count)


def _batch_norm(x: Inputs, attributes: Attributes) -> torch.Tensor:
    scale, shift, mean, variance = x[1:5]
    epsilon = attributes.get("epsilon", 1e-5)
    return functional.batch_norm(x[0], mean, variance, scale, shift, training=False, eps=epsilon)


def _clip(x: Inputs, attributes: Attributes) -> torch.Tensor:
    """Bounds are inputs from opset 11, attributes before."""
    low = _optional(x, 1) if len(x) > 1 else attributes.get("min")
    high = _optional(x, 2) if len(x) > 2 else attributes.get("max")
    result = x[0] if low is None else x[0].clamp(min=low)
    return result if high is None else result.clamp(max=high)


def _flatten(x: Inputs, attributes: Attributes) -> torch.Tensor:
    rows = 1
    for size in x[0].shape[: attributes.get("axis", 1)]:
        rows *= size
    return x[0].reshape(rows, -1)


def _reshape(x: Inputs, attributes: Attributes) -> torch.Tensor:
    """A 0 keeps the size of that dimension."""
    wanted = [int(size) for size in x[1].tolist()]
    return x[0].reshape([x[0].shape[i] if size == 0 else size for i, size in enumerate(wanted)])


def _reduce_mean(x: Inputs, attributes: Attributes) -> torch.Tensor:
    """Axes are an input from opset 18, an attribute before; none means all."""
    given = _optional(x, 1)
    axes = attributes.get("axes") if given is None else given.tolist()
    axes = list(range(x[0].dim())) if axes is None else list(axes)
    return x[0].mean(dim=tuple(axes), keepdim=bool(attributes.get("keepdims", 1)))


# ONNX's name -> function(inputs, attributes) -> its first output.
OPERATORS: Dict[str, Callable[[Inputs, Attributes], torch.Tensor]] = {
    "Add": lambda x, a: x[0] + x[1],
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": lambda x, a: torch.cat(x, a["axis"]),
    "Conv": _conv,
    "Div": lambda x, a: x[0] / x[1],
    "Dropout": lambda x, a: x[0],  # inference
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda x, a: x[0].mean(dim=tuple(range(2, x[0].dim())), keepdim=True),
    "HardSigmoid": lambda x, a: torch.clamp(a.get("alpha", 0.2) * x[0] + a.get("beta", 0.5), 0, 1),
    "HardSwish": lambda x, a: functional.hardswish(x[0]),
    "Identity": lambda x, a: x[0],
    "LeakyRelu": lambda x, a: functional.leaky_relu(x[0], a.get("alpha", 0.01)),
    "MatMul": lambda x, a: torch.matmul(x[0], x[1]),
    "MaxPool": _max_pool,
    "Mul": lambda x, a: x[0] * x[1],
    "ReduceMean": _reduce_mean,
    "Relu": lambda x, a: functional.relu(x[0]),
    "Reshape": _reshape,
    "Sigmoid": lambda x, a: torch.sigmoid(x[0]),
    "Softmax": lambda x, a: torch.softmax(x[0], a.get("axis", -1)),
    "Sub": lambda x, a: x[0] - x[1],
    "Transpose": lambda x, a: x[0].permute(*a["perm"]),
}
