"""Backends: one class each behind the protocol of `base.Backend`; found by name, imported when asked for."""

import importlib
from typing import Any

# name -> (module, class). Dotted strings, so that naming a backend imports nothing.
BACKENDS = {
    "null": ("bench.runtime.backends.null", "NullBackend"),
    "onnxruntime": ("bench.runtime.backends.onnxruntime", "OnnxRuntimeBackend"),
    "torch": ("bench.runtime.backends.torch", "TorchBackend"),
    "tensorrt": ("bench.runtime.backends.tensorrt", "TensorRtBackend"),
}


def backend_class(name: str) -> Any:
    """The backend class called `name`; ValueError lists the known names."""
    if name not in BACKENDS:
        raise ValueError("unknown backend '%s': known are %s" % (name, ", ".join(sorted(BACKENDS))))
    module, attribute = BACKENDS[name]
    return getattr(importlib.import_module(module), attribute)
