"""The pretend TensorRT from a serialised engine on: runtime, engine, execution context."""

import json
from typing import Any

import numpy as np
import onnx
import onnx.reference

from tests.fakes.gpu import CudaError, CudaMemoryError, Gpu, busy
from tests.fakes.trt_base import Strict, check_logger, since, until
from tests.fakes.trt_build import ONNX_TYPES

TYPES = {"FLOAT": np.float32, "HALF": np.float16, "INT8": np.int8, "INT32": np.int32, "BOOL": np.bool_}
ACTIVATIONS = 8192  # bytes of one execution context
PROFILED = 0.125  # ms of every layer


class Runtime(Strict):
    def __init__(self, logger: Any) -> None:
        check_logger(logger)
        self._gpu.need_context("createInferRuntime")
        self._logger, self._dla = logger, -1
        super().__init__()

    @property
    def num_DLA_cores(self) -> int:
        return int(self._gpu.dla_cores)

    @property
    def DLA_core(self) -> int:
        return self._dla

    @DLA_core.setter
    def DLA_core(self, value: int) -> None:
        assert 0 <= value < self._gpu.dla_cores
        self._dla = value

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
            if facts["dla"] is not None and facts["dla"] != self._dla:
                self._logger.log(error, "Error Code 1: the engine is for another DLA core")
                return None
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
        self._model = onnx.load_from_string(model)
        graph = self._model.graph
        self._evaluator = onnx.reference.ReferenceEvaluator(self._model)
        self._layers = [node.name or node.output[0] for node in graph.node]
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
        self._profiler: Any = None
        super().__init__()

    def __del__(self) -> None:
        if hasattr(self, "_activations"):
            if self._gpu.running:
                self._gpu.violations.append("execution context destroyed while the device works")
            self._gpu.release(self._activations)
        super().__del__()

    @property
    def profiler(self) -> Any:
        return self._profiler

    @profiler.setter
    def profiler(self, profiler: Any) -> None:
        if not getattr(profiler, "_initialised", False):
            raise TypeError("profiler: IProfiler.__init__() must be called when overriding __init__")
        self._profiler = profiler

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
        if self._profiler is not None:
            report = self._profiler.report_layer_time
            gpu.streams[handle].put(lambda: [report(name, PROFILED) for name in engine._layers])
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
        raw[:] = np.ascontiguousarray(result, dtype).view(np.uint8).reshape(-1)
    gpu.executions += 1
