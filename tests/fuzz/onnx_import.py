"""Small ONNX models, spoilt in structure or in bytes, and read as `bench export --onnx` reads a stranger's.

Each input is read in a fork: `process.read` has a child process because a library may die of a model or take
all memory. That is no fault here either; an exception of ours that has no type is.
"""

import os
import random
import resource
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from bench.export.errors import ExportError
from bench.export.own.prepare import prepare
from bench.export.own.request import OwnRequest
from bench.runtime.backends import onnxruntime as backend
from tests.fuzz import mutate

INTEGERS = (0, 1, -1, 2, 7, 2**31 - 1, 2**31, 2**62, -(2**63))
MEMORY = 1_000_000_000  # bytes that a fork may take beyond what it begins with
SECONDS = 60  # of processor time; run.SLOW counts before
FLOAT = TensorProto.FLOAT


class ForkError(Exception):
    """An exception of no type of ours, raised in the fork; the text says which, and where."""


def value(name: str, *shape: int | str | None, kind: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def model(nodes: list[Any], inputs: list[Any], outputs: list[Any], **weights: Any) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    made: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    )
    return made


def dense() -> onnx.ModelProto:
    weights = {"w": np.ones((4, 3), "f4"), "b": np.ones(3, "f4")}
    return model(
        [helper.make_node("Gemm", ["x", "w", "b"], ["h"]), helper.make_node("Relu", ["h"], ["y"])],
        [value("x", "N", 4)], [value("y", "N", 3)], **weights
    )  # fmt: skip


def convolution() -> onnx.ModelProto:
    ones = {name: np.ones(3, "f4") for name in ("scale", "shift", "mean", "var")}
    shape = numpy_helper.from_array(np.array([1, 12]), "s")
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1], kernel_shape=[3, 3]),
        helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["n"]),
        helper.make_node("Constant", [], ["s"], value=shape),
        helper.make_node("Reshape", ["n", "s"], ["y"]),
    ]
    return model(nodes, [value("x", 1, 3, 2, 2)], [value("y", 1, 12)], w=np.ones((3, 3, 3, 3), "f4"), **ones)


def lookup() -> onnx.ModelProto:
    nodes = [helper.make_node("Identity", ["x"], ["i"]), helper.make_node("Gather", ["t", "i"], ["y"])]
    inputs = [value("x", 1, 3, kind=TensorProto.INT64)]
    return model(nodes, inputs, [value("y", 1, 3, 2)], t=np.ones((4, 2), "f4"))


def quantised() -> onnx.ModelProto:
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        helper.make_node("DequantizeLinear", ["q", "scale", "zero"], ["d"]),
        helper.make_node("DequantizeLinear", ["w", "scale", "zero"], ["v"]),
        helper.make_node("MatMul", ["d", "v"], ["y"]),
    ]
    weights = {"scale": np.float32(0.1), "zero": np.int8(0), "w": np.ones((4, 3), "i1")}
    return model(nodes, [value("x", 1, 4)], [value("y", 1, 3)], **weights)


def branch() -> onnx.ModelProto:
    sides = [
        helper.make_graph([helper.make_node(kind, ["x"], [kind])], kind, [], [value(kind, 1, 4)])
        for kind in ("Relu", "Neg")
    ]
    node = helper.make_node("If", ["c"], ["y"], then_branch=sides[0], else_branch=sides[1])
    inputs = [value("x", 1, 4), value("c", kind=TensorProto.BOOL)]
    return model([node], inputs, [value("y", 1, 4)])


def outside() -> onnx.ModelProto:
    made = dense()
    tensor = made.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, content in (("location", "w.bin"), ("offset", "0"), ("length", "48")):
        tensor.external_data.add(key=key, value=content)
    return made


EXAMPLES: tuple[Callable[[], onnx.ModelProto], ...] = (dense, convolution, lookup, quantised, branch, outside)


def spoilt(rng: random.Random) -> bytes:
    """One of the examples with one to three fields, or some of its bytes, spoilt."""
    made = rng.choice(EXAMPLES)()
    if rng.random() < 0.25:
        return mutate.data(made.SerializeToString(), rng)
    for _ in range(rng.choice((1, 1, 2, 3))):
        message = rng.choice(list(_messages(made)))
        _spoil(message, rng.choice(message.DESCRIPTOR.fields), rng)
    raw: bytes = made.SerializeToString()
    return raw


def _messages(message: Any) -> Any:
    yield message
    for field, content in message.ListFields():
        if field.message_type:
            for inner in content if field.is_repeated else [content]:
                yield from _messages(inner)


def _spoil(message: Any, field: Any, rng: random.Random) -> None:
    action = rng.randrange(4)
    if action == 0:
        message.ClearField(field.name)
    elif field.message_type and field.is_repeated:
        held = getattr(message, field.name)
        if held and action == 1:
            del held[rng.randrange(len(held))]
        elif held:
            held.extend([rng.choice(held)] * rng.choice((1, 2, 40)))
        else:
            held.add()
    elif field.message_type:
        getattr(message, field.name).SetInParent()
    elif field.is_repeated:
        getattr(message, field.name)[:] = [_scalar(field, rng) for _ in range(rng.choice((0, 1, 3, 9)))]
    else:
        setattr(message, field.name, _scalar(field, rng))


def _scalar(field: Any, rng: random.Random) -> Any:
    kind = field.cpp_type
    if kind == field.CPPTYPE_STRING:
        text = rng.choice(mutate.TEXTS).encode(errors="replace")
        return text if field.type == field.TYPE_BYTES else text.decode()
    if kind in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        return rng.choice((0.0, -1.0, 1e30, float("nan"), float("inf")))
    if kind == field.CPPTYPE_ENUM:
        return rng.choice(list(field.enum_type.values_by_number))
    narrow = kind in (field.CPPTYPE_INT32, field.CPPTYPE_UINT32)
    number = rng.choice((*range(24), *INTEGERS))
    low = 0 if kind in (field.CPPTYPE_UINT32, field.CPPTYPE_UINT64) else -(2**31) if narrow else number
    return max(low, min(number, 2**31 - 1)) if narrow else max(low, number)


def target(folder: Path, rng: random.Random) -> None:
    """Read a spoilt model; ExportError, or ForkError for what is raised beside it."""
    path = folder / "m.onnx"
    path.write_bytes(spoilt(rng))
    (folder / "w.bin").write_bytes(bytes(48))
    dims = rng.choice(({}, {"N": 2}, {"x.0": 3}))
    with tempfile.TemporaryDirectory(dir=folder) as out:
        _in_fork(lambda: prepare(path, OwnRequest(dims), Path(out), MEMORY))


def _in_fork(work: Callable[[], object]) -> None:
    backend.OnnxRuntimeBackend  # noqa: B018 - loaded before, once for all forks
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads: none is used here
        child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(work, writing)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        answer = stream.read().decode(errors="replace")
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) or answer.startswith("ExportError"):
        raise ExportError(answer or f"the library died of signal {os.WTERMSIG(status)}")
    if answer:
        raise ForkError(answer)


def _answer(work: Callable[[], object], writing: int) -> None:
    """What the fork does: the exception's name and place into the pipe, and an end without clean-up."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        used = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_DATA, (used + MEMORY, used + MEMORY))
        work()
    except ExportError as error:
        os.write(writing, f"ExportError: {error}"[:4000].encode(errors="replace"))
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        text = f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {error}"
        os.write(writing, text[:4000].encode(errors="replace"))
    finally:
        os._exit(0)
