"""ONNX Runtime on a CPU, 1.10 (Python 3.6) to current. Inputs and outputs are bound once: no copy is
timed."""

import functools
import os
import re
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple

from bench.record import session_entries
from bench.record.onnxfile import weight_bytes
from bench.runtime.backends import onnxruntime_profile
from bench.runtime.backends.base import Backend, BackendError, Event, Tensor
from bench.runtime.machine.clock import now_ns

if TYPE_CHECKING:
    import numpy

DTYPES = {
    "tensor(float)": "float32",
    "tensor(float16)": "float16",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(int16)": "int16",
    "tensor(int8)": "int8",
    "tensor(uint64)": "uint64",
    "tensor(uint32)": "uint32",
    "tensor(uint16)": "uint16",
    "tensor(uint8)": "uint8",
    "tensor(bool)": "bool",
}
LEVELS = {
    "disabled": "ORT_DISABLE_ALL",
    "basic": "ORT_ENABLE_BASIC",
    "extended": "ORT_ENABLE_EXTENDED",
    "all": "ORT_ENABLE_ALL",
}
# What onnxruntime reports -> (kind, what the reader can do). The first pattern that matches counts.
ADVICE: List[Tuple[str, str, str]] = [
    (
        r"Unsupported model IR version|is under development|Opset \d+|max supp",
        "model_unreadable",
        "export the model with opset 13 and IR version 8 or lower, which every onnxruntime since 1.10 reads",
    ),
    (
        r"NOT_IMPLEMENTED|Could not find an implementation|is not a registered function|No Op registered",
        "unsupported_operator",
        "replace the operator in the model, or install an onnxruntime that has it",
    ),
    (
        r"bad_alloc|Failed to allocate|out of memory|MemoryError",
        "out_of_memory",
        "use a smaller model or batch, or free memory on the board",
    ),
    (
        r"NO_SUCHFILE|File doesn't exist|failed:Load model .* failed: No such",
        "model_missing",
        "the model file vanished: copy the bundle to the device again",
    ),
    (
        r"Number of affinities",
        "bad_option",
        "give session.intra_op_thread_affinities one part, between ;, for each thread but the first",
    ),
]


def _explain(error: Exception, otherwise: str) -> BackendError:
    """Return the error of onnxruntime as kind, one line, advice."""
    text = " ".join(str(error).split())
    for pattern, kind, advice in ADVICE:
        if re.search(pattern, text):
            return BackendError(kind, text[:500], advice)
    advice = "check the file with onnx.checker and export it again"
    return BackendError(otherwise, text[:500], advice)


class OnnxRuntimeBackend(Backend):
    """Options: graph_level (disabled|basic|extended|all), arena, mem_pattern, spinning, prepacking
    (true|false), inter_threads, config (session entries, text to text), input_shapes (name to shape, for
    dynamic dimensions)."""

    name = "onnxruntime"

    def import_library(self) -> None:
        """Import numpy and onnxruntime; BackendError `library_missing`."""
        try:
            import numpy
            import onnxruntime
        except ImportError as error:
            raise BackendError("library_missing", str(error), "pip install onnxruntime") from error
        self._numpy, self._library = numpy, onnxruntime
        self._session: Any = None
        self._binding: Any = None
        self._arrays: Dict[str, numpy.ndarray] = {}
        self._inputs: Dict[str, Any] = {}
        self._results: List[numpy.ndarray] = []
        self._known: Dict[str, int] = {}
        self._first: Optional[float] = None
        self._trace: Optional[str] = None

    def __exit__(self, *exc: object) -> None:
        """Drop binding, session and arrays."""
        self.__dict__.pop("infer", None)
        self._binding = self._session = None
        self._arrays, self._inputs, self._results = {}, {}, []

    def _session_options(self) -> Any:
        options, settings = self._library.SessionOptions(), self.settings.options
        level = LEVELS[settings.get("graph_level", "all")]
        options.graph_optimization_level = getattr(self._library.GraphOptimizationLevel, level)
        options.intra_op_num_threads = self.settings.threads
        options.inter_op_num_threads = settings.get("inter_threads", 1)
        options.enable_cpu_mem_arena = settings.get("arena", True)
        options.enable_mem_pattern = settings.get("mem_pattern", True)
        options.log_severity_level = 3
        if self._trace:
            options.enable_profiling = True
            options.profile_file_prefix = os.path.join(self._trace, "profile-{}".format(os.getpid()))
        for key, value in self._entries().items():
            options.add_session_config_entry(key, value)
        return options

    def _entries(self) -> Dict[str, str]:
        settings = self.settings.options
        entries = {"session.intra_op.allow_spinning": "1" if settings.get("spinning", True) else "0"}
        if not settings.get("prepacking", True):
            entries["session.disable_prepacking"] = "1"
        entries.update({str(k): session_entries.text(v) for k, v in settings.get("config", {}).items()})
        return entries

    def load(self, path: str) -> List[Tensor]:
        """Return a session on the file at `path`; dimensions without a number come from `input_shapes`,
        otherwise 1."""
        if not os.path.exists(path):
            raise BackendError("model_missing", "{}: no such file".format(path), "copy the bundle again")
        providers = ["CPUExecutionProvider"]
        try:
            self._session = self._library.InferenceSession(path, self._session_options(), providers=providers)
        except Exception as error:
            raise _explain(error, "model_unreadable") from error
        for node in self._session.get_outputs():
            if node.type not in DTYPES:
                message = "output {} is of type {}".format(node.name, node.type)
                raise BackendError("unsupported_output", message, "use tensors of numbers")
        self._known["weights"] = weight_bytes(path)
        return [self._tensor(node) for node in self._session.get_inputs()]

    def _tensor(self, node: Any) -> Tensor:
        if node.type not in DTYPES:
            raise BackendError(
                "unsupported_input",
                "input {} is of type {}".format(node.name, node.type),
                "use tensors of numbers",
            )
        given = (self.settings.options.get("input_shapes") or {}).get(node.name)
        fixed = [d if isinstance(d, int) else None for d in node.shape]
        if given is None or len(given) != len(fixed):
            given = [1] * len(fixed)
        shape = tuple(g if d is None else d for d, g in zip(fixed, given))
        return Tensor(node.name, shape, DTYPES[node.type])

    def bind(self, arrays: Dict[str, "numpy.ndarray"]) -> None:
        """Bind inputs to the arrays, and outputs to buffers that are allocated once, in the shapes of a
        first run."""
        if self._binding is not None and all(self._arrays.get(n) is a for n, a in arrays.items()):
            return  # the binding reads these very arrays: their new contents are in place already
        session, value = self._session, self._library.OrtValue
        self._arrays = dict(arrays)
        self._inputs = {name: value.ortvalue_from_numpy(array) for name, array in arrays.items()}
        try:
            start = now_ns()
            results = session.run(None, arrays)
            self._first = (now_ns() - start) * 1e-9
            shapes = [(array.shape, array.dtype) for array in results]
            del results
            self._results = [value.ortvalue_from_shape_and_type(*pair) for pair in shapes]
            self._binding = self._bound(session)
            session.run_with_iobinding(self._binding)
        except Exception as error:
            raise _explain(error, "inference_failed") from error
        held = list(arrays.values()) + self.outputs()
        self._known["activations"] = sum(int(array.nbytes) for array in held)
        self.infer = functools.partial(session.run_with_iobinding, self._binding)  # type: ignore[method-assign]

    def first_seconds(self) -> Optional[float]:
        """Return the seconds of the run that found the shapes of the outputs: the session's first."""
        return self._first

    def infer(self) -> None:
        """One inference; `bind` puts the library's own call in this method's place."""
        raise BackendError("inference_failed", "infer before bind, or after exit", "bind the inputs first")

    def _bound(self, session: Any) -> Any:
        binding = session.io_binding()
        for name, array in self._inputs.items():
            binding.bind_ortvalue_input(name, array)
        for node, array in zip(session.get_outputs(), self._results):
            binding.bind_ortvalue_output(node.name, array)
        return binding

    def outputs(self) -> List["numpy.ndarray"]:
        """Return the copies of the outputs, from the binding: an input that is passed on leaves its buffer
        alone."""
        copies: List["numpy.ndarray"] = self._binding.copy_outputs_to_cpu()
        return copies

    def expect_profile(self, folder: str) -> None:
        """Have the next session write a trace into `folder`."""
        self._trace = folder

    def profile(self, runs: int) -> List[List[Event]]:
        """Return the events of `runs` inferences; the trace is removed. Ends the session's profiling."""
        for _ in range(runs):
            self.infer()
        path = self._session.end_profiling()
        try:
            return onnxruntime_profile.read(path, runs)
        finally:
            os.unlink(path)

    def memory(self) -> Dict[str, int]:
        """weights: of the file; activations: bound inputs and outputs. What the arena holds the library
        does not say."""
        return dict(self._known)

    def versions(self) -> Dict[str, str]:
        """Return onnxruntime and numpy."""
        return {"onnxruntime": str(self._library.__version__), "numpy": str(self._numpy.__version__)}

    def configuration(self) -> Dict[str, object]:
        """Return the options that were in force, defaults included."""
        settings = self.settings.options
        return {
            "graph_level": settings.get("graph_level", "all"),
            "arena": settings.get("arena", True),
            "mem_pattern": settings.get("mem_pattern", True),
            "inter_threads": settings.get("inter_threads", 1),
            "intra_threads": self.settings.threads,
            "entries": self._entries(),
        }
