"""What each backend performs: its precisions and its options, as data that both sides read.

The orchestrator refuses with it before anything is sent, the runtime before anything runs, and neither
imports an inference library for it. A backend of another package declares itself by an entry point of the
group `orbitbench.backends`, whose object is a `Backend` as made by `backend()` (docs/extending.md).
"""

import functools
import sys
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from bench.record import options as of_options
from bench.record.options import Option, option
from bench.record.session_entries import ENTRIES
from bench.record.types import Job

ENTRY_POINTS = "orbitbench.backends"
PRECISIONS = ("fp32", "fp16", "int8")  # that a job may ask for
PROCESSORS = ("cpu", "gpu")  # that a backend may declare
FILES = ("fp32", "fp16", "bf16", "fp64", "int8", "mixed")  # what an ONNX file may be: see onnx_precision

Backend = NamedTuple(
    "Backend",
    [
        ("implementation", str),  # module:Class, imported by the runtime alone
        ("device", str),  # cpu | gpu
        ("makes", Tuple[str, ...]),  # precisions in which it runs an fp32 file
        ("runs", Tuple[str, ...]),  # kinds of file that it runs as they are
        ("builds", bool),  # whether it builds an engine, which takes minutes on a board
        ("options", Dict[str, Option]),
    ],
)


def backend(
    implementation: str,
    device: str = "cpu",
    makes: Tuple[str, ...] = ("fp32",),
    runs: Tuple[str, ...] = ("fp32",),
    builds: bool = False,
    options: Optional[Dict[str, Option]] = None,
) -> Backend:
    """Return the declaration of a backend."""
    return Backend(implementation, device, makes, runs, builds, options or {})


# Computes nothing, so no precision but the first would be more than a label.
NULL = backend("bench.runtime.backends.null:NullBackend", runs=FILES)
ONNXRUNTIME = backend(
    "bench.runtime.backends.onnxruntime:OnnxRuntimeBackend",
    runs=FILES,
    options={
        "graph_level": option(
            "choice",
            "graph optimisation; int8 needs extended or all",
            *("disabled", "basic", "extended", "all"),
            unfit={"disabled": ("int8",), "basic": ("int8",)},  # seen: a QDQ file is computed in fp32
        ),
        "arena": option("flag", "keep freed memory in an arena"),
        "mem_pattern": option("flag", "plan all allocations of a run together"),
        "spinning": option("flag", "threads that wait keep their CPU busy"),
        "prepacking": option("flag", "reorder weights while loading"),
        "inter_threads": option("integer", "operators that may run at the same time"),
        "config": option(
            "texts", "session configuration entries, such as session.dynamic_block_base: 4", entries=ENTRIES
        ),
    },
)
TORCH = backend(
    "bench.runtime.backends.torch:TorchBackend",
    options={
        "compile": option("flag", "run through torch.compile"),
        "compile_backend": option("choice", "of torch.compile", "inductor", "aot_eager", "eager"),
    },
)
TENSORRT = backend(
    "bench.runtime.backends.tensorrt:TensorRtBackend",
    device="gpu",
    makes=PRECISIONS,
    runs=PRECISIONS,
    builds=True,
    options={
        "device": option("integer", "number of the GPU"),
        "workspace_bytes": option("integer", "scratch memory of a build, bytes"),
        "tf32": option(
            "flag",
            "let fp32 run with 10 bits of mantissa: figures are then called tf32 (refused before Ampere)",
        ),
        "calibration": option("path", "an .npz of the bundle with samples for int8"),
        "isolate_build": option("flag", "build in a process of its own"),
        "dla_core": option(
            "integer", "run on this DLA core (Xavier, Orin), in fp16 or int8", precisions=("fp16", "int8")
        ),
        "dla_fallback": option("flag", "leave layers that the DLA lacks to the GPU (default: true)"),
    },
)
X86 = ("x86_64", "i686", "AMD64")  # as `uname -m` names them
BACKENDS = {"null": NULL, "onnxruntime": ONNXRUNTIME, "torch": TORCH, "tensorrt": TENSORRT}


def find(name: str) -> Backend:
    """Return the declaration of backend `name`, ours or by entry point; ValueError lists the known names."""
    if name in BACKENDS:
        return BACKENDS[name]
    others = dict(_entry_points())
    if name not in others:
        raise ValueError(
            "unknown backend {!r}, known: {}".format(name, ", ".join(sorted({**BACKENDS, **others})))
        )
    made = others[name].load()
    if not isinstance(made, Backend):
        raise ValueError("backend {!r}: its entry point is no bench.record.backends.Backend".format(name))
    if made.device not in PROCESSORS:
        raise ValueError("backend {!r}: its device is {!r}, must be cpu or gpu".format(name, made.device))
    return made


def known() -> List[str]:
    """Return the names of all backends, sorted."""
    return sorted(set(BACKENDS) | {name for name, _ in _entry_points()})


def _entry_points() -> Tuple[Tuple[str, Any], ...]:
    return _installed(tuple(sys.path))


@functools.lru_cache(maxsize=8)
def _installed(search_path: Tuple[str, ...]) -> Tuple[Tuple[str, Any], ...]:
    """Entry points in the packages of `sys.path`: reading them all takes 40 ms, a manifest asks per device.

    Imported when asked for: a measuring process has no need of it. Python 3.6 and 3.7 know ours alone.
    """
    try:
        from importlib import metadata  # novm
    except ImportError:
        return ()
    found: Any = metadata.entry_points()
    chosen = found.select(group=ENTRY_POINTS) if hasattr(found, "select") else found.get(ENTRY_POINTS, [])
    return tuple((point.name, point) for point in chosen)


# -- what is refused ----------------------------------------------------------------------------------------
def precision_problem(name: str, precision: str, file: str = "fp32") -> Optional[str]:
    """Return why backend `name` cannot run a file of kind `file` as `precision`; None where it can.

    An fp32 file runs in what the backend makes of it; any other runs as what it is, and only so.
    """
    found = find(name)
    if file == "fp32":
        if precision in found.makes:
            return None
        message = "backend {} does not run an fp32 file as {} (allowed: {})"
        return message.format(name, precision, ", ".join(found.makes))
    if file not in found.runs:
        message = "backend {} does not run a file that is {} (allowed: {})"
        return message.format(name, file, ", ".join(found.runs))
    if precision != file:
        return "the file is {0}: it runs as {0}, not as {1}".format(file, precision)
    return None


def arithmetic(job: Job) -> str:
    """Return what a job's figures are of: its precision, or tf32 where an option lets fp32 run in that."""
    relaxed = job["precision"] == "fp32" and (job.get("options") or {}).get("tf32") is True
    return "tf32" if relaxed else job["precision"]


def cast_problem(job: Job, machine: Optional[str]) -> Optional[str]:
    """Return what a job's fp16 file is computed in where that is not fp16; None where it is, or is not known.

    onnxruntime has no half arithmetic for x86: it puts casts to fp32 and back around what it computes.
    """
    if job["backend"] == "onnxruntime" and job["precision"] == "fp16" and machine in X86:
        return "the file is fp16, computed in fp32: onnxruntime casts on {}".format(machine)
    return None


def label_problem(job: Job) -> Optional[str]:
    """Return why a job cannot have run in the precision that it names; None where it can.

    A backend that is not installed here is taken at its word.
    """
    try:
        return precision_problem(
            job["backend"], job["precision"], job["model"].get("precision") or "fp32"
        ) or precision_of_options(job["backend"], job.get("options") or {}, [job["precision"]])
    except ValueError:
        return None


def option_problems(
    name: str, options: Mapping[str, object], precisions: Sequence[str] = ()
) -> List[Tuple[str, str]]:
    """Return (option, what is wrong with it) of each option that backend `name` does not know or cannot take.

    precisions: those in which it is to run.
    """
    allowed, found = find(name).options, []
    for key, value in options.items():
        if key not in allowed:
            known_ones = ", ".join(sorted(allowed)) or "none"
            found.append((key, "backend {} has no option {!r} (allowed: {})".format(name, key, known_ones)))
            continue
        problem = of_options.problem(key, allowed[key], options) or of_options.unperformed(
            key, allowed[key], value, precisions
        )
        if problem:
            found.append((key, problem))
    return found


def precision_of_options(
    name: str, options: Mapping[str, object], precisions: Sequence[str]
) -> Optional[str]:
    """Return why backend `name` cannot run in these precisions with these options; None where it can.

    Options that it does not know are passed over.
    """
    allowed = find(name).options
    found = (
        of_options.unperformed(key, allowed[key], value, precisions)
        for key, value in options.items()
        if key in allowed
    )
    return next(filter(None, found), None)
