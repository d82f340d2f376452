"""The graph of an ONNX file as plain data: operators, and the types and shapes of its tensors.

Branches and bodies of loops are taken in, their operators before the one that holds them; the model's own
functions are not, and only noted.

Read from the protobuf without the onnx package, which boards do not have; weights are skipped, not loaded.
Field numbers from onnx/onnx.proto3: ModelProto.graph 7, functions 25; GraphProto.node 1, initializer 5,
input 11; NodeProto.input 1, .output 2, .name 3, .op_type 4, .attribute 5; AttributeProto.name 1, i 3, t 5,
g 6, graphs 11; TensorProto.dims 1, data_type 2, name 8; ValueInfoProto.name 1, type 2; TypeProto.tensor_type
1; TypeProto.Tensor.elem_type 1.
"""

import io
import os
from typing import Any, BinaryIO, Dict, List, NamedTuple, Optional, Tuple

from bench.record.onnxfile import BYTES, GRAPHS, MOST_DEPTH, VARINT, varint, wire_fields

Tensor = NamedTuple("Tensor", [("kind", int), ("shape", Tuple[int, ...])])  # kind: TensorProto.DataType
Node = NamedTuple(
    "Node",
    [
        ("operator", str),
        ("inputs", List[str]),
        ("outputs", List[str]),
        ("attributes", Dict[str, Any]),
        ("name", str),
    ],
)
Graph = NamedTuple(
    "Graph",
    [
        ("nodes", List[Node]),  # in an order in which they can run
        ("tensors", Dict[str, Tensor]),  # initialisers and constants
        ("inputs", Dict[str, int]),  # name -> TensorProto.DataType; also those of bodies
        ("functions", int),  # of the model's own
    ],
)


def read(path: str) -> Optional[Graph]:
    """Return the graph of the file at `path`; None where it cannot be read as ONNX."""
    try:
        with open(path, "rb") as stream:
            return _model(stream, os.path.getsize(path))
    except (OSError, ValueError):
        return None


def parse(raw: bytes) -> Optional[Graph]:
    """Do as `read` with the bytes of a file."""
    try:
        return _model(io.BytesIO(raw), len(raw))
    except ValueError:
        return None


def _model(stream: BinaryIO, end: int) -> Optional[Graph]:
    found, functions = Graph([], {}, {}, 0), 0
    for number, wire, value in wire_fields(stream, end):
        if number == 7 and wire == BYTES:
            _graph(stream, value, found)
        functions += int(number == 25)
    return found._replace(functions=functions) if found.nodes else None


def _graph(stream: BinaryIO, end: int, found: Graph, depth: int = 0) -> None:
    if depth > MOST_DEPTH:
        raise ValueError("too deep")
    for number, wire, value in wire_fields(stream, end):
        if wire != BYTES:
            continue
        if number == 1:
            node = _node(stream, value, found, depth)
            found.nodes.append(node)
            value_given = isinstance(node.attributes.get("value"), Tensor)
            if node.operator == "Constant" and value_given and node.outputs:
                found.tensors[node.outputs[0]] = node.attributes["value"]
        elif number == 5:
            name, tensor = _tensor(stream, value)
            found.tensors[name] = tensor
        elif number == 11:
            name, kind = _value_info(stream, value)
            found.inputs.setdefault(name, kind)


def _node(stream: BinaryIO, end: int, found: Graph, depth: int) -> Node:
    operator, name, node = "", "", Node("", [], [], {}, "")
    for number, wire, value in wire_fields(stream, end):
        if wire == BYTES and number in (1, 2):
            (node.inputs if number == 1 else node.outputs).append(_text(stream, value))
        elif wire == BYTES and number == 3:
            name = _text(stream, value)
        elif wire == BYTES and number == 4:
            operator = _text(stream, value)
        elif wire == BYTES and number == 5:
            key, content = _attribute(stream, value, found, depth)
            node.attributes[key] = content
    return node._replace(operator=operator, name=name)


def _attribute(stream: BinaryIO, end: int, found: Graph, depth: int) -> Tuple[str, Any]:
    """Its name, and its content where that is a whole number or a tensor; else None. Graphs go to `found`."""
    name, content = "", None  # type: Tuple[str, Any]
    for number, wire, value in wire_fields(stream, end):
        if number == 1 and wire == BYTES:
            name = _text(stream, value)
        elif number == 3 and wire == VARINT:
            content = value
        elif number == 5 and wire == BYTES:
            content = _tensor(stream, value)[1]
        elif number in GRAPHS and wire == BYTES:
            _graph(stream, value, found, depth + 1)
    return name, content


def _tensor(stream: BinaryIO, end: int) -> Tuple[str, Tensor]:
    name, kind, shape = "", 0, []  # type: Tuple[str, int, List[int]]
    for number, wire, value in wire_fields(stream, end):
        if number == 1 and wire == VARINT:
            shape.append(value)
        elif number == 1 and wire == BYTES:
            while stream.tell() < value:
                shape.append(varint(stream))
        elif number == 2 and wire == VARINT:
            kind = value
        elif number == 8 and wire == BYTES:
            name = _text(stream, value)
    return name, Tensor(kind, tuple(shape))


def _value_info(stream: BinaryIO, end: int) -> Tuple[str, int]:
    name, kind = "", 0
    for number, wire, value in wire_fields(stream, end):
        if number == 1 and wire == BYTES:
            name = _text(stream, value)
        elif number == 2 and wire == BYTES:
            kind = _element_type(stream, value)
    return name, kind


def _element_type(stream: BinaryIO, end: int) -> int:
    for number, wire, value in wire_fields(stream, end):
        if number == 1 and wire == BYTES:
            for inner, kind, content in wire_fields(stream, value):
                if inner == 1 and kind == VARINT:
                    return content
    return 0


def _text(stream: BinaryIO, end: int) -> str:
    return stream.read(max(0, end - stream.tell())).decode("utf-8", "replace")
