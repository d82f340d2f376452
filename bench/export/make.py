"""One planned model to its files: from the cache, or built. Torch is imported only to build."""

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.export import cache
from bench.export.plan import Planned
from bench.version import package_version
from bench.zoo import architecture, dataset

REVISION = 1  # of the code that builds and exports: raise it when the same inputs shall give other files


def make(planned: Planned, folder: Path) -> cache.Artefact:
    """Return the model's files, built unless `folder` holds them."""
    name = cache.key(_inputs(planned))
    return cache.get(folder, name) or _build(planned, folder, name)


def metadata(planned: Planned) -> dict[str, str]:
    """Return what the ONNX file states about itself: every value as JSON text, text as it is."""
    entry: Mapping[str, object] = planned.entry()
    kept = (
        *("architecture", "dataset", "method", "align", "fit", "fit_quality", "ratio", "ratio_of"),
        *("widths", "params", "macs", "weights"),
    )
    described = {"id": planned.request.id, **{name: entry[name] for name in kept}}
    described["orbitbench"] = package_version()
    return {name: v if isinstance(v, str) else json.dumps(v) for name, v in described.items()}


def _inputs(planned: Planned) -> dict[str, Any]:
    libraries = {name: version(name) for name in ("torch", "onnx", "onnxruntime", "numpy")}
    return {
        "revision": REVISION,
        "batch": planned.request.batch,
        "metadata": metadata(planned),
        "libraries": libraries,
    }


def _build(planned: Planned, folder: Path, name: str) -> cache.Artefact:
    import torch

    from bench.export import network

    request, scaled = planned.request, planned.scaled
    torch.set_num_threads(1)  # sums in one order give the same reference everywhere
    data = dataset(request.dataset)
    module = network.build(architecture(request.architecture), scaled.widths, data, planned.seed)
    if planned.trained:
        network.load(module, planned.trained.path)
    made = network.export(module, data, request.batch, scaled.params, scaled.macs, metadata(planned))
    facts = {
        "tolerance": made.tolerance,
        "max_abs_error": made.max_abs_error,
        "made_by": f"torch {version('torch')}",
        "inputs": [{"name": "input", "shape": [request.batch, 3, data.size, data.size], "dtype": "float32"}],
    }
    return cache.put(folder, name, made.model, made.reference, facts)
