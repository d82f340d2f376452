"""The pretend TensorRT up to a serialised engine: network, parser, configuration, builder."""

import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tests.fakes.arithmetic import in_half, in_int8
from tests.fakes.gpu import CudaMemoryError
from tests.fakes.trt_base import IHostMemory, Strict, check_logger, number, since, until

# What a DLA is taken to run: a part of NVIDIA's list of supported layers.
ON_DLA = {"Conv", "Relu", "Clip", "MaxPool", "AveragePool", "Add", "BatchNormalization", "Sigmoid", "Tanh"}
NO_IMPORTER = {"8.2": {"HardSwish", "LayerNormalization"}, "8.5": {"LayerNormalization"}}
SCRATCH = 4096  # bytes that a build takes for itself
ONNX_TYPES = {1: "FLOAT", 10: "HALF", 3: "INT8", 6: "INT32", 7: "INT32", 9: "BOOL"}


def hang(model: str) -> None:
    """Build without end where FAKE_BUILD_HANGS is MODEL:FILE; FILE gets the number of the process."""
    name, _, sign = os.environ.get("FAKE_BUILD_HANGS", "").partition(":")
    if name == model:
        Path(sign).write_text(str(os.getpid()))
        time.sleep(600)


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
    def name(self) -> str:
        return str(self._node.name or f"{self._node.op_type} of {self._node.output[0]}")

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
        self._builder, self._flags, self._model, self._file = builder, flags, None, ""
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
        self._network._file = Path(model).name
        return True

    def _fail(self, code: Any, text: str, operator: str) -> bool:
        self._errors.append((code, text, operator))
        self._logger.log(self._module.ILogger.Severity.ERROR, text)
        return False


class IBuilderConfig(Strict):
    def __init__(self, builder: Any) -> None:
        self._builder, self._flags, self._workspace = builder, {"TF32"}, 0
        self._calibrator, self._timing = None, None
        self._device, self._dla = builder._module.DeviceType.GPU, -1
        super().__init__()

    @property
    def default_device_type(self) -> Any:
        return self._device

    @default_device_type.setter
    def default_device_type(self, value: Any) -> None:
        self._device = value

    @property
    def DLA_core(self) -> int:
        return self._dla

    @DLA_core.setter
    def DLA_core(self, value: int) -> None:
        if 0 <= value < self._gpu.dla_cores:  # another one is an error in the log, and changes nothing
            self._dla = value
        else:
            self._builder._say(f"[builderConfig.cpp::setDLACore] {value} is not a DLA core")

    def can_run_on_DLA(self, layer: Any) -> bool:
        lowered = {"FP16", "INT8"} & self._flags or not hasattr(self._module.BuilderFlag, "FP16")
        return bool(lowered) and layer._node.op_type in ON_DLA

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

    @property
    def num_DLA_cores(self) -> int:
        return int(self._gpu.dla_cores)

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
        on_dla = config._device.name == "DLA"
        if on_dla and not self._fits_dla(network, config):
            return None
        scratch = self._gpu.allocate(SCRATCH)
        try:
            hang(network._file)
            if config._workspace < SCRATCH:
                self._say("Could not find any implementation for node 0 due to insufficient workspace.")
                return None
            model = self._computing(network, config)
            if model is None:
                self._say("Error Code 4: Internal Error (calibration failed: no batch)")
                return None
        finally:
            self._gpu.release(scratch)
        self._gpu.builds += 1
        known = config._timing._content if config._timing is not None else b""
        if config._timing is not None:
            config._timing._content = known or f"timing {self._gpu.name} {self._gpu.builds}".encode()
        head = {"version": self._module.__version__, "gpu": self._gpu.name, "flags": sorted(config._flags)}
        head["dla"] = config._dla if on_dla else None
        head["shapes"] = {name: list(shape) for name, shape in network._shapes.items()}
        return IHostMemory(b"plan" + json.dumps(head).encode() + b"\n" + model.SerializeToString())

    def _fits_dla(self, network: Any, config: Any) -> bool:
        layers = [network.get_layer(index) for index in range(network.num_layers)]
        left = [layer.name for layer in layers if not config.can_run_on_DLA(layer)]
        if config._dla < 0:
            self._say("Error Code 3: API Usage Error (no DLA core is chosen)")
        elif left and "GPU_FALLBACK" not in config._flags:
            self._say(f"Default DLA is enabled but layer {left[0]} is not supported on DLA and falling back")
        else:
            return True
        return False

    def _computing(self, network: Any, config: Any) -> Any:
        """The model as it will compute under the flags; None where its int8 scales cannot be had."""
        model = network._model
        if any(node.op_type == "QuantizeLinear" for node in model.graph.node):
            return model
        if "INT8" in config._flags:
            batches = self._calibrated(network, config)
            return in_int8(model, batches) if batches else None
        return in_half(model) if "FP16" in config._flags else model

    def _calibrated(self, network: Any, config: Any) -> list[dict[str, Any]]:
        """The batches that the calibrator gave, as they lay on the device."""
        calibrator, batches = config._calibrator, []
        if calibrator is None or calibrator.read_calibration_cache() is not None:
            return []
        names = [value.name for value in network._model.graph.input]
        while True:
            addresses = calibrator.get_batch(names)
            if addresses is None:
                break
            batch = {}
            for index, address in enumerate(addresses):
                shape = network.get_input(index).shape
                data = self._gpu.buffer(address, int(np.prod(shape)) * 4).view(np.float32)
                assert np.isfinite(data).all()
                assert shape[0] == calibrator.get_batch_size()
                batch[names[index]] = data.reshape(shape).copy()
            batches.append(batch)
        calibrator.write_calibration_cache(b"scales")
        return batches
