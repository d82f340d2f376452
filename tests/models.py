"""Small ONNX models, made with the onnx package: opset 13 and IR 8, so that onnxruntime 1.10 reads them
too."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.conftest import PATIENCE


def _save(
    nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: dict[str, Any], path: Path
) -> Path:
    tensors = [numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "test", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path


def _value(name: str, shape: list[Any], kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def mlp(path: Path, width: int = 256, depth: int = 2, batch: int | str = 1) -> Path:
    """`depth` square matrix products with ReLU: width^2 * depth parameters."""
    random = np.random.default_rng(0)
    weights = {
        f"w{i}": (random.standard_normal((width, width)) / width**0.5).astype("f4") for i in range(depth)
    }
    nodes, last = [], "input"
    for i in range(depth):
        nodes += [
            helper.make_node("MatMul", [last, f"w{i}"], [f"m{i}"]),
            helper.make_node("Relu", [f"m{i}"], [f"r{i}"]),
        ]
        last = f"r{i}"
    nodes[-1].output[0] = "output"
    return _save(nodes, [_value("input", [batch, width])], [_value("output", [batch, width])], weights, path)


def cnn(path: Path, channels: int = 16, size: int = 32, layers: int = 2, classes: int = 10) -> Path:
    """Convolutions of 3 x 3 with ReLU, global average, a linear layer: the shape of a CIFAR network."""
    random, c_in = np.random.default_rng(1), 3
    nodes, weights, last = [], {}, "input"
    for i in range(layers):
        weights[f"w{i}"] = (random.standard_normal((channels, c_in, 3, 3)) / (9 * c_in) ** 0.5).astype("f4")
        nodes.append(helper.make_node("Conv", [last, f"w{i}"], [f"c{i}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("Relu", [f"c{i}"], [f"r{i}"]))
        last, c_in = f"r{i}", channels
    weights["fc"] = random.standard_normal((channels, classes)).astype("f4")
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["pool"]))
    nodes.append(helper.make_node("Flatten", ["pool"], ["flat"]))
    nodes.append(helper.make_node("MatMul", ["flat", "fc"], ["output"]))
    return _save(
        nodes, [_value("input", [1, 3, size, size])], [_value("output", [1, classes])], weights, path
    )


def one_node(path: Path, operator: str, domain: str = "", **attributes: Any) -> Path:
    """A model of a single node from `input` to `output`, such as Log (NaN for negatives) or one nobody
    knows."""
    node = helper.make_node(operator, ["input"], ["output"], domain=domain, **attributes)
    graph = helper.make_graph([node], "test", [_value("input", [1, 4])], [_value("output", [1, 4])])
    opsets = [helper.make_opsetid("", 13)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())
    return path


def hanging(path: Path, turns: int = 10**15) -> Path:
    """A loop of 10^15 turns, or of fewer for a model that is merely slow (a microsecond or two each)."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Sin", ["x"], ["x_out"])],
        "body",
        [_value("turn", [], TensorProto.INT64), _value("go", [], TensorProto.BOOL), _value("x", [1, 4])],
        [_value("go_on", [], TensorProto.BOOL), _value("x_out", [1, 4])],
    )
    node = helper.make_node("Loop", ["turns", "yes", "input"], ["output"], body=body)
    weights = {"turns": np.array(turns, "i8"), "yes": np.array(True)}
    return _save([node], [_value("input", [1, 4])], [_value("output", [1, 4])], weights, path)


def reference(model: Path, path: Path, seed: int = 0) -> Path:
    """The reference input and output of a model, as the bundle has them, by onnxruntime itself."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    random = np.random.default_rng(seed)
    feed = {
        node.name: random.standard_normal([d if isinstance(d, int) else 1 for d in node.shape]).astype("f4")
        for node in session.get_inputs()
    }
    arrays = {f"input.{i}": value for i, value in enumerate(feed.values())}
    arrays |= {f"output.{i}": value for i, value in enumerate(session.run(None, feed))}
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def job(bundle: Path, model: Path, with_reference: bool = True, **changes: Any) -> dict[str, Any]:
    """A job on `model`, which lies in `bundle`."""
    described: dict[str, Any] = {
        "id": model.stem,
        "file": str(model.relative_to(bundle)),
        "sha256": sha256(model),
        "reference": None,
    }
    if with_reference:
        npz = reference(model, bundle / "reference" / f"{model.stem}.npz")
        described["reference"] = {
            "file": str(npz.relative_to(bundle)),
            "sha256": sha256(npz),
            "tolerance": 1e-4,
            "made_by": "onnxruntime",
        }
    return job_of(described, **changes)


def job_of(described: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A job on a model as a bundle describes it."""
    base = {
        "backend": "onnxruntime",
        "precision": "fp32",
        "threads": 1,
        "batch": 1,
        "options": {},
        "measure": {},
    }
    made = {"model": described, **base, **changes}
    name = f"{described['id']}--{made['backend']}-{made['precision']}-t{made['threads']}"
    return {"id": name, **made}


QUICK = {"processes": 2, "warmup": 3, "warmup_seconds": 0.0, "min_samples": 30, "max_samples": 200}
QUICK |= {"cold_loads": 0, "repeats": 0}
# By count: a busy machine takes longer, and as many samples.
QUICK |= {"min_seconds": 0.0, "max_seconds": 60, "timeout_seconds": PATIENCE, "max_waiting": 1e9}


def job_list(
    path: Path, bundle: Path, jobs: list[dict[str, Any]], device: str = "test", **changes: Any
) -> Path:
    """Write a job list beside `bundle`."""
    document = {"schema": 1, "kind": "orbitbench.jobs", "run": "20260101-000000-test", "device": device}
    document |= {"bundle": bundle.name, "seed": 7, "measure": QUICK, "board": {}, "jobs": jobs, **changes}
    path.write_text(json.dumps(document))
    return path


def greedy(path: Path) -> Path:
    """A model that asks for 40 GB."""
    fill = helper.make_node("ConstantOfShape", ["shape"], ["big"])
    nodes = [fill, helper.make_node("ReduceSum", ["big"], ["sum"], keepdims=0)]
    nodes.append(helper.make_node("Add", ["input", "sum"], ["output"]))
    weights = {"shape": np.array([10**10], "i8")}
    return _save(nodes, [_value("input", [1, 4])], [_value("output", [1, 4])], weights, path)


def spoil(npz: Path) -> None:
    """Add 1 to the reference output."""
    arrays = dict(np.load(npz))
    arrays["output.0"] = arrays["output.0"] + 1
    np.savez(npz, **arrays)
