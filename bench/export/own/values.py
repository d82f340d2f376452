"""Values for a model's inputs: the user's own, a constant, or made up.

Made-up integers respect what they are used for: an input that a Gather takes as index stays inside its table.
"""

from collections.abc import Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from bench.export.errors import ExportError
from bench.export.reference import Array, random_input
from bench.record import npz

TYPES = (
    "float16", "float32", "float64", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
    "bool",
)  # fmt: skip
# Operators that pass indices on: what comes out holds the values that went in.
PASSING = {
    "Cast",
    "Identity",
    "Reshape",
    "Unsqueeze",
    "Squeeze",
    "Flatten",
    "Transpose",
    "Slice",
    "Expand",
    "Concat",
}


def dtype(item: onnx.ValueInfoProto) -> str:
    """Return the numpy name of an input's element type.

    ExportError for a type or a rank that cannot be measured.
    """
    kind = item.type.WhichOneof("value")
    if kind is None:
        raise ExportError(f"input {item.name} has no type; export the model again")
    name = str(kind).removesuffix("_type")
    if kind == "tensor_type":
        try:
            found = helper.tensor_dtype_to_np_dtype(item.type.tensor_type.elem_type)
            name = "string" if found.kind == "O" else str(found)
        except KeyError:
            name = f"{item.type.tensor_type.elem_type}, which is none"
    if name not in TYPES:
        raise ExportError(f"input {item.name} is of type {name}; supported: {', '.join(TYPES)}")
    if not item.type.tensor_type.HasField("shape"):
        raise ExportError(f"input {item.name} has no shape, not even its number of dimensions")
    return name


def given(path: Path | None) -> dict[str, Array]:
    """Return arrays by name from a user's npz."""
    if path is None:
        return {}
    try:
        return npz.load(np, str(path))
    except ValueError as error:
        raise ExportError(f"--input {path}: {error}") from None


def fill(
    model: onnx.ModelProto,
    items: Sequence[onnx.ValueInfoProto],
    arrays: Mapping[str, Array],
    constants: Mapping[str, float],
) -> list[Array]:
    """Return one array an input, in the model's order and types; raises ExportError for what does not fit."""
    if twice := sorted(arrays.keys() & constants.keys()):
        raise ExportError(f"input {twice[0]} is given by --input and by --value: leave one out")
    tables = index_ranges(model)
    return [
        _own(item, arrays[item.name])
        if item.name in arrays
        else _constant(item, constants[item.name])
        if item.name in constants
        else _made_up(item, seed, tables.get(item.name))
        for seed, item in enumerate(items)
    ]


def shape(item: onnx.ValueInfoProto) -> list[int]:
    """Return the sizes of an input whose dimensions are all fixed."""
    return [dim.dim_value for dim in item.type.tensor_type.shape.dim]


def _own(item: onnx.ValueInfoProto, array: Array) -> Array:
    wanted, kind = shape(item), np.dtype(dtype(item))
    if list(array.shape) != wanted:
        raise ExportError(f"--input: {item.name} has shape {list(array.shape)}, the model takes {wanted}")
    if not np.can_cast(array.dtype, kind, "same_kind"):
        raise ExportError(f"--input: {item.name} is of type {array.dtype}, the model takes {kind}")
    return kept(array, kind, f"--input: {item.name}")


def kept(array: Array, kind: np.dtype[Any], what: str) -> Array:
    """Return the array in another type; ExportError where that cannot hold a value of it."""
    if array.dtype == kind:
        return array
    with np.errstate(over="ignore", invalid="ignore"):
        made = array.astype(kind)
    lost = made != array if kind.kind in "iub" else np.isinf(made) & np.isfinite(array)
    if lost.any():
        raise ExportError(f"{what} holds {array[lost].flat[0]:g}; {_range(kind)}")
    return made


def _limits(kind: np.dtype[Any]) -> tuple[float, float]:
    """The least and the largest number of a type."""
    if kind.kind == "b":
        return 0, 1
    limits = np.iinfo(kind) if kind.kind in "iu" else np.finfo(kind)
    number = int if kind.kind in "iu" else float
    return number(limits.min), number(limits.max)


def _range(kind: np.dtype[Any]) -> str:
    """What a type holds, in words."""
    least, most = _limits(kind)
    if kind.kind == "b":
        return "the model takes bool: give 0 or 1"
    if kind.kind in "iu":
        return f"the model takes {kind}: give whole numbers from {least} to {most}"
    return f"the model takes {kind}: give numbers from {least:g} to {most:g}"


def _constant(item: onnx.ValueInfoProto, value: float) -> Array:
    kind = np.dtype(dtype(item))
    least, most = _limits(kind)
    if not least <= value <= most or (kind.kind != "f" and value != int(value)):
        raise ExportError(f"--value {item.name}={value:g}: {_range(kind)}")
    return np.full(shape(item), value, kind)


def _made_up(item: onnx.ValueInfoProto, seed: int, rows: int | None) -> Array:
    kind = dtype(item)
    if rows and np.dtype(kind).kind in "iu":
        high = min(rows, np.iinfo(kind).max)
        return np.random.default_rng(seed).integers(0, high, size=shape(item)).astype(kind)
    return random_input(shape(item), kind, seed)


def refuse_too_large(items: Sequence[onnx.ValueInfoProto], room: int) -> None:
    """Refuse inputs that do not fit in `room` bytes before any is made."""
    for item in items:
        size = prod(shape(item)) * np.dtype(dtype(item)).itemsize
        if size > room:
            text = "x".join(map(str, shape(item)))
            raise ExportError(
                f"input {item.name} of {text} takes {size / 1e9:,.1f} GB; here are {room / 1e9:,.1f} GB"
            )


def index_ranges(model: onnx.ModelProto) -> dict[str, int]:
    """For every tensor used as indices, also through operators that pass them on: the rows of its table."""
    sizes = {tensor.name: list(tensor.dims) for tensor in model.graph.initializer}
    rows: dict[str, int] = {}
    for node in reversed(model.graph.node):  # nodes are sorted: a consumer comes after its producer
        if not (node.input and node.output):
            continue
        if node.op_type in ("Gather", "GatherElements") and len(node.input) > 1 and node.input[0] in sizes:
            axis = next((a.i for a in node.attribute if a.name == "axis"), 0)
            table = sizes[node.input[0]]
            if -len(table) <= axis < len(table):
                _lower(rows, node.input[1], table[axis])
        elif node.op_type in PASSING and node.output[0] in rows:
            for name in node.input if node.op_type == "Concat" else node.input[:1]:
                _lower(rows, name, rows[node.output[0]])
    return rows


def _lower(rows: dict[str, int], name: str, size: int) -> None:
    rows[name] = min(rows.get(name, size), size)
