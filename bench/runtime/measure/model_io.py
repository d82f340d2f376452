"""Inputs for a model, and what its rungs leave unexplained once it has run."""

from typing import TYPE_CHECKING, Dict, List, Optional

from bench.record import npz
from bench.record.measured import UnexplainedMemory
from bench.record.readings import Rung
from bench.runtime.backends.base import BackendError, Tensor

if TYPE_CHECKING:
    import numpy

Arrays = Dict[str, "numpy.ndarray"]


def make_inputs(tensors: List[Tensor], reference: Optional[str], seed: int) -> Arrays:
    """Return one contiguous array an input: the reference's where there is one, otherwise random numbers from
    the seed."""
    if reference:
        return _reference_inputs(tensors, reference)
    import numpy

    random = numpy.random.RandomState(seed % 2**32)
    return {t.name: _random(random, t) for t in tensors}


def _random(random: "numpy.random.RandomState", tensor: Tensor) -> "numpy.ndarray":
    if tensor.dtype.startswith("float"):
        return random.standard_normal(tensor.shape).astype(tensor.dtype)
    return random.randint(0, 2, tensor.shape).astype(tensor.dtype)  # 0 and 1 are in every vocabulary


def _reference_inputs(tensors: List[Tensor], reference: str) -> Arrays:
    import numpy

    arrays, stored = {}, stored_arrays(reference, "input.")
    for index, tensor in enumerate(tensors):
        name = "input.{}".format(index)
        if name not in stored:
            raise BackendError(
                "bad_reference", "{} lacks {}".format(reference, name), "export the bundle again"
            )
        array = numpy.asarray(stored[name], order="C")  # ascontiguousarray makes 0-d arrays 1-d
        if tuple(array.shape) != tuple(tensor.shape):
            message = "{} of the reference has shape {}, the model wants {}".format(
                name, list(array.shape), list(tensor.shape)
            )
            raise BackendError("bad_reference", message, "export the bundle again")
        arrays[tensor.name] = array.astype(tensor.dtype, copy=False)
    return arrays


def stored_arrays(path: str, prefix: str = "") -> Arrays:
    """Return name -> array of a bundle's npz; BackendError `bad_reference` where it cannot be believed."""
    import numpy

    try:
        return npz.load(numpy, path, lambda name: name.startswith(prefix))
    except ValueError as error:
        raise BackendError("bad_reference", "{}: {}".format(path, error), "export the bundle again") from None


def residual(rungs: List[Rung], known: Dict[str, int]) -> List[UnexplainedMemory]:
    """Return what the model's growth leaves unexplained by the weights and activations that the backend knows
    of.

    All in bytes; growth is of RSS and swap, trimmed, above the initialised device.
    """
    ladder = {r["rung"]: r for r in rungs}
    before, after = (
        (ladder[rung]["rss"] or 0) + (ladder[rung]["swap"] or 0)
        for rung in ("device_initialised", "steady_trimmed")
    )
    growth = after - before
    weights, activations = known.get("weights", 0), known.get("activations", 0)
    return [
        {
            "process": rungs[0]["process"],
            "growth": growth,
            "weights": weights,
            "activations": activations,
            "residual": growth - weights - activations,
        }
    ]
