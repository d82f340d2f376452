"""Small real values that the orchestrator tests share: a model, a plan, a record that the schema accepts."""

import hashlib
import json
from pathlib import Path
from typing import Any

from bench.record import samples
from orchestrate.devices import Device
from orchestrate.runs import plan
from orchestrate.runs.folder import Run

SHA = "0" * 64
NAME = "20261122-191500-tiny"
QUICK = {
    "processes": 2,
    "warmup": 1,
    "min_samples": 5,
    "max_samples": 40,  # too few for a tail: the summary of a run in one process loads no scipy
    "min_seconds": 0.0,
    "max_seconds": 10.0,  # a stalled machine takes min_samples all the same
    "cold_loads": 0,
    "repeats": 0,
}


def model(name: str = "m") -> dict[str, Any]:
    return {"id": name, "file": f"models/{name}.onnx", "sha256": SHA, "batch": 1, "params": 10, "macs": 20}


def bundle(*names: str) -> dict[str, Any]:
    return {
        "schema": 1,
        "kind": "orbitbench.bundle",
        "experiment": {"name": "tiny", "sha256": SHA, "measure": {"processes": 1}},
        "models": [model(name) for name in names or ("m",)],
        "skipped": [],
    }


def device(**changes: Any) -> Device:
    return Device.model_validate({"transport": "process", "backend": "onnxruntime", **changes})


def record(job: str, device: str = "local", status: str = "ok", **changes: Any) -> dict[str, Any]:
    ok = status == "ok"
    error = None if ok else {"kind": "out_of_memory", "message": "no memory", "advice": "use a smaller model"}
    series = samples.encode([1000, 1100, 1050])
    return {
        "schema": 1,
        "kind": "orbitbench.record",
        "run": NAME,
        "device": device,
        "job": {
            "id": job,
            "model": model(job.partition("--")[0]),
            "backend": "onnxruntime",
            "precision": "fp32",
            "threads": 1,
            "batch": 1,
            "options": {},
            "measure": {"processes": 1},
        },
        "status": status,
        "error": error,
        "validity": {"valid": ok, "reasons": [], "warnings": []},
        "latency": {"unit": "s", "processes": [{"process": 0, "samples": series}] if ok else []},
        "memory": {"unit": "byte", "rungs": [], "residual": []},
        "environment": {},
        **changes,
    }


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def run(results: Path, *models: str, devices: tuple[str, ...] = ("local",), name: str = NAME) -> Run:
    """A run's folder as `orchestrate run` makes it, its bundle left out."""
    return write(results / name, bundle(*models), {each: device() for each in devices})


def real_run(results: Path, models: int = 3, devices: dict[str, Device] | None = None, **measure: Any) -> Run:
    """A run's folder as `orchestrate run` leaves it before its first job, with real models."""
    contents = bundle(*(f"m{n}" for n in range(models)))
    (results / NAME / "bundle" / "models").mkdir(parents=True)
    for size, entry in enumerate(contents["models"], start=4):
        path = results / NAME / "bundle" / entry["file"]
        onnx_model(path, size)
        entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    contents["experiment"]["measure"] = {**QUICK, "warmup_seconds": 0.0, **measure}
    return write(results / NAME, contents, devices or {"local": device()})


def quick_local(folder: Path) -> None:
    """In a working folder: `local` takes a few samples in one process, however busy the machine is."""
    local = {"transport": "process", "backend": "onnxruntime", "measure": {**QUICK, "processes": 1}}
    (folder / "manifests").mkdir()
    listed = json.dumps({"schema": 1, "devices": {"local": local}})
    (folder / "manifests/devices.yaml").write_text(listed)


def onnx_model(path: Path, size: int) -> None:
    """y = x W, one layer with `size` inputs and outputs."""
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    weights = np.random.default_rng(size).random((size, size), dtype=np.float32)
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, size]) for name in ("x", "y")]
    graph = helper.make_graph([node], "g", tensors[:1], tensors[1:], [numpy_helper.from_array(weights, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def write(path: Path, contents: dict[str, Any], devices: dict[str, Device]) -> Run:
    """The run's folder for a bundle and devices, whose devices.yaml is that of the folder above `results`."""
    listed = {
        name: each.model_dump(mode="json", exclude_defaults=True) | {"transport": each.transport}
        for name, each in devices.items()
    }
    manifest = path.parents[1] / "manifests/devices.yaml"
    if set(devices) != {"local"} and not manifest.exists():
        manifest.parent.mkdir(exist_ok=True)
        manifest.write_text(json.dumps({"schema": 1, "devices": listed}))
    planned = plan.plan(contents, devices, "test")
    for each in devices:
        (path / each).mkdir(parents=True)
        (path / each / "jobs.json").write_text(json.dumps(plan.job_list(planned, path.name, each)))
    (path / "plan.json").write_text(json.dumps(plan.for_run(planned, path.name, "2026-11-22T19:15:00Z")))
    return Run(path)
