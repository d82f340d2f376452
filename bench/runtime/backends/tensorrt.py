"""TensorRT 8.2 to 11 behind the backend protocol: engine from ONNX on this GPU, one stream, pinned buffers.

`infer` copies in, runs and copies out on one stream and returns when the stream is idle: the caller's clock
sees the whole inference, host memory to host memory. CUDA events around the execution alone give
`compute_seconds`.

options: `device` (GPU number, 0), `workspace_bytes` (256 MiB), `tf32` (false), `calibration` (an .npz for
int8), `dla_core` and `dla_fallback` (see `tensorrt_dla`), `isolate_build` (true: engines are built by a child
process, so that the libraries and caches which a builder leaves behind stay out of this process's memory
figures).

Not offered: bytes counted by an IGpuAllocator of our own. Its callbacks come from any thread, where no
context is current, their exceptions are swallowed, and it would replace the very allocator that is measured.
Free and total device memory, the engine's own figures and the plan's size are reported instead.
"""

import os
import shutil
import tempfile
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

from bench.record import files
from bench.record.types import Build
from bench.runtime.backends import engine_cache, tensorrt_build, tensorrt_child, tensorrt_profile
from bench.runtime.backends import tensorrt_api as api
from bench.runtime.backends import tensorrt_dla as dla
from bench.runtime.backends.base import Backend, BackendError, Event, Settings, Tensor
from bench.runtime.backends.cuda import Gpu, import_driver, out_of_memory
from bench.runtime.backends.engine_cache import Key
from bench.runtime.backends.tensorrt_build import BuildInfo


class TensorRtBackend(Backend):
    """See the module's docstring; the life cycle is that of `base.Backend`."""

    name = "tensorrt"
    device = "gpu"

    def __init__(self, settings: Settings) -> None:
        super(TensorRtBackend, self).__init__(settings)
        self._trt: Any = None
        self._driver: Any = None
        self._gpu: Any = None
        self._logger: Any = None
        self._runtime: Any = None
        self._engine: Any = None
        self._context: Any = None
        self._start: Any = None
        self._end: Any = None
        self._io: List[api.IoTensor] = []
        self._host: Dict[str, np.ndarray] = {}
        self._copies_in: List[Tuple[Any, Any]] = []
        self._copies_out: List[Tuple[Any, Any]] = []
        self._enqueue: Any = None
        self._build: Optional[Build] = None
        self._plan_bytes = 0
        self._cuda_versions: Dict[str, str] = {}
        self._ran = False

    # -- life cycle -------------------------------------------------------------------------------------
    def import_library(self) -> None:
        """Import tensorrt and load CUDA's driver, initialising nothing."""
        self._trt = api.import_tensorrt()
        self._driver = import_driver()
        self.fake = bool(getattr(self._trt, "IS_FAKE", False))  # a stand-in declares it, and its records do

    def __enter__(self) -> "TensorRtBackend":
        options = self.settings.options
        self._gpu = Gpu(self._driver, int(options.get("device", 0))).open(bool(options.get("tf32", False)))
        self._cuda_versions = self._gpu.versions()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._gpu is not None:
            self._gpu.close()
            self._gpu = None

    def load(self, path: str) -> List[Tensor]:
        """Return the engine of the ONNX file at `path`, from the cache or built; its input tensors."""
        self._require(self._gpu, "load")
        try:
            return self._load(path)
        except BaseException as error:
            tensorrt_build.forget_frames(error)
            raise

    def _load(self, path: str) -> List[Tensor]:
        try:
            model = files.sha256_of(path)
        except OSError as error:
            raise BackendError("model_missing", str(error), "copy the bundle to the device again") from error
        self._gpu.on_close(self._drop_engine)
        self._logger = api.make_logger(self._trt)
        folder = self.settings.cache_dir or self._temporary_folder()
        self._engine = self._engine_for(path, model, folder)
        self._context = self._engine.create_execution_context()
        if self._context is None:
            raise self._refused("no execution context")
        self._io = api.io_tensors(self._trt, self._engine)
        return [io.tensor for io in self._io if io.is_input]

    def bind(self, arrays: Dict[str, np.ndarray]) -> None:
        """Copy `arrays` into pinned buffers; called again, it takes other arrays of the same shapes."""
        self._require(self._context, "bind")
        for io in self._io:
            if io.is_input:
                check_array(io.tensor, arrays)
        if self._enqueue is None:
            self._allocate()
        for name, array in arrays.items():
            np.copyto(self._host[name], array)

    def _drop_engine(self) -> None:
        self._context = self._engine = self._runtime = self._logger = None

    def _allocate(self) -> None:
        mark = self._gpu.mark()
        self._gpu.on_close(self._drop_bindings)
        try:
            addresses = [self._buffer(io) for io in self._io]
            self._start, self._end = self._driver.Event(), self._driver.Event()
            self._enqueue = api.enqueuer(self._context, addresses, self._gpu.stream.handle)
        except BaseException as error:
            tensorrt_build.forget_frames(error)
            self._gpu.release_to(mark)
            raise

    def _buffer(self, io: api.IoTensor) -> Tuple[str, int]:
        name, shape, dtype = io.tensor
        host = self._gpu.pinned(shape, dtype)
        device = self._gpu.alloc(max(1, host.nbytes))
        self._host[name] = host
        (self._copies_in if io.is_input else self._copies_out).append((device, host))
        return name, int(device)

    def infer(self) -> None:
        """One inference: copy in, run, copy out, wait for the stream."""
        if self._enqueue is None:
            raise BackendError(
                "inference_failed", "infer before bind, or after exit", "bind the inputs first"
            )
        try:
            accepted = self._run()
        except self._driver.Error as error:
            tensorrt_build.forget_frames(error)
            doing = "the GPU failed during an inference"
            raise self._gpu.failure(error, "inference_failed", doing) from error
        if not accepted:
            raise self._refused("TensorRT did not enqueue the inference")
        self._ran = True

    def _run(self) -> bool:
        driver, stream = self._driver, self._gpu.stream
        for device, host in self._copies_in:
            driver.memcpy_htod_async(device, host, stream)
        self._start.record(stream)
        accepted = self._enqueue()
        self._end.record(stream)
        for device, host in self._copies_out:
            driver.memcpy_dtoh_async(host, device, stream)
        stream.synchronize()
        return bool(accepted)

    def outputs(self) -> List[np.ndarray]:
        """Return copies: the pinned buffers themselves die with the context."""
        self._require(self._enqueue, "outputs")
        return [np.array(self._host[io.tensor.name]) for io in self._io if not io.is_input]

    def _drop_bindings(self) -> None:
        self._enqueue = self._start = self._end = None
        self._ran = False
        self._copies_in, self._copies_out, self._host = [], [], {}

    # -- engine -----------------------------------------------------------------------------------------
    def _engine_for(self, path: str, model: str, folder: str) -> Any:
        """The engine from the cache, else built; a damaged or refused one is built again, with a warning."""
        order = self._order(path)
        key = engine_cache.key_of(self._trt.__version__, self._gpu, model, order)
        plan, complaint = engine_cache.read(folder, key, "engine")
        warnings = [complaint + ": built again"] if complaint else []
        engine, cached = self._deserialise(plan), plan is not None
        info: BuildInfo = {}
        if engine is None:
            if cached:
                warnings.append("TensorRT refused the cached engine: built again")
                engine_cache.discard(folder, key, "engine")
            info = self._built(order, folder, key)
            plan, _ = engine_cache.read(folder, key, "engine")
            engine, cached = self._deserialise(plan), False
        if engine is None:
            raise self._refused("the engine just built cannot be loaded")
        info["warnings"] = warnings + info.get("warnings", [])
        self._plan_bytes = len(plan or b"")
        self._build = dict(info, cached=cached, build=order.build, key=key, plan_bytes=self._plan_bytes)
        return engine

    def _built(self, order: tensorrt_build.Order, folder: str, key: Key) -> BuildInfo:
        if order.options.get("isolate_build", True):
            return tensorrt_child.build(order, folder, key)
        return tensorrt_child.build_here(self._trt, self._gpu, self._logger, order, folder, key)

    def _deserialise(self, plan: Optional[bytes]) -> Any:
        if plan is None:
            return None
        if self._runtime is None:
            self._runtime = self._trt.Runtime(self._logger)
            core = dla.core_of(self.settings.options)
            if core is not None:
                dla.require_core(core, int(self._runtime.num_DLA_cores))
                self._runtime.DLA_core = core
        return self._runtime.deserialize_cuda_engine(plan)

    def _order(self, path: str) -> tensorrt_build.Order:
        settings = self.settings
        return tensorrt_build.Order(
            os.path.abspath(path), settings.precision, settings.batch, settings.build or 0, settings.options
        )

    def _temporary_folder(self) -> str:
        try:
            folder = tempfile.mkdtemp(prefix="orbitbench-engine-")
        except OSError as error:
            raise BackendError(
                "build_failed", "nowhere to keep the engine: %s" % error, "set a cache folder"
            ) from error
        self._gpu.on_close(lambda: shutil.rmtree(folder, ignore_errors=True))
        return folder

    # -- what it knows ----------------------------------------------------------------------------------
    def compute_seconds(self) -> Optional[float]:
        """Return the seconds of the last execution alone, between CUDA events."""
        return float(self._end.time_since(self._start)) / 1000.0 if self._ran else None

    def memory(self) -> Dict[str, int]:
        """gpu_free, gpu_total; the engine's activations, plan and (from 10.14) weights; our I/O buffers."""
        if self._gpu is None:
            return {}
        free, total = self._gpu.memory()
        found = {"gpu_free": free, "gpu_total": total}
        if self._engine is not None:
            found.update(api.engine_memory(self._trt, self._engine))
            found["plan"] = self._plan_bytes
        if self._host:
            found["io"] = sum(array.nbytes for array in self._host.values())
        return found

    def expect_profile(self, folder: str) -> None:
        """Nothing to prepare: any execution context takes a profiler."""

    def profile(self, runs: int) -> List[List[Event]]:
        """Return the layers of `runs` inferences, by TensorRT's own profiler."""
        self._require(self._enqueue, "profile")
        return tensorrt_profile.profile(self._trt, self._context, self.infer, runs)

    def arithmetic(self) -> str:
        """Return the precision; TF32 where an option lets fp32 run in it."""
        tf32 = self.settings.precision == "fp32" and self.settings.options.get("tf32", False)
        return "tf32" if tf32 else self.settings.precision

    def configuration(self) -> Dict[str, object]:
        """Return the options in force, defaults included."""
        defaults = {"workspace_bytes": tensorrt_build.WORKSPACE, "tf32": False, "isolate_build": True}
        return dict(defaults, **self.settings.options)

    def build_info(self) -> Optional[Build]:
        """Return cached, build, seconds, flags, layers, dla, plan_bytes, timing_cache, key, warnings."""
        return self._build

    def versions(self) -> Dict[str, str]:
        """Return TensorRT, numpy, CUDA's driver and how it is reached, and the GPU."""
        return dict(self._cuda_versions, tensorrt=str(self._trt.__version__), numpy=str(np.__version__))

    # -- refusals ---------------------------------------------------------------------------------------
    def _require(self, thing: object, step: str) -> None:
        if thing is None:
            raise BackendError(
                "inference_failed", "%s out of order, or after exit" % step, "follow the life cycle"
            )

    def _refused(self, what: str) -> BackendError:
        tail = self._logger.tail()
        if api.first_error([tail], *tensorrt_build.OUT_OF_MEMORY):
            return out_of_memory("%s: %s" % (what, tail))
        return BackendError(
            "inference_failed", "%s: %s" % (what, tail), "look at the log, and rebuild the engine"
        )


def check_array(tensor: Tensor, arrays: Dict[str, np.ndarray]) -> None:
    """Refuse an input that is missing, or of another shape or type: a GPU would read beyond it."""
    array = arrays.get(tensor.name)
    got = None if array is None else (tuple(array.shape), str(array.dtype))
    if got != (tensor.shape, tensor.dtype):
        raise BackendError(
            "inference_failed",
            "input %s is %s and the engine takes %s" % (tensor.name, got, (tensor.shape, tensor.dtype)),
            "give arrays of the shapes that load() returned",
        )
