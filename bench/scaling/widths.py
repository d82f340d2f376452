"""`scale`: the widths that one method gives an architecture for one target size."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.scaling import solve
from bench.scaling.counts import Count, counter
from bench.scaling.errors import ScalingError, UnreachableError
from bench.zoo import Architecture, Dataset

if TYPE_CHECKING:
    from bench.scaling.fits import Fit

METHODS = ("uniform", "neuralscale", "aligned")
RATIO_OF = ("params", "width", "macs")
ALIGN = 8  # channels: what NEON, AVX and FP16 tensor cores like; INT8 tensor cores prefer 32
WITHIN = 0.001  # wanted error, a fraction of the target
EXACT = 1e-9  # what rounding down forgives: 64 * 0.25 computed through a logarithm
AT_MOST = 0.005  # largest error that a result may have (unless aligned)


@dataclass(frozen=True)
class Scaled:
    """Widths, what they cost, and how far that is from the target."""

    widths: list[int]
    params: int
    macs: int
    target: float  # in parameters, or in MACs when ratio_of is macs
    error: float  # (size - target) / target, with the size counted as the target was
    knob: float  # tau of neuralscale and aligned, the multiplier of uniform; for real widths
    fit: str | None  # name of the fit that was used
    fit_quality: str | None  # of that fit for this data set: published, searched, stand-in
    fit_dataset: str | None  # what it was searched on,
    fit_resolution: int | None  # and the pixels a side of those images
    align: int | None


def scale(
    architecture: Architecture,
    dataset: Dataset,
    method: str,
    ratio: float,
    ratio_of: str,
    fit: Fit | None = None,
    align: int | None = None,
    count: str = "true",
) -> Scaled:
    """Widths for `ratio` times the default network's parameters, widths or MACs.

    `ratio_of` "width" aims at the parameters of the default network with all widths multiplied by `ratio`
    (rounded down for MobileNetV2, as its authors do). `count` "published" gives exactly what NeuralScale's
    formula gives: real widths rounded down, nothing repaired. "true" rounds to the nearest step and repairs,
    so that the error is at most 0.5%, 0.1% where integers allow; `aligned` comes as close as multiples of
    `align` do.

    Raises a ScalingError (a ValueError) for unknown words, a target that no widths reach, or a fit that does
    not belong to the architecture; NoFitError when there is none.
    """
    _check(method, ratio, ratio_of, align, count)
    fit = None if method == "uniform" else _fitting(architecture, dataset, fit)
    of = "macs" if ratio_of == "macs" else "params"
    size = counter(architecture, dataset, count, of)
    target = _target(architecture, size, ratio, ratio_of)
    _refuse_unreachable(architecture, dataset, size, target, of)
    curve, start = _curve(architecture, fit, size, target)
    x = solve.real_root(lambda x: size(curve(x)), target, start)
    if method == "uniform" and ratio_of == "width":
        x = math.log(ratio)  # known, and exact
    unit = (align or ALIGN) if method == "aligned" else 1
    if count == "published":
        widths = _rounded_down(architecture, curve(x))
    else:
        widths = _integers(architecture, dataset, size, target, curve, x, unit)
    cost = architecture.cost(widths, dataset)
    return Scaled(
        widths=widths,
        params=int(cost.params),
        macs=int(cost.macs),
        target=target,
        error=size(widths) / target - 1,
        knob=math.exp(x),
        fit=fit.name if fit else None,
        fit_quality=fit.quality_on(dataset) if fit else None,
        fit_dataset=fit.dataset if fit else None,
        fit_resolution=fit.resolution if fit else None,
        align=unit if method == "aligned" else None,
    )


def _check(method: str, ratio: float, ratio_of: str, align: int | None, count: str) -> None:
    for kind, word, known in (("method", method, METHODS), ("ratio_of", ratio_of, RATIO_OF)):
        if word not in known:
            raise ScalingError(f"unknown {kind} {word!r}; known: {', '.join(known)}")
    if not (math.isfinite(ratio) and ratio > 0):
        raise ScalingError(f"the ratio must be a positive number, not {ratio}")
    if align is not None and method != "aligned":
        raise ScalingError(f"align is of the method aligned, not of {method}")
    if align is not None and align < 1:
        raise ScalingError(f"align must be at least 1, not {align}")
    if method == "aligned" and count == "published":
        raise ScalingError("aligned widths are ours: nobody has published a count for them; use --count true")


def _fitting(architecture: Architecture, dataset: Dataset, fit: Fit | None) -> Fit:
    """The fit given, or the one in manifests/scaling; checked against the architecture."""
    if fit is None:
        from bench.scaling.fits import find

        fit = find(architecture.name, dataset.name)
    fit.check(architecture)
    return fit


def _target(architecture: Architecture, size: Count, ratio: float, ratio_of: str) -> float:
    widths: list[float] = list(architecture.default_widths)
    if ratio_of != "width":
        return ratio * size(widths)
    scaled = [w * ratio for w in widths]
    return size([math.floor(w + EXACT) for w in scaled] if architecture.name == "mobilenetv2" else scaled)


def _refuse_unreachable(
    architecture: Architecture, dataset: Dataset, size: Count, target: float, of: str
) -> None:
    smallest = size([1] * len(architecture.layers))
    words = {"params": "parameters", "macs": "MACs"}[of]
    if target < smallest * (1 - AT_MOST):
        raise UnreachableError(
            f"{architecture.name} on {dataset.name} cannot have {target:,.0f} {words}: "
            f"with all widths at 1 it has {smallest:,.0f}; give a larger ratio"
        )
    if target > solve.LARGEST:
        raise UnreachableError(
            f"{architecture.name} on {dataset.name} with {target:,.3g} {words} is beyond reason "
            f"(limit {solve.LARGEST:.0e}); give a smaller ratio"
        )


def _curve(
    architecture: Architecture, fit: Fit | None, size: Count, target: float
) -> tuple[solve.Curve, float]:
    """Real widths along ln(multiplier) or ln(tau), and where to begin the search."""
    if fit is None or not any(fit.beta):
        widths = list(fit.alpha) if fit else [float(w) for w in architecture.default_widths]
        return (lambda x: [math.exp(x) * w for w in widths]), 0.5 * math.log(target / size(widths))
    terms = [(math.log(a), b) for a, b in zip(fit.alpha, fit.beta, strict=True)]
    return (lambda x: [math.exp(min(log_a + b * x, 700.0)) for log_a, b in terms]), math.log(target)


def _rounded_down(architecture: Architecture, widths: Sequence[float]) -> list[int]:
    down = [math.floor(w + EXACT) for w in widths]
    for layer, w in zip(architecture.layers, down, strict=True):
        if w < 1:
            raise UnreachableError(f"{architecture.name}: {layer} would get width {w}; give a larger ratio")
    return down


def _integers(
    architecture: Architecture,
    dataset: Dataset,
    size: Count,
    target: float,
    curve: solve.Curve,
    x: float,
    unit: int,
) -> list[int]:
    """The step of the staircase nearest to the target, repaired where it is too far off."""

    def step(x: float) -> list[int]:
        return [unit * max(1, round(w / unit)) for w in curve(x)]

    def shape(widths: Sequence[int]) -> tuple[bool, ...]:
        return architecture.network(widths, dataset).projections()

    widths = solve.nearest_step(step, size, target, x)
    widths = solve.repair(widths, curve(x), size, shape, target, WITHIN if unit == 1 else AT_MOST, unit)
    error = size(widths) / target - 1
    if unit == 1 and abs(error) > AT_MOST:
        raise UnreachableError(
            f"{architecture.name} on {dataset.name}: no integer widths come within {AT_MOST:.1%} of "
            f"{target:,.0f}; the nearest have {size(widths):,.0f} ({error:+.1%})"
        )
    return widths
