"""An ONNX file's bytes of weights and operator set, read from its protobuf without the onnx package.

Field numbers from onnx/onnx.proto3: ModelProto.graph 7, opset_import 8, functions 25; GraphProto.node 1,
initializer 5; FunctionProto.node 7; NodeProto.attribute 5; AttributeProto.t 5, g 6, graphs 11; TensorProto
.dims 1, data_type 2; OperatorSetIdProto.domain 1, version 2.
"""

import os
from typing import BinaryIO, Iterator, Tuple

# onnx.TensorProto.DataType -> bits an element
BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128}
BITS.update({16: 16, 17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2})
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
GRAPH, NODE, INITIALIZER, ATTRIBUTE, TENSOR = 7, 1, 5, 5, 5
FUNCTION, FUNCTION_NODE, GRAPHS = 25, 7, (6, 11)
OPSET = 8
MOST_DEPTH = 32  # of graphs in graphs; protobuf's own readers refuse deeper ones


def weight_bytes(path: str) -> int:
    """Return the bytes of all initializers and constant tensors, also in branches, bodies and functions.

    0 for what is not an ONNX file.
    """
    readers = {GRAPH: _graph, FUNCTION: _function}
    try:
        with open(path, "rb") as stream:
            fields = _messages(stream, os.path.getsize(path))
            return sum(readers[number](stream, end) for number, end in fields if number in readers)
    except (OSError, ValueError):
        return 0


def opset(path: str) -> int:
    """Return the version of the ONNX operator set that the file imports; 0 where it is unknown."""
    try:
        with open(path, "rb") as stream:
            fields = _messages(stream, os.path.getsize(path))
            return max([_opset(stream, end) for number, end in fields if number == OPSET] or [0])
    except (OSError, ValueError):
        return 0


def _opset(stream: BinaryIO, end: int) -> int:
    """Version of one OperatorSetIdProto; 0 if it names a domain of its own."""
    version, domain = 0, False
    for number, wire, value in wire_fields(stream, end):
        domain = domain or (number == 1 and wire == BYTES and value > stream.tell())
        version = value if number == 2 and wire == VARINT else version
    return 0 if domain else version


def varint(stream: BinaryIO) -> int:
    """Read a whole number of 7 bits a byte; ValueError where there is none."""
    value = shift = 0
    while shift < 70:
        byte = stream.read(1)
        if not byte:
            raise ValueError("truncated")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
        shift += 7
    raise ValueError("not a varint")


def wire_fields(stream: BinaryIO, end: int) -> Iterator[Tuple[int, int, int]]:
    """Yield (field number, wire type, value or end of the message), the stream standing at the value's first
    byte."""
    while stream.tell() < end:
        key = varint(stream)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            yield number, wire, varint(stream)
        elif wire == BYTES:
            size = varint(stream)
            after = stream.tell() + size
            if after > end:
                raise ValueError("truncated")
            yield number, wire, after
            stream.seek(after)
        elif wire in (FIXED64, FIXED32):
            stream.seek(8 if wire == FIXED64 else 4, os.SEEK_CUR)
        else:
            raise ValueError("not a protobuf message")


def _messages(stream: BinaryIO, end: int) -> Iterator[Tuple[int, int]]:
    return ((number, value) for number, wire, value in wire_fields(stream, end) if wire == BYTES)


def _graph(stream: BinaryIO, end: int, depth: int = 0) -> int:
    if depth > MOST_DEPTH:
        raise ValueError("too deep")
    total = 0
    for number, inner in _messages(stream, end):
        if number == INITIALIZER:
            total += _tensor(stream, inner)
        elif number == NODE:
            total += _node(stream, inner, depth)
    return total


def _function(stream: BinaryIO, end: int) -> int:
    return sum(_node(stream, inner, 0) for number, inner in _messages(stream, end) if number == FUNCTION_NODE)


def _node(stream: BinaryIO, end: int, depth: int) -> int:
    return sum(_attribute(stream, inner, depth) for n, inner in _messages(stream, end) if n == ATTRIBUTE)


def _attribute(stream: BinaryIO, end: int, depth: int) -> int:
    total = 0
    for number, inner in _messages(stream, end):
        if number == TENSOR:
            total += _tensor(stream, inner)
        elif number in GRAPHS:
            total += _graph(stream, inner, depth + 1)
    return total


def _tensor(stream: BinaryIO, end: int) -> int:
    elements, kind = 1, 0
    for number, wire, value in wire_fields(stream, end):
        if number == 1 and wire == VARINT:
            elements *= value
        elif number == 1:
            while stream.tell() < value:
                elements *= varint(stream)
        elif number == 2:
            kind = value
    return (elements * BITS.get(kind, 0) + 7) // 8
