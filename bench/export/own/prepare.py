"""A user's own ONNX file: made static and self-contained, run twice as on a device, and given a reference.

onnxruntime decides whether a model is accepted; the checker and the operator list explain why one is not.
"""

import errno
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx

from bench.export import count
from bench.export.errors import ExportError
from bench.export.onnx_file import graphs, library_words, parse, too_large
from bench.export.own import dims, values
from bench.export.own.request import OwnRequest, Prepared
from bench.export.reference import TOLERANCE, Array, pack
from bench.record import onnx_graph, onnx_precision
from bench.record.printable import one_line
from bench.runtime.backends.base import BackendError, Settings
from bench.runtime.backends.onnxruntime import OnnxRuntimeBackend
from bench.runtime.measure.output_check import WHOLE

STEM = 60  # characters of a file's name that its model's id keeps
FULL = (errno.ENOSPC, errno.EDQUOT)
MADE_UP = "for made-up inputs; give real ones with --input FILE.npz"


def prepare(path: Path, request: OwnRequest, folder: Path, room: int = 2**62) -> Prepared:
    """Write the model and its reference into `folder`; `room` is the memory in bytes that inputs may take.

    Raises ExportError, one line that begins with the file's name.
    """
    try:
        return _prepare(path, request, folder, room)
    except ExportError as error:
        raise ExportError(f"{path}: {one_line(error)}") from None
    except MemoryError:
        raise ExportError(
            f"{path}: needs more memory than the {room / 1e9:,.1f} GB that are free here"
        ) from None
    except OSError as error:  # of writing: what reading meets is an ExportError already
        full = f"; make room on the disk mounted at {_mount(folder)}" if error.errno in FULL else ""
        raise ExportError(f"{path}: cannot be kept in {folder}: {error.strerror}{full}") from None


def _mount(folder: Path) -> Path:
    return next(each for each in (folder.resolve(), *folder.resolve().parents) if each.is_mount())


def _prepare(path: Path, request: OwnRequest, folder: Path, room: int) -> Prepared:
    model = parse(path)
    weights = {tensor.name for tensor in model.graph.initializer}  # up to IR 3 these are inputs, too
    items = [item for item in model.graph.input if item.name not in weights]
    for item in items:
        values.dtype(item)
    known = [name for item in items for name in dims.names(item) if name]
    named, given = dims.begins_with_batch(items), values.given(request.inputs)
    arrays = {item.name: given[item.name] for item in items if item.name in given}
    wanted = dims.wanted(items, request.batch, request.dims)
    found = dims.sizes(items, wanted, {name: array.shape for name, array in arrays.items()})
    declared, assumed = dims.declared(model), dims.assumed(items, wanted, arrays)
    dims.fix(model, items, found)
    values.refuse_too_large(items, room)
    inputs = values.fill(model, items, arrays, request.values)
    made_up = any(item.name not in {**arrays, **request.values} for item in items)
    try:
        outputs, tolerance = _answer(model, folder, items, inputs, made_up)
    except ExportError as error:
        outputs, tolerance = _unsized(error, model, declared, items, inputs, folder, made_up)
    raw = (folder / "model.onnx").read_bytes()
    (folder / "reference.npz").write_bytes(pack(inputs, outputs))
    entry = {
        "precision": _precision(model),
        "params": count.parameters(model),
        "macs": count.macs(model),
        "batch": _batch(named, request.batch, inputs, outputs),
        "tolerance": tolerance,
        "assumed": assumed,
        "inputs": [_described(*each) for each in zip(items, inputs, strict=True)],
    }
    return Prepared(
        id=_id(path, request, raw),
        model=folder / "model.onnx",
        reference=folder / "reference.npz",
        entry=entry,
        known_dims=sorted({*known}),
        known_inputs=[item.name for item in items],
        given_inputs=sorted(given),
    )


def _described(item: onnx.ValueInfoProto, array: Array) -> dict[str, object]:
    return {"name": item.name, "shape": list(array.shape), "dtype": str(array.dtype)}


def _id(path: Path, request: OwnRequest, raw: bytes) -> str:
    """Name a model by its file, its batch unless 1, and its content."""
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem)[:STEM].strip("-.") or "model"
    stem += f"-b{request.batch}" if request.batch not in (None, 1) else ""
    return f"onnx-{stem}-{hashlib.sha256(raw).hexdigest()[:8]}"


def _precision(model: onnx.ModelProto) -> str:
    """What the file is, from its weights and operators, also those of its own functions."""
    graph = onnx_graph.parse(count.skeleton(model).SerializeToString())
    return onnx_precision.precision(graph) if graph else "fp32"


def _batch(named: bool, asked: int | None, inputs: Sequence[Array], outputs: Sequence[Array]) -> int:
    """Images of one inference: as many as were `asked` for, else the size of the first input's first axis,
    where that is a batch, else 1.

    named: it is one by its name, as a fixed axis has none. That is one where every output but scalars has it
    too; not of three axes, as an image without a batch has as many.
    """
    if asked is not None:
        return asked
    if not inputs or inputs[0].ndim < 2:
        return 1
    size, sizes = inputs[0].shape[0], [output.shape[0] for output in outputs if output.ndim]
    shared = inputs[0].ndim != 3 and sizes and set(sizes) == {size}
    return max(1, size) if named or shared else 1


def _answer(
    model: onnx.ModelProto,
    folder: Path,
    items: Sequence[onnx.ValueInfoProto],
    inputs: Sequence[Array],
    made_up: bool,
) -> tuple[list[Array], float]:
    """Outputs and tolerance; leaves model.onnx, whose declared outputs are those that it gives.

    Raises ExportError unless the device's own code runs the model and gives the same outputs twice. For
    made-up inputs they must be finite; for a user's own, NaN and infinities are the model's own.
    """
    place, feed = folder / "model.onnx", dict(zip([item.name for item in items], inputs, strict=True))
    refusal = ""
    while True:
        place.write_bytes(_serialised(model))
        try:
            outputs, again = _run(place, feed)
        except BackendError as error:
            refusal = refusal or _explain(model, error, made_up)  # of the file as it declares itself
            if dims.undeclare(model.graph.output):
                continue  # what is declared of outputs may be wrong where they depend on data
            raise ExportError(refusal) from None
        if not dims.declare(model.graph.output, [array.shape for array in outputs]):
            break  # what lies in the folder is what has run
    for output, first, second in zip(model.graph.output, outputs, again, strict=True):
        numbers = first.dtype.kind == "f"
        if numbers and made_up and not np.isfinite(first).all():
            raise ExportError(f"output {output.name} is not finite {MADE_UP}")
        if not np.array_equal(first, second, equal_nan=numbers):
            raise ExportError(f"output {output.name} differs between two runs; export it in evaluation mode")
    return outputs, TOLERANCE * max(1.0, *map(_largest, outputs))


def _largest(output: Array) -> float:
    """The largest finite magnitude; 0 where there is none, and of whole numbers, which have no tolerance."""
    if output.dtype.kind in WHOLE:
        return 0.0
    found = np.abs(output.astype(np.float64))
    return float(found.max(initial=0, where=np.isfinite(found)))


def _unsized(
    refusal: ExportError,
    model: onnx.ModelProto,
    declared: Sequence[onnx.ValueInfoProto],
    items: Sequence[onnx.ValueInfoProto],
    inputs: Sequence[Array],
    folder: Path,
    made_up: bool,
) -> tuple[list[Array], float]:
    """`_answer` for the sizes as the file declares them: fixed ones may not suit a branch that never runs.

    The device then learns the sizes from the job list. Raises `refusal`, that of the file with fixed sizes,
    where that does not help.
    """
    dims.restore(model, declared)
    if not any(name for item in items for name in dims.names(item)):
        raise refusal
    try:
        return _answer(model, folder, items, inputs, made_up)
    except ExportError:
        raise refusal from None


def _serialised(model: onnx.ModelProto) -> bytes:
    try:
        raw: bytes = model.SerializeToString(deterministic=True)
    except ValueError:
        raise ExportError(too_large(model.ByteSize())) from None
    return raw


def _run(model: Path, feed: dict[str, Array]) -> list[list[Array]]:
    """The outputs of two runs, through the very code that measures on a device, on one thread."""
    with OnnxRuntimeBackend(Settings("fp32", 1, 1, None, None, {})) as backend:
        backend.import_library()
        backend.load(str(model))
        backend.bind(feed)
        runs = []
        for _ in range(2):
            backend.infer()
            runs.append([array.copy() for array in backend.outputs()])
        return runs


def _explain(model: onnx.ModelProto, error: BackendError, made_up: bool) -> str:
    """Why onnxruntime refuses a model, in one line: an unknown operator, a broken file, or its own words."""
    if error.kind in ("unsupported_input", "unsupported_output"):
        export = "; export it without ZipMap" if "map(" in error.message else ""
        return f"{error.message}; supported: tensors of {', '.join(values.TYPES)}{export}"
    if error.kind == "out_of_memory":
        raise MemoryError
    if unknown := _unknown_operator(model):
        return unknown
    if error.kind != "inference_failed":  # what has been loaded and then fails is valid enough
        try:
            onnx.checker.check_model(model)
        except (onnx.checker.ValidationError, ValueError) as broken:
            return f"not a valid ONNX model: {library_words(broken)}"
    reason = library_words(error.message)
    if lacking := re.match(r"Could not find an implementation for (\w+)\((\d+)\)", reason):
        reason = (
            f"it has no {lacking[1]} of opset {lacking[2]} for these types; export with another opset or type"
        )
    # A type is wrong whatever the values.
    return f"onnxruntime cannot run it: {reason}" + (
        f" ({MADE_UP})" if made_up and error.kind == "inference_failed" else ""
    )


def _unknown_operator(model: onnx.ModelProto) -> str | None:
    own = {(function.domain, function.name) for function in model.functions}
    for graph in graphs(model):
        imports = graph.opset_import if isinstance(graph, onnx.FunctionProto) else model.opset_import
        version = {entry.domain: entry.version for entry in imports}.get("", 1)
        for node in graph.node:
            domain = "" if node.domain == "ai.onnx" else node.domain
            if (node.domain, node.op_type) in own:
                continue
            if domain == "" and not onnx.defs.has(node.op_type, version, ""):
                return f"unsupported operator {node.op_type} (opset {version})"
            if domain not in ("", "com.microsoft", "ai.onnx.ml"):
                return f"unsupported operator {domain}::{node.op_type}"
    return None
