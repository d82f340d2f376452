"""An ONNX graph as a torch module: one function an operator, the file's tensors as buffers.

Covers what exporters of convolutional networks emit (opset 7 to 17). Semantics: ONNX operator specification,
github.com/onnx/onnx/blob/main/docs/Operators.md. An operator that is not here is refused by name.
"""

from typing import Any, Callable, Dict, List, Optional, Tuple

from bench.runtime.backends.base import BackendError, Settings, Tensor

Node = Tuple[str, List[str], List[str], Dict[str, Any]]  # operator, inputs, outputs, attributes


def build_module(torch: Any, onnx: Any, model: Any, settings: Settings) -> Tuple[Any, List[Tensor]]:
    """Return (module called with one tensor an input, giving a list of outputs; the input tensors)."""
    graph = model.graph
    operators = make_operators(torch)
    constants = {item.name: onnx.numpy_helper.to_array(item) for item in graph.initializer}
    nodes: List[Node] = []
    for node in graph.node:
        attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        if node.op_type == "Constant" and "value" in attributes:
            constants[node.output[0]] = onnx.numpy_helper.to_array(attributes["value"])
            continue
        if node.domain not in ("", "ai.onnx") or node.op_type not in operators:
            raise BackendError(
                "unsupported_operator",
                "the torch reference does not know operator %s (node %s)" % (node.op_type, node.name),
                "use the onnxruntime backend, or add it to bench/runtime/backends/torch_graph.py",
            )
        nodes.append((node.op_type, list(node.input), list(node.output), attributes))
    inputs = [value for value in graph.input if value.name not in constants]
    tensors = [input_tensor(onnx, value, settings) for value in inputs]
    outputs = [value.name for value in graph.output]
    return make_module(torch, operators, nodes, constants, [t.name for t in tensors], outputs), tensors


def input_tensor(onnx: Any, value: Any, settings: Settings) -> Tensor:
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
    return Tensor(value.name, shape, str(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)))


def make_module(
    torch: Any, operators: Any, nodes: List[Node], constants: Any, inputs: List[str], outputs: List[str]
) -> Any:
    """Return a torch.nn.Module that runs `nodes` in their (topological) order."""
    steps = [(operators[kind], sources, targets, attributes) for kind, sources, targets, attributes in nodes]
    slots = {name: "constant_%d" % index for index, name in enumerate(constants)}

    class Graph(torch.nn.Module):  # type: ignore[misc]
        """Buffers, not parameters: nothing here is trained."""

        def __init__(self) -> None:
            super(Graph, self).__init__()
            for name, array in constants.items():
                self.register_buffer(slots[name], torch.from_numpy(array.copy()))

        def forward(self, *given: Any) -> List[Any]:
            values = dict(zip(inputs, given))
            values.update({name: getattr(self, slot) for name, slot in slots.items()})
            for function, sources, targets, attributes in steps:
                result = function([values[name] if name else None for name in sources], attributes)
                values[targets[0]] = result
            return [values[name] for name in outputs]

        def marked(self, work: Dict[str, Optional[int]]) -> Callable[..., None]:
            """Return a forward pass whose steps torch's profiler sees by name.

            `work`: their multiplications.
            """

            def run(*given: Any) -> None:
                values = dict(zip(inputs, given))
                values.update({name: getattr(self, slot) for name, slot in slots.items()})
                for (function, sources, targets, attributes), node in zip(steps, nodes):
                    label = "%s: %s" % (targets[0], node[0])
                    taken = [values[name] if name else None for name in sources]
                    with torch.profiler.record_function(label):
                        values[targets[0]] = function(taken, attributes)
                    work[label] = multiplications(node[0], taken, values[targets[0]])

            return run

    return Graph().eval()


def multiplications(operator: str, taken: List[Any], made: Any) -> Optional[int]:
    """Count those of a convolution or a matrix product, by its tensors' shapes; None for other operators."""
    if operator == "Conv":
        return int(made.numel() * (taken[1].numel() // taken[1].shape[0]))
    if operator == "MatMul":
        return int(made.numel() * taken[0].shape[-1])
    if operator == "Gemm":
        return int(made.numel() * taken[0].numel() // made.shape[0])
    return None


# -- operators ----------------------------------------------------------------------------------------------
Operator = Callable[[List[Any], Dict[str, Any]], Any]


def make_operators(torch: Any) -> Dict[str, Operator]:
    """ONNX operator name -> function(inputs, attributes) -> its first output."""
    functional = torch.nn.functional
    table: Dict[str, Operator] = {
        "Add": lambda x, a: x[0] + x[1],
        "Sub": lambda x, a: x[0] - x[1],
        "Mul": lambda x, a: x[0] * x[1],
        "Div": lambda x, a: x[0] / x[1],
        "MatMul": lambda x, a: torch.matmul(x[0], x[1]),
        "Relu": lambda x, a: functional.relu(x[0]),
        "Sigmoid": lambda x, a: torch.sigmoid(x[0]),
        "HardSigmoid": lambda x, a: torch.clamp(a.get("alpha", 0.2) * x[0] + a.get("beta", 0.5), 0, 1),
        "HardSwish": lambda x, a: functional.hardswish(x[0]),
        "LeakyRelu": lambda x, a: functional.leaky_relu(x[0], a.get("alpha", 0.01)),
        "Identity": lambda x, a: x[0],
        "Dropout": lambda x, a: x[0],  # inference
        "Softmax": lambda x, a: torch.softmax(x[0], a.get("axis", -1)),
        "Concat": lambda x, a: torch.cat(x, a["axis"]),
        "Transpose": lambda x, a: x[0].permute(*a["perm"]),
        "GlobalAveragePool": lambda x, a: x[0].mean(dim=tuple(range(2, x[0].dim())), keepdim=True),
    }
    table.update({"Conv": lambda x, a: _conv(torch, x, a), "Gemm": lambda x, a: _gemm(x, a)})
    table.update({"MaxPool": lambda x, a: _max_pool(torch, x, a)})
    table.update({"AveragePool": lambda x, a: _average_pool(torch, x, a)})
    table.update({"BatchNormalization": lambda x, a: _batch_norm(functional, x, a)})
    table.update({"Clip": _clip, "Flatten": _flatten, "Reshape": _reshape, "ReduceMean": _reduce_mean})
    return table


def _refuse(text: str) -> BackendError:
    return BackendError("unsupported_operator", "the torch reference: " + text, "use the onnxruntime backend")


def _padded(torch: Any, x: Any, attributes: Dict[str, Any], fill: float) -> Any:
    """`x` with ONNX's pads (all beginnings, then all ends) around its spatial dimensions."""
    if attributes.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID"):
        raise _refuse("auto_pad %s is not known" % attributes["auto_pad"].decode())
    pads = list(attributes.get("pads", []))
    if not any(pads):
        return x
    half = len(pads) // 2
    order = [side for axis in reversed(range(half)) for side in (pads[axis], pads[half + axis])]
    return torch.nn.functional.pad(x, order, value=fill)


def _conv(torch: Any, x: List[Any], attributes: Dict[str, Any]) -> Any:
    rank = x[1].dim() - 2
    run = getattr(torch.nn.functional, "conv%dd" % rank)
    ones = [1] * rank
    pads = list(attributes.get("pads", [0] * (2 * rank)))
    symmetric = pads[:rank] == pads[rank:] and attributes.get("auto_pad", b"NOTSET") == b"NOTSET"
    data = x[0] if symmetric else _padded(torch, x[0], attributes, 0.0)
    strides, dilations = attributes.get("strides", ones), attributes.get("dilations", ones)
    bias = x[2] if len(x) > 2 else None
    padding = pads[:rank] if symmetric else 0
    return run(data, x[1], bias, list(strides), padding, list(dilations), attributes.get("group", 1))


def _gemm(x: List[Any], attributes: Dict[str, Any]) -> Any:
    left = x[0].t() if attributes.get("transA", 0) else x[0]
    right = x[1].t() if attributes.get("transB", 0) else x[1]
    alpha, beta = attributes.get("alpha", 1.0), attributes.get("beta", 1.0)
    product = left.matmul(right) if alpha == 1.0 else alpha * left.matmul(right)
    if len(x) < 3:
        return product
    return product + (x[2] if beta == 1.0 else beta * x[2])


def _pool_shape(attributes: Dict[str, Any]) -> Tuple[List[int], List[int]]:
    kernel = list(attributes["kernel_shape"])
    if len(kernel) != 2:
        raise _refuse("pooling in %d dimensions is not known" % len(kernel))
    return kernel, list(attributes.get("strides", [1] * len(kernel)))


def _max_pool(torch: Any, x: List[Any], attributes: Dict[str, Any]) -> Any:
    kernel, strides = _pool_shape(attributes)
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    own = pads[:2] == pads[2:] and all(2 * pad <= size for pad, size in zip(pads, kernel))  # torch's limit
    data = x[0] if own else _padded(torch, x[0], attributes, float("-inf"))
    dilation, ceil = list(attributes.get("dilations", [1, 1])), bool(attributes.get("ceil_mode", 0))
    return torch.nn.functional.max_pool2d(data, kernel, strides, pads[:2] if own else 0, dilation, ceil)


def _average_pool(torch: Any, x: List[Any], attributes: Dict[str, Any]) -> Any:
    kernel, strides = _pool_shape(attributes)
    pads = list(attributes.get("pads", [0, 0, 0, 0]))
    if pads[:2] != pads[2:]:
        raise _refuse("AveragePool with uneven pads is not known")
    count, ceil = bool(attributes.get("count_include_pad", 0)), bool(attributes.get("ceil_mode", 0))
    return torch.nn.functional.avg_pool2d(x[0], kernel, strides, pads[:2], ceil, count)


def _batch_norm(functional: Any, x: List[Any], attributes: Dict[str, Any]) -> Any:
    scale, shift, mean, variance = x[1:5]
    epsilon = attributes.get("epsilon", 1e-5)
    return functional.batch_norm(x[0], mean, variance, scale, shift, training=False, eps=epsilon)


def _clip(x: List[Any], attributes: Dict[str, Any]) -> Any:
    """Bounds are inputs from opset 11, attributes before."""
    low: Optional[Any] = x[1] if len(x) > 1 else attributes.get("min")
    high: Optional[Any] = x[2] if len(x) > 2 else attributes.get("max")
    result = x[0] if low is None else x[0].clamp(min=low)
    return result if high is None else result.clamp(max=high)


def _flatten(x: List[Any], attributes: Dict[str, Any]) -> Any:
    rows = 1
    for size in x[0].shape[: attributes.get("axis", 1)]:
        rows *= size
    return x[0].reshape(rows, -1)


def _reshape(x: List[Any], attributes: Dict[str, Any]) -> Any:
    """A 0 keeps the size of that dimension."""
    wanted = [int(size) for size in x[1].tolist()]
    return x[0].reshape([x[0].shape[i] if size == 0 else size for i, size in enumerate(wanted)])


def _reduce_mean(x: List[Any], attributes: Dict[str, Any]) -> Any:
    """Axes are an input from opset 18, an attribute before; none means all."""
    axes = x[1].tolist() if len(x) > 1 and x[1] is not None else attributes.get("axes")
    axes = list(range(x[0].dim())) if axes is None else list(axes)
    return x[0].mean(dim=tuple(axes), keepdim=bool(attributes.get("keepdims", 1)))
