"""Values of options: unknown ones are refused, and so are those with which a file loses its precision."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.record import backends
from bench.record.session_entries import ENTRIES, text

SIGNED, UNSIGNED = np.int8, np.uint8
TRIED = {"[01]": ("0", "1"), "[012]": ("0", "1", "2"), "[0-4]": ("0", "4"), "apply": ("apply",)}


@pytest.fixture(scope="module", params=[SIGNED, UNSIGNED], ids=["signed", "unsigned"])
def qdq(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A convolution between quantisation and its inverse, activations signed or not."""
    ones = np.ones((4, 3, 3, 3), np.int8)
    weights = {"w": ones, "s": np.float32(0.1), "wz": np.int8(0), "z": request.param(0)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "z"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "s", "z"], ["xd"]),
        helper.make_node("DequantizeLinear", ["w", "s", "wz"], ["wd"]),
        helper.make_node("Conv", ["xd", "wd"], ["c"]),
        helper.make_node("QuantizeLinear", ["c", "s", "z"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "s", "z"], ["y"]),
    ]
    x, y = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 3, 8, 8]), ("y", [1, 4, 6, 6]))
    )
    constants = [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "qdq", [x], [y], constants)
    path = tmp_path_factory.mktemp("qdq") / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), str(path))
    return path


def computed_in_int8(path: Path, level: str = "all", entries: dict[str, str] | None = None) -> bool:
    made, options = path.with_name("optimised.onnx"), onnxruntime.SessionOptions()
    names = {"disabled": "DISABLE_ALL"}
    options.graph_optimization_level = getattr(
        onnxruntime.GraphOptimizationLevel, "ORT_" + names.get(level, f"ENABLE_{level.upper()}")
    )
    options.optimized_model_filepath, options.log_severity_level = str(made), 3
    for key, value in (entries or {}).items():
        options.add_session_config_entry(key, value)
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    operators = {node.op_type for node in onnx.load(str(made)).graph.node}
    assert len(operators & {"Conv", "QLinearConv"}) == 1
    return "QLinearConv" in operators


def refused(**options: Any) -> bool:
    return backends.precision_of_options("onnxruntime", options, ["int8"]) is not None


def test_whatever_takes_int8_from_a_quantised_file_is_refused_with_int8(qdq: Path) -> None:
    """graph_level and every session entry that has few values, with each of them."""
    assert computed_in_int8(qdq)
    for level in ("disabled", "basic", "extended", "all"):
        assert computed_in_int8(qdq, level) or refused(graph_level=level), level
    for name, entry in ENTRIES.items():
        for value in TRIED.get(entry.pattern, ()):
            assert computed_in_int8(qdq, "all", {name: value}) or refused(config={name: value}), (name, value)
    name = "optimization.disable_specified_optimizers"
    assert not computed_in_int8(qdq, "all", {name: "QDQSelectorActionTransformer"})
    assert refused(config={name: "QDQSelectorActionTransformer"})


@pytest.mark.parametrize("value", [1, "1", True])
def test_it_is_refused_however_it_is_written_and_with_int8_alone(value: object) -> None:
    options = {"config": {"session.disable_quant_qdq": value}}
    assert backends.option_problems("onnxruntime", options, ["fp32", "mixed"]) == []
    said = f"with session.disable_quant_qdq: {value} a file that is int8 may be computed in another precision"
    assert backends.option_problems("onnxruntime", options, ["fp32", "int8"]) == [("config", said)]
    off = {"config": {"session.disable_quant_qdq": 0}, "graph_level": "all"}
    assert backends.option_problems("onnxruntime", off, ["int8"]) == []


def test_products_in_bfloat16_are_not_called_fp32() -> None:
    options = {"config": {"mlas.enable_gemm_fastmath_arm64_bfloat16": 1}}
    (found,) = backends.option_problems("onnxruntime", options, ["fp32"])
    assert "a file that is fp32 may be computed in another precision" in found[1]
    assert backends.option_problems("onnxruntime", options, ["int8"]) == []


@pytest.mark.parametrize(
    ("backend", "options", "said"),
    [
        (
            "onnxruntime",
            {"config": {"session.disable_quant_qdq": "banana"}},
            "option config: session.disable_quant_qdq is 'banana', must be 0 or 1",
        ),
        (
            "onnxruntime",
            {"config": {"session.dynamic_block_base": "banana"}},
            "option config: session.dynamic_block_base is 'banana', must be a whole number, 0 or more",
        ),
        (
            "onnxruntime",
            {"config": {"optimization.minimal_build_optimizations": "save"}},
            "option config: optimization.minimal_build_optimizations is 'save', must be apply",
        ),
        (
            "onnxruntime",
            {"config": {"session.intra_op_thread_affinities": "1,2;3-"}},
            "option config: session.intra_op_thread_affinities is '1,2;3-', must be numbers of CPUs from 1, ",
        ),
        (
            "onnxruntime",
            {"prepacking": True, "config": {"session.disable_prepacking": 1}},
            "option config: session.disable_prepacking is set by option prepacking too: give one of them",
        ),
        (
            "torch",
            {"compile": True, "compile_backend": "inducter"},
            "option compile_backend is 'inducter', must be one of inductor, aot_eager, eager",
        ),
        (
            "tensorrt",
            {"calibration": "/etc/samples.npz"},
            "option calibration is '/etc/samples.npz', must be a path inside the bundle",
        ),
    ],
)
def test_a_value_that_the_library_would_ignore_or_stumble_over_is_refused(
    backend: str, options: dict[str, Any], said: str
) -> None:
    (found,) = backends.option_problems(backend, options)
    assert said in found[1]


def test_numbers_of_cpus_may_be_of_one_thread_or_of_several() -> None:
    for value in (1, "1", "1,2;3-4"):
        options = {"config": {"session.intra_op_thread_affinities": value}}
        assert backends.option_problems("onnxruntime", options) == []


def test_what_the_library_is_given_is_text() -> None:
    assert [text(value) for value in (True, False, 4, "1,2;3")] == ["1", "0", "4", "1,2;3"]
