"""Models as strangers bring them: each a kind that once was measured wrongly, or failed on the device."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FLOAT, INT64, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
node = helper.make_node


def value(name: str, shape: Any, kind: int = FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def ones(name: str, *shape: int) -> Any:
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


def save(
    path: Path,
    nodes: list[Any],
    inputs: list[Any],
    outputs: list[Any],
    weights: Any = (),
    opset: int = 17,
    ir: int = 8,
    **more: Any,
) -> None:
    info, functions = more.get("info", ()), list(more.get("functions", ()))
    graph = helper.make_graph(nodes, "g", inputs, outputs, list(weights), value_info=list(info))
    opsets = [helper.make_opsetid("", opset), *(helper.make_opsetid(f.domain, 1) for f in functions)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=ir, functions=functions), str(path))


CONV = [node("Conv", ["x", "w"], ["y"])]
KERNEL = [ones("w", 16, 3, 1, 1)]


def scalar_input(path: Path) -> None:
    save(path, [node("Mul", ["x", "sr"], ["y"])], [value("x", [1, 8]), value("sr", [])], [value("y", [1, 8])])


def scalar_output(path: Path) -> None:
    save(path, [node("ReduceMean", ["x"], ["y"], keepdims=0)], [value("x", [1, 8])], [value("y", [])])


def symbols(path: Path) -> None:
    save(path, CONV, [value("x", ["N", 3, "H", "W"])], [value("y", ["N", 16, "H", "W"])], KERNEL)


def placeholders(path: Path) -> None:
    save(path, CONV, [value("x", ["?", 3, "?", "?"])], [value("y", ["?", 16, "?", "?"])], KERNEL)


def endless(path: Path) -> None:
    body = helper.make_graph(
        [node("Identity", ["c"], ["d"]), node("Identity", ["v"], ["u"])],
        "b",
        [value("i", [], INT64), value("c", [], BOOL), value("v", [1])],
        [value("d", [], BOOL), value("u", [1])],
    )
    loop = node("Loop", ["", "t", "x"], ["y"], body=body)
    save(path, [loop], [value("x", [1])], [value("y", [1])], [numpy_helper.from_array(np.array(True), "t")])


def beyond_memory(path: Path) -> None:
    save(path, [node("ReduceMax", ["x"], ["y"], keepdims=1)], [value("x", [100000, 3, 1024, 1024])],
         [value("y", [1, 1, 1, 1])])  # fmt: skip


def negative_inner(path: Path) -> None:
    nodes = [node("Conv", ["x", "w"], ["a"]), node("Relu", ["a"], ["y"])]
    save(path, nodes, [value("x", [-1, 3, 8, 8])], [value("y", [-1, 16, 8, 8])], KERNEL,
         info=[value("a", [-1, 16, 8, 8])])  # fmt: skip


def own_function(path: Path) -> None:
    product = [node("MatMul", ["a", "w"], ["o"])]
    linear = helper.make_function("my", "Lin", ["a", "w"], ["o"], product, [helper.make_opsetid("", 17)])
    save(path, [node("Lin", ["x", "w"], ["y"], domain="my")], [value("x", [1, 512])], [value("y", [1, 256])],
         [ones("w", 512, 256)], functions=[linear])  # fmt: skip


def short_integers(path: Path) -> None:
    save(path, [node("Cast", ["x"], ["y"], to=FLOAT)], [value("x", [1, 4], TensorProto.INT16)],
         [value("y", [1, 4])])  # fmt: skip


def old(path: Path) -> None:
    save(path, [node("Mul", ["x", "w"], ["y"])], [value("x", [3, 2])], [value("y", [3, 2])],
         [ones("w", 3, 2)], opset=7, ir=3)  # fmt: skip


def small_floats_out(path: Path) -> None:
    kind = TensorProto.FLOAT8E4M3FN
    save(path, [node("Cast", ["x"], ["y"], to=kind)], [value("x", [1, 4])], [value("y", [1, 4], kind)],
         opset=19, ir=9)  # fmt: skip


def table_index(path: Path) -> None:
    save(path, [node("Gather", ["x", "at"], ["y"])], [value("x", [1, 4]), value("at", [1], INT64)],
         [value("y", [1, 4])])  # fmt: skip


def random_output(path: Path) -> None:
    save(path, [node("RandomNormalLike", ["x"], ["y"])], [value("x", [1, 4])], [value("y", [1, 4])])


def not_a_number(path: Path) -> None:
    nodes = [node("Abs", ["x"], ["a"]), node("Neg", ["a"], ["b"]), node("Log", ["b"], ["y"])]
    save(path, nodes, [value("x", [1, 4])], [value("y", [1, 4])])


def unknown_operator(path: Path) -> None:
    save(path, [node("Sparkle", ["x"], ["y"])], [value("x", [1, 4])], [value("y", [1, 4])])


def many_dimensions(path: Path) -> None:
    save(path, [node("Relu", ["x"], ["y"])], [value("x", [1] * 9)], [value("y", [1] * 9)])


def above_2_gb(path: Path) -> None:
    """Weights in a file of their own, 3 GB long and empty."""
    save(path, CONV, [value("x", [1, 3, 8, 8])], [value("y", [1, 16, 8, 8])], KERNEL)
    model = onnx.load(str(path))
    onnx.save(model, str(path), save_as_external_data=True, location="large.bin", size_threshold=0)
    with open(path.parent / "large.bin", "r+b") as file:
        file.truncate(3_000_000_000)
    model = onnx.load(str(path), load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        if entry.key == "length":
            entry.value = "3000000000"
    path.write_bytes(model.SerializeToString())


def text(path: Path) -> None:
    path.write_text("hello, I am no model\n" * 9)


KINDS = {
    make.__name__: make
    for make in (
        scalar_input, scalar_output, symbols, placeholders, endless, beyond_memory, negative_inner,
        own_function, short_integers, old, small_floats_out, table_index, random_output,
        not_a_number, unknown_operator,
        many_dimensions, above_2_gb, text,
    )
}  # fmt: skip


def write(folder: Path, *kinds: str) -> None:
    """KIND.onnx in `folder` for each of these kinds."""
    for kind in kinds:
        KINDS[kind](folder / f"{kind}.onnx")
