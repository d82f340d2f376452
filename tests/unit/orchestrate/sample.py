"""Small real values that the orchestrator tests share: a model, a plan, a record that the schema accepts."""

import json
from pathlib import Path
from typing import Any

from bench.record import samples
from orchestrate import manifests, plan
from orchestrate.store import Run

SHA = "0" * 64


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


def device(**changes: Any) -> manifests.Device:
    return manifests.Device.model_validate({"transport": "process", "backend": "onnxruntime", **changes})


def record(job: str, device: str = "local", status: str = "ok", **changes: Any) -> dict[str, Any]:
    ok = status == "ok"
    error = None if ok else {"kind": "out_of_memory", "message": "no memory", "advice": "use a smaller model"}
    series = samples.encode([1000, 1100, 1050])
    return {
        "schema": 1,
        "kind": "orbitbench.record",
        "run": "20261122-191500-tiny",
        "device": device,
        "job": {
            "id": job,
            "model": model(),
            "backend": "onnxruntime",
            "precision": "fp32",
            "threads": 1,
            "batch": 1,
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


def run(
    results: Path, *models: str, devices: tuple[str, ...] = ("local",), name: str = "20261122-191500-tiny"
) -> Run:
    """A run's folder as `orchestrate run` makes it, its bundle left out."""
    planned = plan.plan(bundle(*models), {each: device() for each in devices}, "test")
    path = results / name
    for each in devices:
        (path / each).mkdir(parents=True)
        (path / each / "jobs.json").write_text(json.dumps(plan.job_list(planned, name, each)))
    (path / "plan.json").write_text(json.dumps(plan.for_run(planned, name, "2026-11-22T19:15:00Z")))
    return Run(path)
