"""`scale`: the widths that one method gives an architecture for one target size."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.manifests.methods import CURVES as METHODS
from bench.manifests.methods import canonical
from bench.scaling import solve
from bench.scaling.counts import Count, counter
from bench.scaling.errors import ScalingError, UnreachableError
from bench.zoo import Architecture, Dataset

if TYPE_CHECKING:
    from bench.scaling.fits import Fit

__all__ = ["METHODS", "RATIO_OF", "Scaled", "scale"]

RATIO_OF = ("params", "width", "macs")
WITHIN = 0.001  # wanted error of single widths, a fraction of the target
EXACT = 1e-9  # what rounding down forgives: 64 * 0.25 computed through a logarithm
AT_MOST = 0.005  # largest error that a result may have
LARGEST_ALIGN = 1_000_000  # channels
AROUND, TRIED = 30, 8  # percent of tau or multiplier where steps are looked for; how many are tried


@dataclass(frozen=True)
class Scaled:
    """Widths, what they cost, and how far that is from the target."""

    widths: list[int]
    params: int
    macs: int
    target: float  # in parameters, or in MACs when ratio_of is macs
    error: float  # (size - target) / target, with the size counted as the target was
    knob: float  # tau of neuralscale, the multiplier of uniform; for real widths
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
    """Return widths for `ratio` times the default network's parameters, widths or MACs.

    `ratio_of` "width" aims at the parameters of the default network with all widths multiplied by `ratio`
    (rounded down for MobileNetV2, as its authors do). `align`: all widths are multiples of it. `method`
    "aligned" is neuralscale with align 8 unless given. `count` "published" gives exactly what NeuralScale's
    formula gives: real widths rounded down, nothing repaired. "true" gives widths whose size is within 0.5%
    of the target (neuralscale without align: 0.1% where integers allow), or refuses.

    Raises a ScalingError (a ValueError) for unknown words, a target that no widths reach, or a fit that does
    not belong to the architecture; NoFitError when there is none.
    """
    _check(method, ratio, ratio_of, align, count)
    method, align = canonical(method, align)
    fit = None if method == "uniform" else fitting(architecture, dataset, fit)
    of = "macs" if ratio_of == "macs" else "params"
    size = counter(architecture, dataset, count, of)
    target = target_size(architecture, size, ratio, ratio_of)
    _refuse_unreachable(architecture, dataset, size, target, of, align or 1)
    curve, start = _curve(architecture, fit, size, target)
    x = solve.real_root(lambda x: size(curve(x)), target, start)
    if method == "uniform" and ratio_of == "width":
        x = math.log(ratio)  # known, and exact
    if count == "published":
        widths = _rounded_down(architecture, curve(x))
    else:
        problem = _Problem(architecture, dataset, size, target, curve, x, align or 1)
        plain = _plain(problem, ratio, ratio_of) if method == "uniform" else None
        x, widths = plain or (x, _integers(problem, one_multiplier=method == "uniform"))
    cost = architecture.cost(widths, dataset)
    return described(widths, cost.params, cost.macs, target, size(widths), x, fit, dataset, align)


def described(
    widths: list[int], params: float, macs: float, target: float, size: float, x: float,
    fit: Fit | None, dataset: Dataset, align: int | None,
) -> Scaled:  # fmt: skip
    """Return what widths are, for a target that they meet with `size`; x: logarithm of the knob."""
    return Scaled(
        widths=widths,
        params=int(params),
        macs=int(macs),
        target=target,
        error=size / target - 1,
        knob=math.exp(x),
        fit=fit.name if fit else None,
        fit_quality=fit.quality_on(dataset) if fit else None,
        fit_dataset=fit.dataset if fit else None,
        fit_resolution=fit.resolution if fit else None,
        align=align,
    )


def _check(method: str, ratio: float, ratio_of: str, align: int | None, count: str) -> None:
    if method not in (known := (*METHODS, "aligned")):
        raise ScalingError(f"unknown method {method!r}; known: {', '.join(known)}")
    if ratio_of not in RATIO_OF:
        more = "with a device's profile also latency, memory"
        raise ScalingError(f"a ratio of {ratio_of!r} is unknown; known: {', '.join(RATIO_OF)}; {more}")
    if not (math.isfinite(ratio) and ratio > 0):
        raise ScalingError(f"the ratio must be a positive number, not {ratio}")
    check_align(align)
    if canonical(method, align)[1] and count == "published":
        raise ScalingError("aligned widths are ours: nobody has published a count for them; use --count true")


def check_align(align: int | None) -> None:
    """Refuse a multiple that no width can have, or that would overflow what a device's model computes."""
    if align is not None and not 1 <= align <= LARGEST_ALIGN:
        bounds = "at least 1" if align < 1 else f"at most {LARGEST_ALIGN:,}"
        raise ScalingError(f"align must be {bounds}, not {align}")


def fitting(architecture: Architecture, dataset: Dataset, fit: Fit | None) -> Fit:
    """Return the fit given, or the one in manifests/scaling; checked against the architecture."""
    if fit is None:
        from bench.scaling.fits import find

        fit = find(architecture.name, dataset.name)
    fit.check(architecture)
    return fit


def target_size(architecture: Architecture, size: Count, ratio: float, ratio_of: str) -> float:
    """Return what `ratio` of the default network is, by `size`; of its widths: the size of those."""
    widths: list[float] = list(architecture.default_widths)
    if ratio_of != "width":
        return ratio * size(widths)
    scaled = [w * ratio for w in widths]
    return size([math.floor(w + EXACT) for w in scaled] if architecture.name == "mobilenetv2" else scaled)


def _refuse_unreachable(
    architecture: Architecture, dataset: Dataset, size: Count, target: float, of: str, unit: int
) -> None:
    smallest = size([unit] * len(architecture.layers))
    words = {"params": "parameters", "macs": "MACs"}[of]
    if target < smallest * (1 - AT_MOST):
        raise UnreachableError(
            f"{architecture.name} on {dataset.name} cannot have {target:,.0f} {words}: "
            f"with all widths at {unit} it has {smallest:,.0f}; give a larger ratio"
            + " or a smaller align"
            * (unit > 1)
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


@dataclass(frozen=True)
class _Problem:
    """Real widths along `curve`, of the wanted size at `x`; their integers are multiples of `unit`."""

    architecture: Architecture
    dataset: Dataset
    size: Count
    target: float
    curve: solve.Curve
    x: float
    unit: int

    def step(self, widths: Sequence[float]) -> list[int]:
        """Return the nearest multiples, halves up, at least one."""
        return [self.unit * max(1, math.floor(w / self.unit + 0.5)) for w in widths]

    def steps(self) -> Iterator[list[int]]:
        """Yield the steps of the staircase around `x`, those of a size near the target first."""
        yield solve.nearest_step(lambda x: self.step(self.curve(x)), self.size, self.target, self.x)
        around = {tuple(self.step(self.curve(self.x + shift / 100))) for shift in range(-AROUND, AROUND + 1)}
        yield from (list(widths) for widths in sorted(around, key=lambda w: abs(self.error(w)))[:TRIED])

    def error(self, widths: Sequence[int]) -> float:
        """Return how far a size is from the target, as a fraction of it."""
        return self.size(widths) / self.target - 1

    def repaired(self, widths: list[int], tolerance: float, groups: Sequence[Sequence[int]]) -> list[int]:
        """Single groups of layers moved by a unit until the error is within `tolerance`, or none helps."""

        def shape(widths: Sequence[int]) -> tuple[bool, ...]:
            return self.architecture.network(widths, self.dataset).projections()

        real = self.curve(self.x)
        return solve.repair(widths, real, self.size, shape, self.target, tolerance, self.unit, groups)


def _plain(problem: _Problem, ratio: float, ratio_of: str) -> tuple[float, list[int]] | None:
    """ln(multiplier) and widths of the multiplier that anybody would try first, where it comes near enough.

    Parameters and MACs grow with the square of the widths, so that it is the square root of the ratio.
    """
    multiplier = ratio if ratio_of == "width" else math.sqrt(ratio)
    widths: list[float] = [w * multiplier for w in problem.architecture.default_widths]
    if ratio_of == "width" and problem.architecture.name == "mobilenetv2":
        widths = [math.floor(w + EXACT) for w in widths]  # as its authors do
    near = problem.step(widths)
    return (math.log(multiplier), near) if abs(problem.error(near)) <= AT_MOST else None


def _integers(problem: _Problem, one_multiplier: bool) -> list[int]:
    """The step of the staircase nearest to the target, repaired where it is too far off.

    With one multiplier for all layers, those of equal default width are moved together as long as that helps.
    Multiples are coarse: where no repair of the nearest step comes near enough, others are tried.
    """
    layers: list[list[int]] = [[i] for i in range(len(problem.architecture.layers))]
    default = problem.architecture.default_widths
    equal = [[i for i, w in enumerate(default) if w == width] for width in dict.fromkeys(default)]
    wanted = WITHIN if problem.unit == 1 and not one_multiplier else AT_MOST
    best: list[int] = []
    for widths in problem.steps():
        if one_multiplier:
            widths = problem.repaired(widths, wanted, equal)
        widths = problem.repaired(widths, wanted, layers)
        if not best or abs(problem.error(widths)) < abs(problem.error(best)):
            best = widths
        if abs(problem.error(best)) <= AT_MOST:
            return best
    size = problem.size(best)
    raise UnreachableError(
        too_far(problem.architecture, problem.dataset, problem.unit, problem.target, size), best
    )


def too_far(architecture: Architecture, dataset: Dataset, unit: int, target: float, size: float) -> str:
    """Return the message where the nearest widths miss a count by more than AT_MOST."""
    kind = "integer widths" if unit == 1 else f"widths in multiples of {unit}"
    advice = "another ratio" if unit == 1 else "another ratio or a smaller align"
    return (
        f"{architecture.name} on {dataset.name}: no {kind} come within {AT_MOST:.1%} of {target:,.0f}; "
        f"the nearest have {size:,.0f} ({size / target - 1:+.2%}); give {advice}"
    )
