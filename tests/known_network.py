"""Make orchestrate/execution/known_network, the bundle of `devices check --deep`, again."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from bench.export.reference import pack
from tests import models

NAME = "known-network"
SIZE = 16


def write(folder: Path) -> None:
    """Write `bundle.json`, the model and its reference into `folder`."""
    model = models.cnn(folder / f"models/{NAME}.onnx", channels=8, size=SIZE)
    image = np.random.default_rng(7).standard_normal((1, 3, SIZE, SIZE)).astype("f4")
    reference = folder / f"reference/{NAME}.npz"
    reference.parent.mkdir(parents=True, exist_ok=True)
    reference.write_bytes(pack([image], [computed(model, image).astype("f4")]))
    (folder / "bundle.json").write_text(json.dumps(bundle(model, reference), indent=1) + "\n")


def bundle(model: Path, reference: Path) -> dict[str, Any]:
    """The index: one model and nothing skipped."""
    weights = [numpy_helper.to_array(each) for each in onnx.load(str(model)).graph.initializer]
    entry = {
        "id": NAME,
        "file": f"models/{model.name}",
        "sha256": digest(model),
        "bytes": model.stat().st_size,
        "precision": "fp32",
        "params": sum(each.size for each in weights),
        "inputs": [{"name": "input", "shape": [1, 3, SIZE, SIZE], "dtype": "float32"}],
        "reference": {
            "file": f"reference/{reference.name}",
            "sha256": digest(reference),
            "tolerance": 1e-4,
            "made_by": "numpy in float64",
        },
    }
    return {
        "schema": 1,
        "kind": "orbitbench.bundle",
        "experiment": {"name": "device-check"},
        "models": [entry],
        "skipped": [],
    }


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def computed(model: Path, image: Any) -> Any:
    """The network's output in float64, by no inference library."""
    tensors = {t.name: numpy_helper.to_array(t).astype("f8") for t in onnx.load(str(model)).graph.initializer}
    value = image.astype("f8")
    for name in ("w0", "w1"):
        value = np.maximum(convolved(value, tensors[name]), 0)
    return value.mean(axis=(2, 3)) @ tensors["fc"]


def convolved(value: Any, weight: Any) -> Any:
    """A convolution of 3 x 3 with one pixel of zeros around."""
    wide = np.pad(value, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(wide, (3, 3), axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, weight)
