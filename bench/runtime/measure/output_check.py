"""Whether an output is right: near the reference for floating point, equal for whole numbers, no nonsense for
int8."""

import math
from typing import TYPE_CHECKING, List, Optional, Tuple

from bench.record.types import OutputCheck, Task
from bench.runtime.measure import tolerance
from bench.runtime.measure.model_io import stored_arrays

if TYPE_CHECKING:
    import numpy

Pairs = List[Tuple["numpy.ndarray", "numpy.ndarray"]]  # outputs: measured, of the reference

# One-sided 1 % quantile of the normal distribution: Fisher's z of a correlation by chance stays below it.
CHANCE = 2.326
WHOLE = "iub"  # numpy's kinds of whole numbers and booleans
# Whole numbers that may differ, as a share of those that are not the reference's commonest: where two floats
# nearly tie, another library decides the other way. A mask with few places set must have them all.
UNEQUAL = 0.001


def check_outputs(outputs: List["numpy.ndarray"], task: Task, arithmetic: str = "fp32") -> OutputCheck:
    """Compare outputs with the reference; without one, check finiteness alone.

    NaN and infinities are wrong, unless the reference has the same at the same places (a model's own mask).
    The errors and the tolerance are of floating-point outputs; `unequal` is the largest share of an output's
    whole numbers that differ.
    arithmetic: of the backend. For int8 and mixed, tolerance is None, and `top1_agreement` (share of the
    batch whose largest output is at the reference's place) and `correlation` (the lowest of any output) are
    added.
    """
    import numpy

    promised, reference = task["job"]["model"].get("reference"), task.get("reference")
    check: OutputCheck = {
        "max_abs_error": None,
        "max_rel_error": None,
        "tolerance": promised.get("tolerance", 0.0) if promised else 0.0,
        "ok": True,
        "message": "",
        "arithmetic": arithmetic,
    }
    expected = _expected(reference) if reference else [numpy.zeros_like(output) for output in outputs]
    if [e.shape for e in expected] != [o.shape for o in outputs]:
        shapes = ([list(o.shape) for o in outputs], [list(e.shape) for e in expected])
        return _refused(check, "output shapes are {}, the reference has {}".format(*shapes))
    pairs = [(got.astype("float64"), want.astype("float64")) for got, want in zip(outputs, expected)]
    bad = sum(int((~numpy.isfinite(got) & ~_same(got, want)).sum()) for got, want in pairs)
    if bad:
        return _refused(check, "{} output values are NaN or infinite".format(bad))
    lost = sum(int((~numpy.isfinite(want) & numpy.isfinite(got)).sum()) for got, want in pairs)
    if lost:
        return _refused(check, "{} output values are finite where the reference is not".format(lost))
    if not reference:
        return check
    wholes = [each for each in zip(outputs, expected) if each[1].dtype.kind in WHOLE and each[1].size]
    floats = [
        _finite(*pair) for pair, want in zip(pairs, expected) if want.size and want.dtype.kind not in WHOLE
    ]
    return _compared(floats, wholes, task["model"], check)


def _same(got: "numpy.ndarray", want: "numpy.ndarray") -> "numpy.ndarray":
    """Where both are equal, or both NaN."""
    return (got == want) | ((got != got) & (want != want))  # type: ignore[no-any-return]


def _finite(got: "numpy.ndarray", want: "numpy.ndarray") -> Tuple["numpy.ndarray", "numpy.ndarray"]:
    """Both with 0 where the reference is NaN or infinite: there they are the same already."""
    import numpy

    return tuple(numpy.where(numpy.isfinite(want), side, 0.0) for side in (got, want))  # type: ignore[return-value]


def _refused(check: OutputCheck, message: str) -> OutputCheck:
    """Return `check` as one of a wrong output."""
    check["ok"], check["message"] = False, message
    return check


def _expected(reference: str) -> List["numpy.ndarray"]:
    stored = stored_arrays(reference, "output.")
    return [stored[name] for name in sorted(stored, key=_index)]


def _index(name: str) -> int:
    digits = name.rpartition(".")[2]
    return int(digits) if digits.isdigit() else 0


def _compared(floats: Pairs, wholes: Pairs, model: str, check: OutputCheck) -> OutputCheck:
    """Return `check` with the errors of an output, and whether they are within what the arithmetic allows."""
    share = tolerance.relative(check["arithmetic"], model)
    if wholes:
        check["unequal"] = max(float((got != want).mean()) for got, want in wholes)
    worst = _add_errors(floats, share or 0.0, check)
    allowed = check["tolerance"] or 0.0
    if not math.isfinite(worst):
        return _refused(check, "the output is off by more than a number can hold")
    if share is None:
        check["tolerance"] = None
        check = _judged(floats, wholes, check)
    elif not worst <= allowed:
        return _refused(check, "the output is off by up to {:.3g}, allowed is {:.3g}".format(worst, allowed))
    for got, want in wholes:
        # Rounded arithmetic ranks and rounds otherwise in many places: what it decides is judged by sense.
        wrong = _unequal(got, want) if share == 0.0 else _by_chance(got, want)
        if wrong:
            return _refused(check, wrong)
    return check


def _add_errors(pairs: Pairs, share: float, check: OutputCheck) -> float:
    """Put the largest errors into `check`, and the tolerance; return the largest."""
    import numpy

    worst = relative = 0.0
    for got, want in pairs:
        distance, largest = float(numpy.abs(got - want).max()), float(numpy.abs(want).max())
        worst = max(worst, distance)
        relative = max(relative, distance / largest if largest else math.inf if distance else 0.0)
        check["tolerance"] = max(check["tolerance"] or 0.0, share * largest)
    if pairs and math.isfinite(worst):
        check["max_abs_error"] = worst
        # Of a reference of zeros it is unknown.
        check["max_rel_error"] = relative if math.isfinite(relative) else None
    return worst


def _unequal(got: "numpy.ndarray", want: "numpy.ndarray") -> str:
    """Why whole numbers are wrong; '' where they agree."""
    import numpy

    differ = int((got != want).sum())
    allowed = int(UNEQUAL * (want.size - numpy.unique(want, return_counts=True)[1].max()))
    if differ <= allowed:
        return ""
    message = "{:,} of {:,} whole numbers of an output differ from the reference; allowed: {:,}"
    return message.format(differ, want.size, allowed)


def _by_chance(got: "numpy.ndarray", want: "numpy.ndarray") -> str:
    """Why whole numbers that rounded arithmetic decides make no sense.

    '' where more of them are equal, or they correlate better, than by chance; and where that would be so of
    the reference itself: a single class proves nothing.
    """
    if _equal_by_chance(want, want) >= 1:
        return ""
    equal, chance = float((got == want).mean()), _equal_by_chance(got, want)
    if equal > chance or not _nonsense(got.astype("float64"), want.astype("float64"))[1]:
        return ""
    message = "{:.0%} of an output's whole numbers are the reference's; chance gives up to {:.0%}"
    return message.format(equal, min(1.0, chance))


def _equal_by_chance(got: "numpy.ndarray", want: "numpy.ndarray") -> float:
    """The share of equal values that shuffling gives in 99 of 100 cases at most."""
    import numpy

    values, at = numpy.unique(numpy.concatenate([got.ravel(), want.ravel()]), return_inverse=True)
    mine, its = (numpy.bincount(half, minlength=len(values)) / want.size for half in numpy.split(at, 2))
    share = float((mine * its).sum())
    return share + CHANCE * math.sqrt(share * (1 - share) / want.size)


def _judged(floats: Pairs, wholes: Pairs, check: OutputCheck) -> OutputCheck:
    """Return `check` with the agreement of a quantised output; refuse one unrelated to the reference."""
    pairs = floats + [(got.astype("float64"), want.astype("float64")) for got, want in wholes]
    found = [_nonsense(*pair) for pair in pairs]
    check["top1_agreement"] = _agreement(*pairs[0]) if pairs else None
    check["correlation"] = min((each for each, _ in found if each is not None), default=None)
    for _, wrong in found[: len(floats)]:
        if wrong:
            check = _refused(check, wrong)
    return check


def _nonsense(got: "numpy.ndarray", want: "numpy.ndarray") -> Tuple[Optional[float], str]:
    """Correlation with the reference, None where there is none; why it makes no sense, or ''."""
    import numpy

    if got.size < 4 or not want.std():
        return None, ""  # too few values, or a constant reference
    if not got.std():
        return 0.0, "the output is constant, the reference is not"
    found = float(numpy.corrcoef(got.ravel(), want.ravel())[0, 1])
    chance = math.tanh(CHANCE / math.sqrt(got.size - 3))
    message = "the output agrees with the reference no better than chance: correlation {:.2f}, chance"
    message += " gives up to {:.2f}"
    return found, message.format(found, chance) if found < chance else ""


def _agreement(got: "numpy.ndarray", want: "numpy.ndarray") -> float:
    """Share of rows (of the first axis, where there are others) whose largest value is at the same place."""
    rows = got.shape[0] if got.ndim > 1 else 1
    same = got.reshape(rows, -1).argmax(axis=1) == want.reshape(rows, -1).argmax(axis=1)
    return float(same.mean())
