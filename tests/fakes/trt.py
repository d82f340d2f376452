"""A pretend `tensorrt` of one generation: it has the names of that release and no others.

`since` and `until` carry the releases in which a name appeared and was gone (NVIDIA/TensorRT, python/src of
each tag; tests/contract/test_tensorrt_names.py holds them against the real bindings). Networks are real ONNX
files, run by onnx's reference evaluator on the pretend GPU's queue.
"""

import types
from typing import Any

from tests.fakes.gpu import Gpu
from tests.fakes.trt_base import Gone, IInt8EntropyCalibrator2, ILogger, IProfiler, exists, number
from tests.fakes.trt_build import (
    Builder,
    IBuilderConfig,
    ILayer,
    INetworkDefinition,
    ITensor,
    ITimingCache,
    OnnxParser,
    ParserError,
)
from tests.fakes.trt_run import ICudaEngine, IExecutionContext, Runtime

GENERATIONS = ("8.2", "8.5", "10.3", "11.4")
FULL_VERSIONS = {"8.2": "8.2.1.8", "8.5": "8.5.2.2", "10.3": "10.3.0", "11.4": "11.4.0.106"}


# -- enums --------------------------------------------------------------------------------------------------
ENUMS: dict[str, dict[str, Any]] = {
    "DataType": {
        **dict.fromkeys(["FLOAT", "HALF", "INT8", "INT32", "BOOL"], ("0", "99")),
        "INT64": ("10.0", "99"),
        "UINT8": ("8.5", "99"),
    },
    "TensorIOMode": dict.fromkeys(["NONE", "INPUT", "OUTPUT"], ("8.5", "99")),
    "MemoryPoolType": {"WORKSPACE": ("8.4", "99")},
    "LayerType": dict.fromkeys(["ELEMENTWISE", "QUANTIZE", "DEQUANTIZE"], ("0", "99")),
    "EngineStat": {"TOTAL_WEIGHTS_SIZE": ("10.14", "99")},
    "BuilderFlag": {
        **dict.fromkeys(["FP16", "INT8"], ("0", "11.0")),
        **dict.fromkeys(["TF32", "GPU_FALLBACK"], ("0", "99")),
    },
    "DeviceType": dict.fromkeys(["GPU", "DLA"], ("0", "99")),
    "Severity": dict.fromkeys(["INTERNAL_ERROR", "ERROR", "WARNING", "INFO", "VERBOSE"], ("0", "99")),
    "ErrorCode": dict.fromkeys(
        ["SUCCESS", "MEM_ALLOC_FAILED", "MODEL_DESERIALIZE_FAILED", "INVALID_VALUE", "UNSUPPORTED_NODE"],
        ("0", "99"),
    ),
}


class Member:
    """Prints itself as pybind11's enums do: `DataType.FLOAT`."""

    def __init__(self, enum: str, name: str) -> None:
        self.enum, self.name = enum, name

    def __str__(self) -> str:
        return f"{self.enum}.{self.name}"


def make_enum(name: str, version: str) -> Any:
    here = number(version)
    found = {
        member: Member(name, member)
        for member, (first, gone) in ENUMS[name].items()
        if number(first) <= here < number(gone)
    }
    return type(name, (), found) if found else None


CLASSES = [
    ITimingCache,
    ITensor,
    ILayer,
    INetworkDefinition,
    ParserError,
    OnnxParser,
    IBuilderConfig,
    Builder,
    Runtime,
    ICudaEngine,
    IExecutionContext,
]
BASES = [ILogger, IInt8EntropyCalibrator2, IProfiler]


def make_tensorrt(version: str, gpu: Gpu) -> types.ModuleType:
    """A module `tensorrt` of `version` on `gpu`: names of other releases are not there."""
    module: Any = types.ModuleType("tensorrt")
    module.__version__, module._version, module.IS_FAKE = FULL_VERSIONS.get(version, version), version, True
    for name in ENUMS:
        enum = make_enum(name, version)
        if enum is not None:
            setattr(module, name, enum)
    for base in BASES:
        if exists(base, version):
            setattr(module, base.__name__, type(base.__name__, (base,), {}))
    module.ILogger.Severity = module.__dict__.pop("Severity")
    for cls in CLASSES:
        hidden = {name: Gone() for name, value in vars(cls).items() if not exists(value, version)}
        bound = type(cls.__name__, (cls,), dict(hidden, _gpu=gpu, _module=module))
        setattr(module, cls.__name__, bound)
    return module
