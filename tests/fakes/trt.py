"""A pretend `tensorrt` of one generation: it has the names of that release and no others.

`since` and `until` carry the releases in which a name appeared and was gone (NVIDIA/TensorRT, python/src of
each tag; tests/contract/test_tensorrt_names.py holds them against the real bindings). Networks are real ONNX
files, run by onnx's reference evaluator on the pretend GPU's queue.
"""

import json
import types
from typing import Any

import numpy as np
import onnx
import onnx.reference

from tests.fakes.gpu import CudaError, CudaMemoryError, Gpu, busy

GENERATIONS = ("8.2", "8.5", "10.3", "11.4")
FULL_VERSIONS = {"8.2": "8.2.1.8", "8.5": "8.5.2.2", "10.3": "10.3.0", "11.4": "11.4.0.106"}
TYPES = {"FLOAT": np.float32, "HALF": np.float16, "INT8": np.int8, "INT32": np.int32, "BOOL": np.bool_}
ONNX_TYPES = {1: "FLOAT", 10: "HALF", 3: "INT8", 6: "INT32", 7: "INT32", 9: "BOOL"}
NO_IMPORTER = {"8.2": {"HardSwish", "LayerNormalization"}, "8.5": {"LayerNormalization"}}
SCRATCH = 4096  # bytes that a build takes for itself
ACTIVATIONS = 8192  # bytes of one execution context


def since(version: str) -> Any:
    """The name appeared in `version`."""
    return lambda function: setattr(function, "since", version) or function


def until(version: str) -> Any:
    """The name is gone in `version`."""
    return lambda function: setattr(function, "until", version) or function


def number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def exists(thing: Any, version: str) -> bool:
    mark = thing.fget if isinstance(thing, property) else thing
    here = number(version)
    return number(getattr(mark, "since", "0")) <= here < number(getattr(mark, "until", "99"))


class Gone:
    """A name that this release does not have."""

    def __get__(self, instance: Any, owner: Any) -> Any:
        raise AttributeError(f"'{owner.__name__}' of this release has no such attribute")


class Strict:
    """Counted while alive, destroyed inside a context only, and closed to attributes it does not have."""

    needs_context = True

    def __init__(self) -> None:
        self._gpu.born(type(self).__name__)
        self._counted = True

    def __del__(self) -> None:
        if getattr(self, "_counted", False):
            self._gpu.died(type(self).__name__, self.needs_context)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_") and not isinstance(getattr(type(self), name, None), property):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        object.__setattr__(self, name, value)


class Subclassable:
    """What Python may derive from; TensorRT refuses an object whose base was not initialised."""

    def __init__(self) -> None:
        self._initialised = True


class ILogger(Subclassable):
    pass


@until("11.0")
class IInt8EntropyCalibrator2(Subclassable):
    pass


class IHostMemory(bytes):
    pass


class ITimingCache(Strict):
    def __init__(self, content: bytes) -> None:
        self._content = content
        super().__init__()

    def serialize(self) -> IHostMemory:
        return IHostMemory(self._content)


class ITensor(Strict):
    def __init__(self, network: Any, name: str, shape: Any, dtype: Any, of_network: bool) -> None:
        self._network, self._name, self._shape, self._dtype, self._of_network = (
            network,
            name,
            shape,
            dtype,
            of_network,
        )
        super().__init__()

    @property
    def name(self) -> str:
        return self._name

    @property
    def dtype(self) -> Any:
        return self._dtype

    @property
    def shape(self) -> Any:
        return tuple(self._network._shapes.get(self._name, self._shape))

    @shape.setter
    def shape(self, value: Any) -> None:
        assert self._of_network, "only a network input's shape can be set"
        self._network._shapes[self._name] = tuple(value)


class ILayer(Strict):
    def __init__(self, network: Any, node: Any) -> None:
        self._network, self._node = network, node
        super().__init__()

    @property
    def type(self) -> Any:
        kinds = self._module.LayerType
        return {"QuantizeLinear": kinds.QUANTIZE, "DequantizeLinear": kinds.DEQUANTIZE}.get(
            self._node.op_type, kinds.ELEMENTWISE
        )

    @property
    def num_outputs(self) -> int:
        return len(self._node.output)

    def get_output(self, index: int) -> Any:
        kind = self._network._kinds.get(self._node.output[index], "FLOAT")
        return self._module.ITensor(
            self._network, self._node.output[index], (), getattr(self._module.DataType, kind), False
        )


class INetworkDefinition(Strict):
    def __init__(self, builder: Any, flags: int) -> None:
        self._builder, self._flags, self._model = builder, flags, None
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._kinds: dict[str, str] = {}
        super().__init__()

    def _fill(self, model: Any) -> None:
        self._model = onnx.shape_inference.infer_shapes(model)
        graph = self._model.graph
        for value in [*graph.value_info, *graph.input, *graph.output]:
            self._kinds[value.name] = ONNX_TYPES.get(value.type.tensor_type.elem_type, "FLOAT")

    @property
    def num_inputs(self) -> int:
        return len(self._model.graph.input)

    @property
    def num_outputs(self) -> int:
        return len(self._model.graph.output)

    @property
    def num_layers(self) -> int:
        return len(self._model.graph.node)

    def get_input(self, index: int) -> Any:
        value = self._model.graph.input[index]
        dims = [d.dim_value if d.HasField("dim_value") else -1 for d in value.type.tensor_type.shape.dim]
        kind = getattr(self._module.DataType, self._kinds[value.name])
        return self._module.ITensor(self, value.name, dims, kind, True)

    def get_layer(self, index: int) -> Any:
        return self._module.ILayer(self, self._model.graph.node[index])


class ParserError(Strict):
    def __init__(self, parser: Any, code: Any, desc: str, operator: str) -> None:
        self._parser, self._code, self._desc, self._operator = parser, code, desc, operator
        super().__init__()

    def code(self) -> Any:
        return self._code

    def desc(self) -> str:
        return self._desc

    @since("10.0")
    def node_operator(self) -> str:
        return self._operator


class OnnxParser(Strict):
    def __init__(self, network: Any, logger: Any) -> None:
        check_logger(logger)
        self._network, self._logger, self._errors = network, logger, []
        super().__init__()

    @property
    def num_errors(self) -> int:
        return len(self._errors)

    def get_error(self, index: int) -> Any:
        return self._module.ParserError(self, *self._errors[index])

    def parse_from_file(self, model: str) -> bool:
        codes = self._module.ErrorCode
        if number(self._module._version) < (10,) and not self._network._flags & 1:
            return self._fail(
                codes.INVALID_VALUE, "This version of the parser only supports explicit batch", ""
            )
        try:
            loaded = onnx.load(model)
        except Exception:
            return self._fail(codes.MODEL_DESERIALIZE_FAILED, "Failed to parse the ONNX model", "")
        for place, node in enumerate(loaded.graph.node):
            if node.domain or node.op_type in NO_IMPORTER.get(self._module._version, ()):
                text = f"In node {place} (parseGraph): UNSUPPORTED_NODE: "
                text += f"No importer registered for op: {node.op_type}"
                return self._fail(codes.UNSUPPORTED_NODE, text, node.op_type)
        self._network._fill(loaded)
        return True

    def _fail(self, code: Any, text: str, operator: str) -> bool:
        self._errors.append((code, text, operator))
        self._logger.log(self._module.ILogger.Severity.ERROR, text)
        return False


class IBuilderConfig(Strict):
    def __init__(self, builder: Any) -> None:
        self._builder, self._flags, self._workspace = builder, {"TF32"}, 0
        self._calibrator, self._timing = None, None
        super().__init__()

    def set_flag(self, flag: Any) -> None:
        self._flags.add(flag.name)

    def clear_flag(self, flag: Any) -> None:
        self._flags.discard(flag.name)

    @property
    @until("10.0")
    def max_workspace_size(self) -> int:
        return self._workspace

    @max_workspace_size.setter
    def max_workspace_size(self, value: int) -> None:
        self._workspace = value

    @since("8.4")
    def set_memory_pool_limit(self, pool: Any, pool_size: int) -> None:
        assert pool.name == "WORKSPACE"
        self._workspace = pool_size

    @property
    @until("11.0")
    def int8_calibrator(self) -> Any:
        return self._calibrator

    @int8_calibrator.setter
    def int8_calibrator(self, value: Any) -> None:
        assert isinstance(value, self._module.IInt8EntropyCalibrator2)
        assert value._initialised
        self._calibrator = value

    def create_timing_cache(self, serialized_timing_cache: bytes) -> Any:
        return self._module.ITimingCache(bytes(serialized_timing_cache))

    def set_timing_cache(self, cache: Any, ignore_mismatch: bool) -> bool:
        if cache._content and not cache._content.startswith(f"timing {self._gpu.name} ".encode()):
            return ignore_mismatch
        self._timing = cache
        return True

    def get_timing_cache(self) -> Any:
        return self._timing


class Builder(Strict):
    def __init__(self, logger: Any) -> None:
        check_logger(logger)
        self._gpu.need_context("createInferBuilder")
        self._logger = logger
        super().__init__()

    @property
    @until("11.0")
    def platform_has_fast_fp16(self) -> bool:
        return "fp16" in self._gpu.fast

    @property
    @until("11.0")
    def platform_has_fast_int8(self) -> bool:
        return "int8" in self._gpu.fast

    def create_network(self, flags: int = 0) -> Any:
        return self._module.INetworkDefinition(self, flags)

    def create_builder_config(self) -> Any:
        return self._module.IBuilderConfig(self)

    def build_serialized_network(self, network: Any, config: Any) -> Any:
        try:
            return self._build(network, config)
        except CudaMemoryError:
            self._say("[defaultAllocator.cpp::allocate::31] Error Code 1: Cuda Runtime (out of memory)")
            return None

    def _say(self, text: str) -> None:
        self._logger.log(self._module.ILogger.Severity.ERROR, text)

    def _build(self, network: Any, config: Any) -> Any:
        scratch = self._gpu.allocate(SCRATCH)
        try:
            if config._workspace < SCRATCH:
                self._say("Could not find any implementation for node 0 due to insufficient workspace.")
                return None
            if "INT8" in config._flags and not self._calibrated(network, config):
                self._say("Error Code 4: Internal Error (calibration failed: no batch)")
                return None
        finally:
            self._gpu.release(scratch)
        self._gpu.builds += 1
        known = config._timing._content if config._timing is not None else b""
        if config._timing is not None:
            config._timing._content = known or f"timing {self._gpu.name} {self._gpu.builds}".encode()
        head = {"version": self._module.__version__, "gpu": self._gpu.name, "flags": sorted(config._flags)}
        head["shapes"] = {name: list(shape) for name, shape in network._shapes.items()}
        return IHostMemory(b"plan" + json.dumps(head).encode() + b"\n" + network._model.SerializeToString())

    def _calibrated(self, network: Any, config: Any) -> bool:
        if any(node.op_type == "QuantizeLinear" for node in network._model.graph.node):
            return True
        calibrator, batches = config._calibrator, 0
        if calibrator is None or calibrator.read_calibration_cache() is not None:
            return False
        names = [value.name for value in network._model.graph.input]
        while True:
            addresses = calibrator.get_batch(names)
            if addresses is None:
                break
            for index, address in enumerate(addresses):
                shape = network.get_input(index).shape
                data = self._gpu.buffer(address, int(np.prod(shape)) * 4).view(np.float32)
                assert np.isfinite(data).all()
                assert shape[0] == calibrator.get_batch_size()
            batches += 1
        calibrator.write_calibration_cache(b"scales")
        return batches > 0


class Runtime(Strict):
    def __init__(self, logger: Any) -> None:
        check_logger(logger)
        self._gpu.need_context("createInferRuntime")
        self._logger = logger
        super().__init__()

    def deserialize_cuda_engine(self, serialized_engine: bytes) -> Any:
        plan = bytes(serialized_engine)
        error = self._module.ILogger.Severity.ERROR
        try:
            head, model = plan[4:].split(b"\n", 1)
            facts = json.loads(head)
            if (plan[:4], facts["version"], facts["gpu"]) != (
                b"plan",
                self._module.__version__,
                self._gpu.name,
            ):
                raise ValueError
        except (ValueError, KeyError):
            self._logger.log(error, "Error Code 1: Serialization (magicTag or version mismatch)")
            return None
        try:
            return self._module.ICudaEngine(self, facts, model)
        except CudaMemoryError:
            self._logger.log(error, "Error Code 2: OutOfMemory (no further information)")
            return None


class ICudaEngine(Strict):
    def __init__(self, runtime: Any, facts: Any, model: bytes) -> None:
        self._runtime, self._facts = runtime, facts
        self._weights = self._gpu.allocate(len(model))
        graph = onnx.load_from_string(model).graph
        self._evaluator = onnx.reference.ReferenceEvaluator(onnx.load_from_string(model))
        self._io = [(value, True) for value in graph.input] + [(value, False) for value in graph.output]
        super().__init__()

    def __del__(self) -> None:
        if hasattr(self, "_weights"):
            self._gpu.release(self._weights)
        super().__del__()

    def _shape(self, index: int) -> tuple[int, ...]:
        value, is_input = self._io[index]
        dims = [d.dim_value if d.HasField("dim_value") else -1 for d in value.type.tensor_type.shape.dim]
        fixed = list(self._facts["shapes"].values())
        if is_input:
            return tuple(self._facts["shapes"].get(value.name, dims))
        return tuple(fixed[0][0] if size == -1 and fixed else size for size in dims)

    def _kind(self, index: int) -> str:
        return ONNX_TYPES[self._io[index][0].type.tensor_type.elem_type]

    def _index(self, name: str) -> int:
        return [value.name for value, _ in self._io].index(name)

    # 8.5 on: named tensors
    @property
    @since("8.5")
    def num_io_tensors(self) -> int:
        return len(self._io)

    @since("8.5")
    def get_tensor_name(self, index: int) -> str:
        return str(self._io[index][0].name)

    @since("8.5")
    def get_tensor_shape(self, name: str) -> tuple[int, ...]:
        return self._shape(self._index(name))

    @since("8.5")
    def get_tensor_dtype(self, name: str) -> Any:
        return getattr(self._module.DataType, self._kind(self._index(name)))

    @since("8.5")
    def get_tensor_mode(self, name: str) -> Any:
        modes = self._module.TensorIOMode
        return modes.INPUT if self._io[self._index(name)][1] else modes.OUTPUT

    # up to 9: numbered bindings
    @property
    @until("10.0")
    def num_bindings(self) -> int:
        return len(self._io)

    @until("10.0")
    def get_binding_name(self, index: int) -> str:
        return str(self._io[index][0].name)

    @until("10.0")
    def get_binding_shape(self, index: int) -> tuple[int, ...]:
        return self._shape(index)

    @until("10.0")
    def get_binding_dtype(self, index: int) -> Any:
        return getattr(self._module.DataType, self._kind(index))

    @until("10.0")
    def binding_is_input(self, index: int) -> bool:
        return self._io[index][1]

    @property
    @until("11.0")
    def device_memory_size(self) -> int:
        return ACTIVATIONS

    @property
    @since("10.1")
    def device_memory_size_v2(self) -> int:
        return ACTIVATIONS

    @since("10.14")
    def get_engine_stat(self, stat: Any) -> int:
        return int(self._gpu.buffers[self._weights].nbytes)

    def create_execution_context(self) -> Any:
        try:
            return self._module.IExecutionContext(self)
        except CudaMemoryError:
            self._runtime._logger.log(
                self._module.ILogger.Severity.ERROR, "Error Code 2: OutOfMemory (no further information)"
            )
            return None


class IExecutionContext(Strict):
    def __init__(self, engine: Any) -> None:
        self._engine, self._addresses = engine, {}
        self._activations = self._gpu.allocate(ACTIVATIONS)
        super().__init__()

    def __del__(self) -> None:
        if hasattr(self, "_activations"):
            if self._gpu.running:
                self._gpu.violations.append("execution context destroyed while the device works")
            self._gpu.release(self._activations)
        super().__del__()

    @since("8.5")
    def set_tensor_address(self, name: str, memory: int) -> bool:
        self._addresses[self._engine._index(name)] = int(memory)
        return True

    @since("8.5")
    def execute_async_v3(self, stream_handle: int) -> bool:
        if len(self._addresses) != len(self._engine._io):
            self._gpu.violations.append("execution without every tensor's address")
            return False
        return self._enqueue([self._addresses[i] for i in range(len(self._addresses))], stream_handle)

    @until("10.0")
    def execute_async_v2(self, bindings: list[int], stream_handle: int) -> bool:
        if len(bindings) != len(self._engine._io):
            self._gpu.violations.append("execution without every binding")
            return False
        return self._enqueue([int(address) for address in bindings], stream_handle)

    def _enqueue(self, addresses: list[int], handle: int) -> bool:
        self._gpu.need_context("enqueue")
        if handle not in self._gpu.streams:
            self._gpu.violations.append("execution on the default stream, or on one that is gone")
            return False
        engine, gpu = self._engine, self._gpu
        gpu.streams[handle].put(lambda: run(gpu, engine, addresses))
        return True


def run(gpu: Gpu, engine: Any, addresses: list[int]) -> None:
    """The kernels: read the inputs where they lie now, compute, write the outputs."""
    if gpu.broken:
        raise CudaError("unspecified launch failure")
    busy(gpu.delay)
    feeds, room = {}, []
    for index, (value, is_input) in enumerate(engine._io):
        shape, dtype = engine._shape(index), np.dtype(TYPES[engine._kind(index)])
        raw = gpu.buffer(addresses[index], int(np.prod(shape)) * dtype.itemsize)
        if is_input:
            feeds[value.name] = raw.view(dtype).reshape(shape).copy()
        else:
            room.append((raw, dtype))
    for (raw, dtype), result in zip(room, engine._evaluator.run(None, feeds), strict=True):
        if "FP16" in engine._facts["flags"]:
            result = result.astype(np.float16)
        raw[:] = np.ascontiguousarray(result, dtype).view(np.uint8).reshape(-1)
    gpu.executions += 1


def check_logger(logger: Any) -> None:
    if not getattr(logger, "_initialised", False):
        raise TypeError("logger: ILogger.__init__() must be called when overriding __init__")


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
    "BuilderFlag": {"FP16": ("0", "11.0"), "INT8": ("0", "11.0"), "TF32": ("0", "99")},
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
BASES = [ILogger, IInt8EntropyCalibrator2]


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
