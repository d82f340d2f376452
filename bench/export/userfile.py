"""A user's own ONNX file: made static and self-contained, checked, and given a reference."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx.external_data_helper import uses_external_data

from bench.export import count
from bench.export.errors import ExportError
from bench.export.reference import TOLERANCE, Array, pack, random_input, run

INPUT_TYPES = ("float16", "float32", "float64", "int8", "uint8", "int16", "int32", "int64", "bool")
MAX_BYTES = 2**31 - 1  # protobuf's own limit of one message
Dims = Mapping[str, int]


@dataclass(frozen=True)
class UserModel:
    """A file ready for a bundle: its bytes, its reference, and its entry without paths and hashes."""

    id: str
    model: bytes
    reference: bytes
    entry: dict[str, Any]


def read(path: Path, dims: Dims) -> UserModel:
    """Prepare the ONNX file at `path`; `dims` gives sizes to its dynamic dimensions.

    A first dimension that is dynamic and not named in `dims` becomes 1. Raises ExportError, one line that
    begins with the file's name.
    """
    try:
        return _prepare(path, _parse(path), dims)
    except ExportError as error:
        raise ExportError(f"{path}: {error}") from None


def dynamic_dims(path: Path) -> set[str]:
    """The names that `dims` may give for this file."""
    try:
        return {name for item in _inputs(_parse(path)) for name in _names(item) if name}
    except ExportError as error:
        raise ExportError(f"{path}: {error}") from None


def _parse(path: Path) -> onnx.ModelProto:
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ExportError(f"cannot be read: {error.strerror}") from None
    try:
        model = onnx.load_model_from_string(raw)
    except DecodeError:
        raise ExportError(f"not an ONNX file, or a truncated one ({len(raw)} bytes)") from None
    if not model.graph.node or not model.opset_import:
        raise ExportError("not an ONNX file: it holds no graph")
    _refuse_newer(model)
    return model


def _refuse_newer(model: onnx.ModelProto) -> None:
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
    newest = onnx.defs.onnx_opset_version()
    if model.ir_version > onnx.IR_VERSION:
        raise ExportError(
            f"IR version {model.ir_version} is newer than the newest known here ({onnx.IR_VERSION})"
        )
    if opset > newest:
        raise ExportError(
            f"opset {opset} is newer than the newest known here ({newest}); export it with a lower one"
        )


def _prepare(path: Path, model: onnx.ModelProto, dims: Dims) -> UserModel:
    _embed_external_data(path, model)
    _resolve(model, dims)
    raw = model.SerializeToString(deterministic=True)
    try:
        onnx.checker.check_model(raw)
    except (onnx.checker.ValidationError, ValueError) as error:
        _refuse_unknown_operators(model)
        raise ExportError(f"not a valid ONNX model: {_first_line(error)}") from None
    inputs = [_random(item, seed) for seed, item in enumerate(_inputs(model))]
    outputs, tolerance = _answer(model, raw, inputs)
    digest = hashlib.sha256(raw).hexdigest()
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).strip("-.") or "model"
    entry = {
        "params": count.parameters(model),
        "macs": count.macs(model),
        "batch": _batch(inputs),
        "tolerance": tolerance,
        "inputs": [_describe(item) for item in _inputs(model)],
    }
    return UserModel(f"onnx-{stem}-{digest[:8]}", raw, pack(inputs, outputs), entry)


def _embed_external_data(path: Path, model: onnx.ModelProto) -> None:
    outside = [tensor for tensor in model.graph.initializer if uses_external_data(tensor)]
    try:
        onnx.load_external_data_for_model(model, str(path.resolve().parent))
    except (OSError, ValueError, onnx.checker.ValidationError) as error:
        names = sorted({info.value for t in outside for info in t.external_data if info.key == "location"})
        raise ExportError(f"its weights in {', '.join(names)} cannot be read: {_first_line(error)}") from None
    for tensor in outside:
        tensor.ClearField("external_data")
        tensor.data_location = onnx.TensorProto.DEFAULT
    if model.ByteSize() > MAX_BYTES:
        raise ExportError(f"{model.ByteSize():,} bytes in one piece; models above 2 GB are not supported")


def _inputs(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    weights = {tensor.name for tensor in model.graph.initializer}  # up to IR 3 these were inputs, too
    return [item for item in model.graph.input if item.name not in weights]


def _names(item: onnx.ValueInfoProto) -> list[str | None]:
    """For each dimension None where it is fixed, else its name, or `INPUT.INDEX` where it has none."""
    shape = item.type.tensor_type.shape.dim
    return [
        None if dim.HasField("dim_value") and dim.dim_value > 0 else dim.dim_param or f"{item.name}.{index}"
        for index, dim in enumerate(shape)
    ]


def _resolve(model: onnx.ModelProto, dims: Dims) -> None:
    """Give every dynamic dimension of the inputs its size."""
    known, missing = dict(dims), []
    for item in _inputs(model):
        _refuse_type(item)
        for index, name in enumerate(_names(item)):
            if name and index == 0:
                known.setdefault(name, 1)
            if name and name not in known:
                missing.append(name)
    if missing:
        flags = " ".join(f"--dim {name}=SIZE" for name in dict.fromkeys(missing))
        raise ExportError(f"dynamic dimensions without a size; give {flags}")
    for item in _inputs(model):
        for name, dim in zip(_names(item), item.type.tensor_type.shape.dim, strict=True):
            if name:
                dim.dim_value = known[name]
    for info in (*model.graph.output, *model.graph.value_info):
        for dim in info.type.tensor_type.shape.dim:
            if dim.dim_param in known:
                dim.dim_value = known[dim.dim_param]


def _refuse_type(item: onnx.ValueInfoProto) -> None:
    kind = item.type.WhichOneof("value")
    name = _dtype(item) if kind == "tensor_type" else str(kind).removesuffix("_type")
    if name not in INPUT_TYPES:
        raise ExportError(f"input {item.name} is of type {name}; supported: {', '.join(INPUT_TYPES)}")
    if not item.type.tensor_type.HasField("shape"):
        raise ExportError(f"input {item.name} has no shape, not even its number of dimensions")


def _dtype(item: onnx.ValueInfoProto) -> str:
    code = item.type.tensor_type.elem_type
    try:
        return str(onnx.helper.tensor_dtype_to_np_dtype(code))
    except KeyError:
        return f"number {code}"


def _shape(item: onnx.ValueInfoProto) -> list[int]:
    return [dim.dim_value for dim in item.type.tensor_type.shape.dim]


def _random(item: onnx.ValueInfoProto, seed: int) -> Array:
    return random_input(_shape(item), _dtype(item), seed)


def _describe(item: onnx.ValueInfoProto) -> dict[str, Any]:
    return {"name": item.name, "shape": _shape(item), "dtype": _dtype(item)}


def _batch(inputs: list[Array]) -> int:
    return int(inputs[0].shape[0]) if inputs and inputs[0].ndim else 1


def _answer(model: onnx.ModelProto, raw: bytes, inputs: list[Array]) -> tuple[list[Array], float]:
    """The outputs and their tolerance; ExportError unless onnxruntime gives the same finite ones twice."""
    import numpy as np

    try:
        outputs, again = run(raw, inputs, times=2)
    except Exception as error:  # onnxruntime's own classes share no base
        _refuse_unknown_operators(model)
        raise ExportError(f"onnxruntime cannot run it: {_first_line(error)}") from None
    names = [item.name for item in model.graph.output]
    for name, first, second in zip(names, outputs, again, strict=True):
        if not isinstance(first, np.ndarray) or first.dtype.kind not in "fiub":
            raise ExportError(f"output {name} is not a tensor of numbers")
        if not np.isfinite(first.astype(np.float64)).all():
            raise ExportError(
                f"output {name} is not finite for a random input, so devices cannot be checked by it"
            )
        if not np.array_equal(first, second):
            raise ExportError(f"output {name} differs between two runs; export it in evaluation mode")
    largest = max((float(np.abs(o.astype(np.float64)).max(initial=0)) for o in outputs), default=0.0)
    return outputs, TOLERANCE * max(1.0, largest)


def _refuse_unknown_operators(model: onnx.ModelProto) -> None:
    """Say which operator it is: neither the checker nor onnxruntime says so in one clear line."""
    versions = {entry.domain: entry.version for entry in model.opset_import}
    for node in model.graph.node:
        domain = "" if node.domain == "ai.onnx" else node.domain
        if domain == "" and not onnx.defs.has(node.op_type, versions.get("", 1), ""):
            raise ExportError(f"unsupported operator {node.op_type} (opset {versions.get('', 1)})") from None
        if domain not in ("", "com.microsoft", "ai.onnx.ml"):
            raise ExportError(f"unsupported operator {domain}::{node.op_type}") from None


def _first_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    return text if len(text) <= 200 else text[:197] + "..."
