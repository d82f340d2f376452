"""Reading an ONNX file and the files beside it, which may be a stranger's."""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import TensorProto

from bench.export.errors import ExportError

MAX_BYTES = 2**31 - 1  # protobuf's own limit of one message
PREFIXES = (  # of what onnxruntime has to say: its codes, our temporary file, its source files and signatures
    (r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", ""),
    (r"^Load model from .*? failed: ?", ""),
    (r"^Exception during (?:initialization|loading): ", ""),
    (r"^Fatal error: ", ""),
    (r"^Non-zero status code returned while running (\S+) node\. Name:'' Status Message: ", r"\1: "),
    (r"^Non-zero status code returned while running (\S+) node\. Name:'(.*?)' Status Message: ", r"\1 \2: "),
    (r"\S*/onnxruntime/\S+:\d+ .*? was false\.? (?=\S)", ""),  # a condition, where words follow it
    (r"\S*/onnxruntime/\S+:\d+ .*?[)\]] (?=\S[^()]*? was false)", ""),
    (r"\S*/onnxruntime/\S+:\d+ [^()]*\([^()]*\)(?:::<lambda\([^)]*\)>)? (?:\[with [^]]*\] )?", ""),
    (r"\S*/onnxruntime\S*/\S+\.(?:h|cc):\d+ ", ""),  # whatever the signature behind it
    (r"(?<=: )\w+\.(?:h|cc):\d+ \w+ ", ""),
)
OTHER_FILES = (  # how what is often taken for an ONNX file begins, and what to do
    (b"version https://git-lfs", "a Git LFS pointer in place of the model: fetch it with `git lfs pull`"),
    (b"PK\x03\x04", "a zip archive, as PyTorch's .pt files are: export the model with torch.onnx.export"),
    (b"<", "an HTML or XML page: was the download refused?"),
)


def parse(path: Path) -> onnx.ModelProto:
    """Return the model at `path`, its external weights taken in.

    Raises ExportError, without the file's name.
    """
    raw = _bytes(path)
    if other := next((what for start, what in OTHER_FILES if raw.lstrip().startswith(start)), ""):
        raise ExportError(f"not an ONNX file, but {other}")
    try:
        model = onnx.load_model_from_string(raw)
    except DecodeError:
        raise ExportError(f"not an ONNX file, or a truncated one ({len(raw):,} bytes)") from None
    if not model.graph.node:
        raise ExportError(f"not an ONNX file: it holds no graph ({len(raw):,} bytes)")
    if not model.opset_import:
        raise ExportError("it names no operator set (opset); export it again")
    outputs = [output.name for output in model.graph.output]
    if len(set(outputs)) < len(outputs) or not outputs:
        raise ExportError("two of its outputs have one name" if outputs else "it has no output")
    _refuse_newer(model)
    if any(not isinstance(name, str) for name in _names(model)):  # protobuf hands out bytes for these
        raise ExportError("a name in it is not UTF-8 text; is the file damaged?")
    _embed_external_data(path, model)
    return model


def graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto | onnx.FunctionProto]:
    """Yield the main graph, the model's own functions, and the graphs inside nodes (branches, bodies)."""
    waiting: list[onnx.GraphProto | onnx.FunctionProto] = [model.graph, *model.functions]
    while waiting:
        graph = waiting.pop()
        yield graph
        for attribute in (a for node in graph.node for a in node.attribute):
            waiting += [attribute.g] if attribute.HasField("g") else []
            waiting += attribute.graphs


def _names(model: onnx.ModelProto) -> Iterator[str | bytes]:
    """Names of operators, of values and of operator sets, in all graphs."""
    yield from (entry.domain for entry in model.opset_import)
    for graph in graphs(model):
        for node in graph.node:
            yield from (node.op_type, node.domain, node.name, *node.input, *node.output)
        if isinstance(graph, onnx.GraphProto):
            values = (*graph.input, *graph.output, *graph.value_info)
            yield from (each.name for each in (*values, *graph.initializer))
            yield from (dim.dim_param for each in values for dim in each.type.tensor_type.shape.dim)
        else:
            yield from (graph.name, graph.domain, *graph.input, *graph.output)


def tensors(model: onnx.ModelProto) -> Iterator[TensorProto]:
    """Yield every constant tensor: initializers, and values of Constant nodes, of all graphs."""
    for graph in graphs(model):
        if isinstance(graph, onnx.GraphProto):
            yield from graph.initializer
        for attribute in (a for node in graph.node for a in node.attribute):
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _bytes(path: Path) -> bytes:
    """The contents of a regular file of at most 2 GB."""
    if not path.name:
        raise ExportError("an empty file name; give the path of an ONNX file")
    try:
        if path.is_dir():
            raise ExportError("this is a folder; give an ONNX file")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a FIFO would wait for its writer
        with open(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise ExportError("cannot be read: not a regular file")
            if found.st_size > MAX_BYTES:
                raise ExportError(too_large(found.st_size))
            return file.read(found.st_size)  # a larger size would be allocated, needed or not
    except OSError as error:
        raise ExportError(f"cannot be read: {error.strerror}") from None


def too_large(size: int) -> str:
    """Return the refusal of a model of `size` bytes, beyond protobuf's limit of one message."""
    return f"{size:,} bytes in one piece; models above 2 GB are not supported"


def _refuse_newer(model: onnx.ModelProto) -> None:
    opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=1)
    newest = onnx.defs.onnx_opset_version()
    if wrong := [entry.version for entry in model.opset_import if not 0 < entry.version < 2**31]:
        raise ExportError(f"opset {wrong[0]} is no version; is the file damaged?")
    if model.ir_version > onnx.IR_VERSION:
        raise ExportError(
            f"IR version {model.ir_version} is newer than the newest known here ({onnx.IR_VERSION})"
        )
    if opset > newest:
        raise ExportError(
            f"opset {opset} is newer than the newest known here ({newest}); export it with a lower one"
        )


def _embed_external_data(path: Path, model: onnx.ModelProto) -> None:
    """Take the weights that lie in other files into the model."""
    outside = [t for t in tensors(model) if t.data_location == TensorProto.EXTERNAL]
    places = [{entry.key: entry.value for entry in tensor.external_data} for tensor in outside]
    total = model.ByteSize()
    sizes = []
    for place in places:
        location = place.get("location", "")
        try:
            data = _beside(path, location)
            size = data.stat().st_size
            offset = _size(place, "offset", 0)
            length = _size(place, "length", max(0, size - offset))
        except (OSError, ValueError) as error:
            raise ExportError(_unreadable(location, error)) from None
        if offset + length > size:
            raise ExportError(
                _unreadable(location, f"{offset + length:,} bytes are wanted, it holds {size:,}")
            )
        total += length
        sizes.append((offset, length))
    if total > MAX_BYTES:
        raise ExportError(too_large(total))
    for tensor, place, (offset, length) in zip(outside, places, sizes, strict=True):
        try:
            with _beside(path, place["location"]).open("rb") as file:
                file.seek(offset)
                tensor.raw_data = file.read(length)
        except OSError as error:
            raise ExportError(_unreadable(place["location"], error)) from None
        tensor.ClearField("external_data")
        tensor.data_location = TensorProto.DEFAULT


def _size(place: Mapping[str, str], key: str, otherwise: int) -> int:
    """A size in the description of external data; ValueError where it is none."""
    text = place.get(key) or str(otherwise)
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(f"its {key} is {text[:40]!r}")
    return int(text)


def _beside(path: Path, location: str) -> Path:
    """The file of external data; ValueError unless it lies beside the model.

    A link is followed where it stays beside the model, or beside what the model's own link leads to: Hugging
    Face's cache keeps a folder of links, with the contents together in another folder.
    """
    parts = PurePosixPath(location).parts
    if not parts or location.startswith("/") or any(part.startswith(".") for part in parts):
        raise ValueError("not a plain path below the model's folder")
    found = (path.parent / location).resolve(strict=True)
    if not any(found.is_relative_to(folder) for folder in (path.parent.resolve(), path.resolve().parent)):
        raise ValueError("a link that leads out of the model's folder")
    if not found.is_file():
        raise ValueError("not a regular file")
    return found


def _unreadable(location: str, reason: object) -> str:
    name = library_words(location) if location else "a file without a name"
    return f"its weights in {name} cannot be read: {library_words(reason)}"


def library_words(error: object, limit: int = 200) -> str:
    """Return what a library reports, in one line without its own prefix and without colour codes."""
    text = error.strerror or str(error) if isinstance(error, OSError) else str(error)
    text = re.sub(r"\x1b\[[0-9;]*m", "", " ".join(text.split()))
    text = "".join(c if c.isprintable() else "?" for c in text)
    for pattern, kept in PREFIXES:
        text = re.sub(pattern, kept, text)
    return text if len(text) <= limit else text[: limit - 3] + "..."
