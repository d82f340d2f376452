"""An ONNX file's bytes of weights and operator set, read from its protobuf without the onnx package.

Field numbers from onnx/onnx.proto3: ModelProto.graph 7, opset_import 8; GraphProto.node 1, initializer 5;
NodeProto.attribute 5; AttributeProto.t 5; TensorProto.dims 1, data_type 2; OperatorSetIdProto.domain 1,
version 2.
"""

import os
from typing import BinaryIO, Iterator, Tuple

# onnx.TensorProto.DataType -> bytes an element
SIZES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 14: 8, 15: 16, 16: 2}
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
GRAPH, NODE, INITIALIZER, ATTRIBUTE, TENSOR = 7, 1, 5, 5, 5
OPSET = 8


def weight_bytes(path: str) -> int:
    """Return the bytes of all initializers and constant tensors of the main graph.

    0 for what is not an ONNX file.
    """
    try:
        with open(path, "rb") as stream:
            fields = _messages(stream, os.path.getsize(path))
            return sum(_graph(stream, end) for number, end in fields if number == GRAPH)
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
    for number, wire, value in fields(stream, end):
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


def fields(stream: BinaryIO, end: int) -> Iterator[Tuple[int, int, int]]:
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
    return ((number, value) for number, wire, value in fields(stream, end) if wire == BYTES)


def _graph(stream: BinaryIO, end: int) -> int:
    total = 0
    for number, inner in _messages(stream, end):
        if number == INITIALIZER:
            total += _tensor(stream, inner)
        elif number == NODE:
            total += _node(stream, inner)
    return total


def _node(stream: BinaryIO, end: int) -> int:
    total = 0
    for number, inner in _messages(stream, end):
        if number == ATTRIBUTE:
            total += sum(_tensor(stream, last) for n, last in _messages(stream, inner) if n == TENSOR)
    return total


def _tensor(stream: BinaryIO, end: int) -> int:
    elements, kind = 1, 0
    for number, wire, value in fields(stream, end):
        if number == 1 and wire == VARINT:
            elements *= value
        elif number == 1:
            while stream.tell() < value:
                elements *= varint(stream)
        elif number == 2:
            kind = value
    return elements * SIZES.get(kind, 0)
