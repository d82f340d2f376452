"""`within`: the widths that a method gives an architecture for budgets, on a device or without one."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bench.manifests.methods import WRITTEN, canonical
from bench.scaling import budgets, device, direction, nudge, solve
from bench.scaling.budgets import COUNTS, BudgetTask
from bench.scaling.device_prices import DevicePrices
from bench.scaling.errors import NoFitError, ScalingError, UnreachableError
from bench.scaling.fits import Fit
from bench.scaling.segments import Counts
from bench.scaling.widths import AT_MOST, Scaled, check_align, described, fitting, target_size, too_far
from bench.zoo import Architecture, Dataset

RATIOS = ("params", "macs", "width", "latency", "memory")
CLOSE = 0.99  # of the limits, that a moved network has to use


@dataclass(frozen=True)
class Within:
    """Widths within budgets. `figures`: of every quantity known; `distance`: from the direction followed.

    `scaled.target` is the limit of the tightest budget, in base units, `scaled.error` what is left of it.
    """

    scaled: Scaled
    figures: Mapping[str, float]
    tightest: str
    distance: float


def within(
    architecture: Architecture,
    dataset: Dataset,
    method: str,
    limits: Mapping[str, float],
    fit: Fit | None = None,
    align: int | None = None,
    prices: DevicePrices | None = None,
    near: Sequence[int] | None = None,
) -> Within:
    """Return the largest network of a method within `limits` (params, macs, latency in s, memory in bytes).

    `device` stays as near as possible to the direction of a fit, or of the default widths where there is
    none. Latency and memory need prices. near: widths of this method that already come close, of which as
    few as possible are to be changed. Raises ScalingErrors as `scale` does, UnreachableError too.
    """
    if method not in WRITTEN:
        raise ScalingError(f"unknown method {method!r}; known: {', '.join(WRITTEN)}")
    check_align(align)
    method, align = canonical(method, align)
    needed = sorted(set(limits) - set(COUNTS))
    if needed and prices is None:
        raise ScalingError(f"a budget of {' and '.join(needed)} needs a device's profile; give --device NAME")
    _has_memory(prices if "memory" in limits else None)
    if method != "uniform":
        fit = _fit(architecture, dataset, fit, needed=method != "device")
    figures = prices.figures if prices else budgets.counts(architecture, dataset)
    task = BudgetTask(architecture, dataset, limits, figures, align or 1)
    if prices is not None:
        task = replace(task, look_ahead=prices.look_ahead)
    line = direction.of(architecture, fit if method != "uniform" else None)
    moved = _moved(task, line, method, near) if near is not None else None
    use = task.use(moved) if moved is not None else 0.0
    if moved is not None and CLOSE <= use <= 1 + nudge.SETTLED:
        widths = moved
    else:
        widths = _solved(task, line, method, prices or Counts(architecture, dataset))
        if moved is not None and task.use(widths) < use <= 1 + nudge.SETTLED:
            widths = moved
    return result(task, line, widths, fit if method != "uniform" else None, align)


def by_ratio(
    architecture: Architecture,
    dataset: Dataset,
    method: str,
    ratio: float,
    ratio_of: str,
    fit: Fit | None = None,
    align: int | None = None,
    prices: DevicePrices | None = None,
) -> Scaled:
    """Return widths for `ratio` times what the default network has, or takes on the device.

    ratio_of: as of `scale`, with its promise that counts are met within 0.5 %; or latency, memory (without
    what a process takes that holds no network), which need prices and are kept below the ratio. With prices
    `device` takes the network that costs least there.
    """
    if not (math.isfinite(ratio) and ratio > 0):
        raise ScalingError(f"the ratio must be a positive number, not {ratio}")
    if ratio_of not in RATIOS:
        raise ScalingError(f"no ratio of {ratio_of}; known: {', '.join(RATIOS)}")
    of = "params" if ratio_of == "width" else ratio_of
    figures = prices.figures if prices else budgets.counts(architecture, dataset)
    default = architecture.default_widths
    if of not in COUNTS and prices is None:
        raise ScalingError(f"a ratio of {ratio_of} needs a device's profile; give --device NAME")
    if ratio_of == "width":
        target = target_size(
            architecture, lambda each: architecture.cost(each, dataset).params, ratio, "width"
        )
    else:
        _has_memory(prices if of == "memory" else None)
        alone = prices.memory_line[0] if prices and of == "memory" else 0.0
        target = alone + ratio * (figures(default)[of] - alone)
        if not target > 0:
            raise ScalingError(f"by the profile {architecture.name} takes no {of}: there is no ratio of it")
    found = within(architecture, dataset, method, {of: target}, fit, align, prices)
    if of not in COUNTS or abs(found.scaled.error) <= AT_MOST:
        return found.scaled
    return _met(BudgetTask(architecture, dataset, {of: target}, figures, align or 1), found.scaled)


def _has_memory(prices: DevicePrices | None) -> None:
    """ScalingError where a profile has no memory: too few of its measurements hold it."""
    if prices is not None and math.isnan(prices.memory_line[0]):
        raise ScalingError(f"profile {prices.model.profile.name} holds no memory; tune the device again")


def _met(task: BudgetTask, scaled: Scaled) -> Scaled:
    """Single widths moved until the one count that is limited is met within 0.5 %, or none helps."""
    [(of, target)] = task.limits.items()

    def size(widths: Sequence[float]) -> float:
        return task.figures([round(w) for w in widths])[of]

    def shape(widths: Sequence[int]) -> object:
        return task.architecture.network(widths, task.dataset).projections()

    single = [[i] for i in range(len(scaled.widths))]
    real = [float(w) for w in scaled.widths]
    widths = solve.repair(scaled.widths, real, size, shape, target, AT_MOST, task.unit, single)
    figures = task.figures(widths)
    error = figures[of] / target - 1
    if abs(error) > AT_MOST:
        text = too_far(task.architecture, task.dataset, task.unit, target, figures[of])
        raise UnreachableError(text, widths, figures)
    params, macs = int(figures["params"]), int(figures["macs"])
    return replace(scaled, widths=widths, error=error, params=params, macs=macs)


def _solved(
    task: BudgetTask, line: direction.Direction, method: str, prices: DevicePrices | Counts
) -> list[int]:
    if method == "device":
        return _of_device(task, prices, line)
    return _used(task, line, budgets.largest(task, line, together=method == "uniform"))


def _moved(task: BudgetTask, line: direction.Direction, method: str, start: Sequence[int]) -> list[int]:
    """`start` moved towards where the limits are used, as far as the method allows such moves."""
    real = line.widths(line.nearest(start)[0])

    def allowed(layer: int, width: int) -> bool:
        return method == "device" or budgets.near(width, real[layer], task.unit)

    return nudge.nudged(task, line, start, allowed)


def _used(task: BudgetTask, line: direction.Direction, widths: list[int]) -> list[int]:
    """What a device's steps leave of a budget, used by several layers together where no single one fits."""
    if set(task.limits) <= set(COUNTS) or task.use(widths) >= CLOSE:
        return widths
    below = {name: limit * (1 - nudge.SETTLED) for name, limit in task.limits.items()}
    moved = _moved(replace(task, limits=below), line, "", widths)
    return moved if task.use(widths) < task.use(moved) <= 1 else widths


def _fit(architecture: Architecture, dataset: Dataset, fit: Fit | None, needed: bool) -> Fit | None:
    try:
        return fitting(architecture, dataset, fit)
    except NoFitError:
        if needed:
            raise
        return None


def _of_device(task: BudgetTask, prices: DevicePrices | Counts, line: direction.Direction) -> list[int]:
    """The device method's widths: the best, with what costs nothing, and what is left of the budgets used."""
    widths = device.raised(task, device.best(task, prices, line).widths)
    if "latency" in prices.names and set(task.limits) <= set(COUNTS):
        return device.filled(task, widths, lambda each: task.figures(each)["latency"])
    return device.filled(task, widths, lambda each: line.nearest(each)[1])


def result(
    task: BudgetTask, line: direction.Direction, widths: list[int], fit: Fit | None, align: int | None
) -> Within:
    """Describe `widths` for a task: figures, the tightest budget, distance from a direction."""
    figures = task.figures(widths)
    tightest = max(task.limits, key=lambda name: figures[name] / task.limits[name])
    x, distance = line.nearest(widths)
    target, reached = task.limits[tightest], figures[tightest]
    params, macs = figures["params"], figures["macs"]
    made = described(widths, params, macs, target, reached, x, fit, task.dataset, align)
    return Within(made, figures, tightest, distance)
