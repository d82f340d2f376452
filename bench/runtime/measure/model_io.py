"""Inputs for a model, and what its outputs and rungs say once it has run."""

from typing import Any, Dict, List, Optional

from bench.record import npz
from bench.runtime.backends.base import BackendError, Tensor


def make_inputs(numpy: Any, tensors: List[Tensor], reference: Optional[str], seed: int) -> Dict[str, Any]:
    """One contiguous array an input: the reference's where there is one, otherwise random numbers from the
    seed."""
    if reference:
        return _reference_inputs(numpy, tensors, reference)
    random = numpy.random.RandomState(seed % 2**32)
    return {t.name: _random(numpy, random, t) for t in tensors}


def _random(numpy: Any, random: Any, tensor: Tensor) -> Any:
    if tensor.dtype.startswith("float"):
        return random.standard_normal(tensor.shape).astype(tensor.dtype)
    return random.randint(0, 2, tensor.shape).astype(tensor.dtype)  # 0 and 1 are in every vocabulary


def _reference_inputs(numpy: Any, tensors: List[Tensor], reference: str) -> Dict[str, Any]:
    arrays, stored = {}, stored_arrays(numpy, reference, "input.")
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


def stored_arrays(numpy: Any, path: str, prefix: str = "") -> Dict[str, Any]:
    """name -> array of a bundle's npz; BackendError `bad_reference` where it cannot be believed."""
    try:
        return npz.load(numpy, path, lambda name: name.startswith(prefix))
    except ValueError as error:
        raise BackendError("bad_reference", "{}: {}".format(path, error), "export the bundle again") from None


def check_outputs(numpy: Any, outputs: List[Any], task: Dict[str, Any]) -> Dict[str, Any]:
    """{max_abs_error, max_rel_error, tolerance, ok, message} against the reference; without one,
    finiteness alone."""
    tolerance = (task["job"]["model"].get("reference") or {}).get("tolerance", 0.0)
    check = {"max_abs_error": None, "max_rel_error": None, "tolerance": tolerance, "ok": True, "message": ""}
    bad = sum(int((~numpy.isfinite(o)).sum()) for o in outputs if o.dtype.kind == "f")
    if bad:
        check.update(ok=False, message="{} output values are NaN or infinite".format(bad))
    elif task.get("reference"):
        _compare(numpy, outputs, task["reference"], check)
    return check


def _compare(numpy: Any, outputs: List[Any], reference: str, check: Dict[str, Any]) -> None:
    stored = stored_arrays(numpy, reference, "output.")
    expected = [stored[name] for name in sorted(stored, key=_index)]
    if [e.shape for e in expected] != [o.shape for o in outputs]:
        shapes = ([list(o.shape) for o in outputs], [list(e.shape) for e in expected])
        check.update(ok=False, message="output shapes are {}, the reference has {}".format(*shapes))
        return
    worst = relative = 0.0
    for got, want in zip(outputs, expected):
        if got.size:
            distance = numpy.abs(got.astype("float64") - want.astype("float64"))
            worst = max(worst, float(distance.max()))
            relative = max(relative, float(distance.max() / max(float(numpy.abs(want).max()), 1e-30)))
    if not numpy.isfinite(worst):
        check.update(ok=False, message="the reference output is not finite: export the bundle again")
        return
    check.update(max_abs_error=worst, max_rel_error=relative)
    if not worst <= check["tolerance"]:
        message = "the output is off by up to {:.3g}, allowed is {:.3g}".format(worst, check["tolerance"])
        check.update(ok=False, message=message)


def _index(name: str) -> int:
    digits = name.rpartition(".")[2]
    return int(digits) if digits.isdigit() else 0


def residual(rungs: List[Dict[str, Any]], known: Dict[str, int]) -> List[Dict[str, Any]]:
    """What the model's growth leaves unexplained by the weights and activations that the backend knows of.

    All in bytes; growth is of RSS, trimmed, above the initialised device.
    """
    ladder = {r["rung"]: r for r in rungs}
    growth = (ladder["steady_trimmed"]["rss"] or 0) - (ladder["device_initialised"]["rss"] or 0)
    weights, activations = known.get("weights", 0), known.get("activations", 0)
    row = {"process": rungs[0]["process"], "growth": growth, "weights": weights, "activations": activations}
    return [dict(row, residual=growth - weights - activations)]
