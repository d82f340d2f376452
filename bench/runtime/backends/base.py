"""The protocol between the measuring loop and an inference library.

A backend lives through six steps, in this order, each a rung of the memory ladder:

    backend = backend_class(name)(settings)   # stores its settings, touches nothing
    backend.import_library()                  # rung `backend_imported`: the Python module is loaded
    with backend:                             # rung `device_initialised`: CUDA context, or nothing on a CPU
        inputs = backend.load(path)           # rung `model_loaded`: session or engine, its input tensors
        backend.bind(arrays)                  # one host array an input; buffers are allocated once, here
        backend.infer()                       # one inference, host memory to host memory, SYNCHRONISED
        backend.outputs()                     # host arrays of the last inference, in model order

`infer` returns only after the outputs lie in host memory; the caller's clock brackets it. `__exit__` frees
everything that the steps allocated, also after an error in any of them.
"""

from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional, Tuple

from bench.record.types import Build

if TYPE_CHECKING:
    import numpy

Settings = NamedTuple(
    "Settings",
    [
        ("precision", str),  # fp32 | fp16 | int8
        ("threads", int),  # intra-op threads on a CPU; 0 leaves it to the library
        ("batch", int),  # images an inference
        ("cache_dir", Optional[str]),  # where engines and timing caches may be kept; None: nowhere
        ("build", Optional[int]),  # which engine build of the job this is (TensorRT); None elsewhere
        ("options", Dict[str, Any]),  # backend-specific, from the job, recorded as given
    ],
)

Tensor = NamedTuple("Tensor", [("name", str), ("shape", Tuple[int, ...]), ("dtype", str)])  # numpy dtype name

# One operator at work in one inference, as a library's own profiler reports it.
Event = NamedTuple(
    "Event",
    [
        ("name", str),
        ("operator", str),  # '' where the library does not name it
        ("seconds", float),
        ("macs", Optional[int]),  # as executed, padding included; None where unknown
        ("bytes", Optional[int]),  # read and written, as far as the library reports them
    ],
)


class BackendError(Exception):
    """What a backend could not do, as data: becomes the `error` of a failed record.

    kind: model_missing | model_unreadable | unsupported_operator | out_of_memory | library_missing |
    unsupported_precision | build_failed | device_missing | bad_option | inference_failed. message: what went
    wrong, in one line. advice: what the reader can do about it.
    """

    def __init__(self, kind: str, message: str, advice: str) -> None:
        super(BackendError, self).__init__(message)
        self.kind, self.message, self.advice = kind, message, advice


class Backend(object):
    """One way to run a model. Subclasses override every method but the optional ones at the end."""

    name = "abstract"
    fake = False  # True: timings mean nothing, and every record states that
    device = "cpu"  # cpu | gpu

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def import_library(self) -> None:
        """Import the inference library; BackendError `library_missing` when it is not there."""
        raise NotImplementedError

    def __enter__(self) -> "Backend":
        """Initialise the device (CUDA context); a CPU backend has nothing to do."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Free everything, in the reverse order of allocation."""
        raise NotImplementedError

    def load(self, path: str) -> List[Tensor]:
        """Make the model at `path` ready to run; its input tensors with static shapes."""
        raise NotImplementedError

    def bind(self, arrays: Dict[str, "numpy.ndarray"]) -> None:
        """Take one C-contiguous numpy array an input and allocate output buffers, once.

        Called again, it takes other arrays of the same shapes, or the same ones with new contents.
        """
        raise NotImplementedError

    def infer(self) -> None:
        """Run one inference, host to host, synchronised."""
        raise NotImplementedError

    def outputs(self) -> List["numpy.ndarray"]:
        """Return the host numpy arrays of the last inference."""
        raise NotImplementedError

    def versions(self) -> Dict[str, str]:
        """Return library name -> version, of everything that could explain a figure."""
        raise NotImplementedError

    # -- optional ---------------------------------------------------------------------------------------
    def first_seconds(self) -> Optional[float]:
        """Return seconds of the first inference, where `bind` has made it; None where the caller makes it."""
        return None

    def compute_seconds(self) -> Optional[float]:
        """Return seconds on the device of the last inference, copies apart (CUDA events); None on a CPU."""
        return None

    def arithmetic(self) -> str:
        """In what it computes: its rounding is what the output check allows for (measure/tolerance.py)."""
        return self.settings.precision

    def memory(self) -> Dict[str, int]:
        """Return the bytes that the backend itself knows of: weights, activations, free and total device
        memory."""
        return {}

    def expect_profile(self, folder: str) -> None:
        """Before `load`: inferences are going to be profiled; the library may write into `folder`.

        BackendError `no_profiler` where it has none.
        """
        message = "backend {} has no profiler".format(self.name)
        raise BackendError("no_profiler", message, "leave out --profile for this backend")

    def profile(self, runs: int) -> List[List[Event]]:
        """After `bind`: run `runs` inferences under the profiler; the events of each."""
        raise NotImplementedError

    def build_info(self) -> Optional[Build]:
        """Return how the engine was built or found in the cache; None where there is no build."""
        return None

    def configuration(self) -> Dict[str, object]:
        """Return the options in force, defaults included, for the record's environment."""
        return dict(self.settings.options)
