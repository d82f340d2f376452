"""What differs between TensorRT 8.2, 8.5, 10 and 11: each difference in one function that asks for the name.

Versions are never compared: `hasattr` decides, so a release nobody has seen yet works if it has the names.
"""

import collections
import importlib
from types import ModuleType
from typing import Any, Callable, Deque, Dict, List, NamedTuple, Optional, Tuple

from bench.runtime.backends.base import BackendError, Tensor

# create_network's flags: bit 0 is EXPLICIT_BATCH in 8 to 10, which the ONNX parser needs, and an ignored bit
# in 11, where the enum's name is gone.
EXPLICIT_BATCH = 1

# Own table: trt.nptype evaluates np.bool in 8.2.1 to 8.5.2, which numpy 1.24 no longer has.
DTYPES = {
    "FLOAT": "float32",
    "HALF": "float16",
    "INT8": "int8",
    "INT32": "int32",
    "INT64": "int64",
    "BOOL": "bool",
    "UINT8": "uint8",
}

IoTensor = NamedTuple("IoTensor", [("tensor", Tensor), ("is_input", bool)])


def import_tensorrt() -> Any:
    """Return the module `tensorrt`; BackendError `library_missing` where it cannot be imported."""
    try:
        return importlib.import_module("tensorrt")
    except ImportError as error:
        raise BackendError(
            "library_missing",
            "tensorrt cannot be imported: %s" % error,
            "use the board's image (JetPack brings TensorRT, the nvidia runtime mounts it), "
            "or pip install tensorrt on an x86 GPU machine",
        ) from error


def member_name(value: object) -> str:
    """Return the bare name of an enum's member: `DataType.FLOAT` -> `FLOAT`."""
    return str(value).rsplit(".", 1)[-1]


def make_logger(trt: Any) -> Any:
    """Return a trt.ILogger that keeps the last warnings and errors, for the message of a failed record."""

    class Logger(trt.ILogger):  # type: ignore[misc]
        """Messages arrive from any thread: a deque's append is atomic."""

        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.errors: Deque[str] = collections.deque(maxlen=50)
            self.warnings: Deque[str] = collections.deque(maxlen=50)

        def log(self, severity: object, msg: str) -> None:
            level = member_name(severity)
            if level in ("INTERNAL_ERROR", "ERROR"):
                self.errors.append(msg.strip())
            elif level == "WARNING":
                self.warnings.append(msg.strip())

        def tail(self, count: int = 3) -> str:
            """Return the last `count` errors in one line."""
            return "; ".join(list(self.errors)[-count:]) or "TensorRT logged no error"

    return Logger()


def set_workspace(trt: ModuleType, config: Any, nbytes: int) -> None:
    """Limit the builder's scratch memory: a memory pool from 8.4, an attribute before (8.2)."""
    if hasattr(config, "set_memory_pool_limit"):
        config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, nbytes)
    else:
        config.max_workspace_size = nbytes


def has_flag(trt: ModuleType, name: str) -> bool:
    """Return whether the builder knows this flag: from 11.0 on FP16 and INT8 are gone."""
    return hasattr(trt.BuilderFlag, name)


def lacks_fast(builder: Any, precision: str) -> bool:
    """Return True where the GPU is known to have no fast `precision`; 11.0 no longer reports it."""
    return getattr(builder, "platform_has_fast_" + precision, True) is False


def io_tensors(trt: ModuleType, engine: Any) -> List[IoTensor]:
    """Return the inputs and outputs in binding order: named tensors from 8.5, numbered bindings before."""
    if hasattr(engine, "num_io_tensors"):
        names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
        return [
            _io(
                name,
                engine.get_tensor_shape(name),
                engine.get_tensor_dtype(name),
                engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT,
            )
            for name in names
        ]
    return [
        _io(
            engine.get_binding_name(index),
            engine.get_binding_shape(index),
            engine.get_binding_dtype(index),
            engine.binding_is_input(index),
        )
        for index in range(engine.num_bindings)
    ]


def _io(name: str, shape: Any, dtype: Any, is_input: bool) -> IoTensor:
    member = member_name(dtype)
    if member not in DTYPES:
        raise BackendError(
            "unsupported_precision",
            "tensor %s is of type %s, which numpy cannot hold" % (name, member),
            "export the model with float32 or float16 inputs and outputs",
        )
    return IoTensor(Tensor(name, tuple(int(size) for size in shape), DTYPES[member]), bool(is_input))


def enqueuer(context: Any, addresses: List[Tuple[str, int]], stream: int) -> Callable[[], bool]:
    """Return a function that enqueues one inference: execute_async_v3 on named addresses from 8.5, v2 before.

    `addresses`: (tensor name, device address) in binding order. `stream` is never the default stream: with v3
    TensorRT would synchronise the device around every call.
    """
    if hasattr(context, "execute_async_v3"):
        for name, address in addresses:
            if not context.set_tensor_address(name, address):
                raise BackendError(
                    "inference_failed",
                    "TensorRT refuses the address of tensor %s" % name,
                    "report this as a bug",
                )
        return lambda: bool(context.execute_async_v3(stream))
    bindings = [address for _, address in addresses]
    return lambda: bool(context.execute_async_v2(bindings, stream))


def engine_memory(trt: ModuleType, engine: Any) -> Dict[str, int]:
    """Return bytes of device memory that the engine reports.

    `activations`: scratch and activations of one context, without weights and I/O buffers. `weights`: from
    10.14 on; before that the plan's size is the nearest thing, and a different one (it holds code too), so it
    is not passed off as weights.
    """
    found: Dict[str, int] = {}
    for name in ("device_memory_size_v2", "device_memory_size"):
        if hasattr(engine, name):
            found["activations"] = int(getattr(engine, name))
            break
    if hasattr(engine, "get_engine_stat"):
        weights = int(engine.get_engine_stat(trt.EngineStat.TOTAL_WEIGHTS_SIZE))
        if weights >= 0:  # -1: not known for this engine
            found["weights"] = weights
    return found


def first_error(lines: List[str], *needles: str) -> Optional[str]:
    """Return the first line that holds one of `needles`, upper and lower case alike."""
    for line in lines:
        if any(needle in line.lower() for needle in needles):
            return line
    return None
