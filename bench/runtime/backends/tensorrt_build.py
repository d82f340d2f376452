"""From an ONNX file to a serialised TensorRT engine, on the device that will run it.

Everything that TensorRT hands out during a build is held by one `EngineBuild` and dropped by its `close`,
before the CUDA context goes; an exception's frames are emptied first, or they would keep builder and network
alive beyond it.
"""

import re
import time
import traceback
from types import ModuleType
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

from bench.record.onnxfile import opset
from bench.record.typed_dict import TypedDict
from bench.runtime.backends import tensorrt_api as api
from bench.runtime.backends import tensorrt_dla as dla
from bench.runtime.backends.base import BackendError
from bench.runtime.backends.cuda import Gpu, out_of_memory
from bench.runtime.backends.tensorrt_calibration import calibration_batches, make_calibrator
from bench.runtime.backends.tensorrt_dla import Placed

WORKSPACE = 256 << 20  # bytes; from 8.4 on the default is the whole device: on a Jetson, all its memory

Order = NamedTuple(
    "Order",
    [("path", str), ("precision", str), ("batch", int), ("build", int), ("options", Dict[str, Any])],
)


class BuildInfo(TypedDict, total=False):
    """How an engine was built; `timing_cache`: whether one was reused, and its bytes after the build."""

    flags: List[str]
    layers: int
    workspace_bytes: int
    seconds: float
    warnings: List[str]
    dla: Optional[Placed]
    timing_cache: Dict[str, int]


OUT_OF_MEMORY = ("out of memory", "outofmemory", "could not be allocated", "insufficient memory")


def build_plan(
    trt: ModuleType, gpu: Gpu, logger: Any, order: Order, timing: bytes
) -> Tuple[bytes, bytes, BuildInfo]:
    """Return (engine, timing cache, how it was built); BackendError where it cannot be.

    `timing`: a serialised timing cache of this very build, or b"".
    """
    started = time.time()
    build = EngineBuild(trt, gpu, logger, order)
    try:
        build.parse()
        build.configure()
        build.use_timing(timing)
        plan, timing_out = build.run()
        info: BuildInfo = {
            "flags": build.flags, "layers": build.layers, "workspace_bytes": build.workspace,
            "seconds": time.time() - started, "warnings": build.warnings, "dla": build.dla,
        }  # fmt: skip
        return plan, timing_out, info
    except BaseException as error:
        forget_frames(error)
        raise
    finally:
        build.close()


def forget_frames(error: Optional[BaseException]) -> None:
    """Empty the finished frames of `error` and its causes: their locals keep TensorRT objects alive."""
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__context__


class EngineBuild(object):
    """One build; `parse`, `configure`, `use_timing`, `run`, and always `close`."""

    def __init__(self, trt: ModuleType, gpu: Gpu, logger: Any, order: Order) -> None:
        self.trt, self.gpu, self.logger, self.order = trt, gpu, logger, order
        self.flags: List[str] = []
        self.warnings: List[str] = []
        self.layers = 0
        self.dla: Optional[Placed] = None
        self.workspace = int(order.options.get("workspace_bytes", WORKSPACE))
        self.network: Any = None
        self.config: Any = None
        self.parser: Any = None
        self.calibrator: Any = None
        self.timing: Any = None
        self._mark = gpu.mark()
        try:
            self.builder: Any = trt.Builder(logger)
        except (TypeError, RuntimeError) as error:  # pybind's 'factory function returned nullptr'
            raise BackendError(
                "build_failed",
                "no TensorRT builder: %s; %s" % (error, logger.tail()),
                "check the GPU driver",
            ) from error

    def close(self) -> None:
        """Drop all TensorRT objects, newest first, and the calibration buffers."""
        self.timing = self.parser = self.config = self.calibrator = self.network = self.builder = None
        self.gpu.release_to(self._mark)

    # -- steps ------------------------------------------------------------------------------------------
    def parse(self) -> None:
        """Read the ONNX file into a network with static shapes."""
        self.network = self.builder.create_network(api.EXPLICIT_BATCH)
        self.parser = self.trt.OnnxParser(self.network, self.logger)
        if not self.parser.parse_from_file(self.order.path):
            raise parser_failure(parser_errors(self.parser), self.logger.tail())
        self.layers = int(self.network.num_layers)
        warning = opset_warning(self.trt, opset(self.order.path))
        if warning:
            self.warnings.append(warning)
        if not self.network.num_outputs:
            raise BackendError("model_unreadable", "the model has no output", "export it again")
        fix_shapes(self.network, self.order)

    def configure(self) -> None:
        """Set workspace, precision and, after it, the DLA core."""
        self.config = self.builder.create_builder_config()
        api.set_workspace(self.trt, self.config, self.workspace)
        if not self.order.options.get("tf32", False):
            # On by default: 'fp32' would silently mean 10 bits of mantissa on Ampere and later.
            self.config.clear_flag(self.trt.BuilderFlag.TF32)
        found = network_precision(self.trt, self.network)
        if not api.has_flag(self.trt, "FP16"):
            require_typed(found, self.order.precision)
        elif self.order.precision != "fp32":
            self._lower_precision(found)
        if dla.core_of(self.order.options) is not None:
            self.dla = dla.place(self.trt, self.builder, self.network, self.config, self.order.options)

    def _lower_precision(self, found: str) -> None:
        name = self.order.precision
        if api.lacks_fast(self.builder, name):
            other = "fp16 or fp32" if name == "int8" else "fp32"
            raise BackendError(
                "unsupported_precision",
                "%s has no fast %s (a TX2 has no fast int8)" % (self.gpu.name, name),
                "choose %s on this device: it would run no faster than that" % other,
            )
        self.flags.append(name.upper())
        self.config.set_flag(getattr(self.trt.BuilderFlag, name.upper()))
        if name == "int8" and found != "int8":  # a network with Q/DQ layers brings its own scales
            self._calibrate()

    def _calibrate(self) -> None:
        shapes = input_shapes(self.network)
        arrays, warning = calibration_batches(self.order.path, self.order.options, shapes)
        if warning:
            self.warnings.append(warning)
        self.calibrator = make_calibrator(self.trt, self.gpu, arrays, next(iter(shapes.values()))[0])
        self.config.int8_calibrator = self.calibrator

    def use_timing(self, saved: bytes) -> None:
        """Start from a timing cache: a refused one (another device) is replaced by an empty one."""
        for content in (saved, b""):
            self.timing = self.config.create_timing_cache(content)
            if self.timing is not None and self.config.set_timing_cache(self.timing, False):
                return
            self.warnings.append("TensorRT refused the timing cache of %d bytes" % len(content))

    def run(self) -> Tuple[bytes, bytes]:
        """Return (engine, timing cache) as bytes."""
        errors_before = len(self.logger.errors)
        serialised = self.builder.build_serialized_network(self.network, self.config)
        if serialised is None:
            raise self._build_failure(list(self.logger.errors)[errors_before:] or list(self.logger.errors))
        timing = self.config.get_timing_cache()
        saved = b"" if timing is None else bytes(memoryview(timing.serialize()))
        return bytes(memoryview(serialised)), saved

    def _build_failure(self, errors: List[str]) -> BackendError:
        full = api.first_error(errors, *OUT_OF_MEMORY)
        if full:
            return out_of_memory("building the engine: %s" % full)
        scratch = api.first_error(errors, "insufficient workspace")
        if scratch:
            return BackendError(
                "build_failed", scratch, "raise options.workspace_bytes (now %d)" % self.workspace
            )
        if self.calibrator is not None and self.calibrator.error:
            return BackendError(
                "build_failed", "calibration: %s" % self.calibrator.error, "check options.calibration"
            )
        return BackendError(
            "build_failed",
            "TensorRT built no engine: %s" % self.logger.tail(),
            "run the model on the onnxruntime backend to see whether the file is sound",
        )


# -- reading the network ------------------------------------------------------------------------------------
def input_shapes(network: Any) -> Dict[str, Tuple[int, ...]]:
    """Return input name -> shape, in order."""
    tensors = [network.get_input(index) for index in range(network.num_inputs)]
    return {tensor.name: tuple(int(size) for size in tensor.shape) for tensor in tensors}


def opset_warning(trt: ModuleType, version: int) -> Optional[str]:
    """From opset 18 on ReduceMean takes its axes as an input; the parsers of 8.x read the attribute alone.

    They then reduce over all axes without an error (onnx-tensorrt, release/8.2-GA to 8.6-GA,
    builtin_op_importers.cpp). The record's output check shows whether it happened.
    """
    if version < 18 or hasattr(trt.ParserError, "node_operator"):  # which 10.0 brought
        return None
    return "opset %d is beyond this parser (17): a reduction may be over all axes. Export at 13" % version


def fix_shapes(network: Any, order: Order) -> None:
    """Give free dimensions the sizes of options.input_shapes, or the job's batch if it is the first alone."""
    given = order.options.get("input_shapes") or {}
    for index in range(network.num_inputs):
        tensor = network.get_input(index)
        shape = [int(size) for size in tensor.shape]
        if -1 not in shape:
            continue
        fixed = given.get(tensor.name, [order.batch])
        fixed = list(fixed) + shape[len(fixed) :]
        shape = [wanted if size == -1 else size for size, wanted in zip(shape, fixed)]
        tensor.shape = shape
        if -1 in shape:
            raise BackendError(
                "model_unreadable",
                "input %s has free dimensions: %s" % (tensor.name, shape),
                "export the model with static shapes (only the batch may be free)",
            )


def network_precision(trt: ModuleType, network: Any) -> str:
    """Return what the file itself asks for: int8 (it has quantise layers), fp16 (it has half tensors) or
    fp32."""
    half = False
    for index in range(network.num_layers):
        layer = network.get_layer(index)
        if layer.type == trt.LayerType.QUANTIZE:
            return "int8"
        outputs = [layer.get_output(number) for number in range(layer.num_outputs)]
        half = half or any(output.dtype == trt.DataType.HALF for output in outputs)
    return "fp16" if half else "fp32"


def require_typed(found: str, wanted: str) -> None:
    """A strongly typed builder (11.0 on) runs the precision of the file: anything else is refused."""
    if found == wanted:
        return
    raise BackendError(
        "unsupported_precision",
        "this TensorRT takes the precision from the ONNX file: the file is %s, the job asks for %s"
        % (found, wanted),
        "export the model in %s (half tensors, or quantise/dequantise nodes), as NVIDIA ModelOpt does,"
        " or run it as %s" % (wanted, found),
    )


# -- parser errors ------------------------------------------------------------------------------------------
ParserFailure = NamedTuple("ParserFailure", [("code", str), ("operator", str), ("text", str)])


def parser_errors(parser: Any) -> List[ParserFailure]:
    """Return all errors as plain text: a ParserError kept in a traceback would keep the parser."""
    return [_parser_error(parser.get_error(index)) for index in range(parser.num_errors)]


def _parser_error(error: Any) -> ParserFailure:
    text = " ".join(str(error.desc()).split())
    operator = error.node_operator() if hasattr(error, "node_operator") else ""  # named from 10.0 on
    if not operator:
        named = re.search(r"(?:registered for op:?|operator|op_type:?)\s+\"?([A-Za-z_][\w.]*)", text)
        operator = named.group(1).rstrip(".") if named else ""
    return ParserFailure(api.member_name(error.code()), operator, text)


def parser_failure(errors: List[ParserFailure], log: str) -> BackendError:
    """Return the parser's first telling error as a BackendError."""
    for error in errors:
        if error.code.startswith("UNSUPPORTED") or "No importer registered" in error.text:
            what = "operator %s" % error.operator if error.operator else "part of the graph"
            return BackendError(
                "unsupported_operator",
                "TensorRT's ONNX parser does not know %s: %s" % (what, error.text),
                "export with opset 13 (TensorRT 8.2) or at most 17 (8.4 to 8.6), or replace the operator",
            )
    if errors and errors[0].code == "MEM_ALLOC_FAILED":
        return out_of_memory("parsing the model: %s" % errors[0].text)
    text = errors[0].text if errors else log
    return BackendError(
        "model_unreadable",
        "TensorRT's ONNX parser: %s" % text,
        "check the file with onnx.checker, or export it again",
    )
