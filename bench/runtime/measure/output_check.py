"""Whether an output is right: near the reference for floating point, and no nonsense for int8."""

import math
from typing import Any, Dict, List, Tuple

from bench.record.types import Task
from bench.runtime.measure import tolerance
from bench.runtime.measure.model_io import stored_arrays

# One-sided 1 % quantile of the normal distribution: Fisher's z of a correlation by chance stays below it.
CHANCE = 2.326


def check_outputs(numpy: Any, outputs: List[Any], task: Task, arithmetic: str = "fp32") -> Dict[str, Any]:
    """{max_abs_error, max_rel_error, tolerance, ok, message} against the reference; without one, finiteness
    alone.

    arithmetic: of the backend. For int8 and mixed, tolerance is None, and `top1_agreement` (share of the
    batch whose largest output is at the reference's place) and `correlation` (the lowest of any output) are
    added.
    """
    promised, reference = task["job"]["model"].get("reference"), task.get("reference")
    allowed = promised.get("tolerance", 0.0) if promised else 0.0
    check: Dict[str, Any] = {"max_abs_error": None, "max_rel_error": None, "tolerance": allowed}
    check.update(ok=True, message="", arithmetic=arithmetic)
    bad = sum(int((~numpy.isfinite(o)).sum()) for o in outputs if o.dtype.kind == "f")
    if bad:
        check.update(ok=False, message="{} output values are NaN or infinite".format(bad))
    elif reference:
        expected = _expected(numpy, reference)
        if [e.shape for e in expected] != [o.shape for o in outputs]:
            shapes = ([list(o.shape) for o in outputs], [list(e.shape) for e in expected])
            check.update(ok=False, message="output shapes are {}, the reference has {}".format(*shapes))
            return check
        pairs = [(got.astype("float64"), want.astype("float64")) for got, want in zip(outputs, expected)]
        _compare(numpy, [pair for pair in pairs if pair[0].size], task["model"], check)
    return check


def _expected(numpy: Any, reference: str) -> List[Any]:
    stored = stored_arrays(numpy, reference, "output.")
    return [stored[name] for name in sorted(stored, key=_index)]


def _index(name: str) -> int:
    digits = name.rpartition(".")[2]
    return int(digits) if digits.isdigit() else 0


def _compare(numpy: Any, pairs: List[Tuple[Any, Any]], model: str, check: Dict[str, Any]) -> None:
    worst = relative = 0.0
    share = tolerance.relative(check["arithmetic"], model)
    for got, want in pairs:
        distance, largest = float(numpy.abs(got - want).max()), float(numpy.abs(want).max())
        if not math.isfinite(distance):
            check.update(ok=False, message="the reference output is not finite: export the bundle again")
            return
        worst, relative = max(worst, distance), max(relative, distance / max(largest, 1e-30))
        check["tolerance"] = max(check["tolerance"], (share or 0.0) * largest)
    check.update(max_abs_error=worst, max_rel_error=relative)
    if share is None:
        check["tolerance"] = None
        _judge(numpy, pairs, check)
    elif not worst <= check["tolerance"]:
        message = "the output is off by up to {:.3g}, allowed is {:.3g}".format(worst, check["tolerance"])
        check.update(ok=False, message=message)


def _judge(numpy: Any, pairs: List[Tuple[Any, Any]], check: Dict[str, Any]) -> None:
    """Record the agreement of a quantised output; refuse one that has nothing to do with the reference."""
    check.update(top1_agreement=_agreement(*pairs[0]) if pairs else None, correlation=None)
    for got, want in pairs:
        if got.size < 4 or not want.std():
            continue  # too few values, or a constant reference: nothing can be said
        if not got.std():
            check.update(ok=False, message="the output is constant, the reference is not", correlation=0.0)
            return
        found = float(numpy.corrcoef(got.ravel(), want.ravel())[0, 1])
        check["correlation"] = found if check["correlation"] is None else min(found, check["correlation"])
        chance = math.tanh(CHANCE / math.sqrt(got.size - 3))
        if found < chance:
            message = "the output agrees with the reference no better than chance: correlation {:.2f}, chance"
            message += " gives up to {:.2f}"
            check.update(ok=False, message=message.format(found, chance))


def _agreement(got: Any, want: Any) -> float:
    """Share of rows (of the first axis, where there are others) whose largest value is at the same place."""
    rows = got.shape[0] if got.ndim > 1 else 1
    same = got.reshape(rows, -1).argmax(axis=1) == want.reshape(rows, -1).argmax(axis=1)
    return float(same.mean())
