"""`within`: the widths that a method gives an architecture for budgets, on a device or without one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from bench.manifests.methods import WRITTEN, meant
from bench.scaling import budgets, device, direction
from bench.scaling.board import Board
from bench.scaling.budgets import COUNTS, Task
from bench.scaling.errors import NoFitError, ScalingError
from bench.scaling.fits import Fit
from bench.scaling.segments import Counts
from bench.scaling.widths import Scaled, described, fitting, target_size
from bench.zoo import Architecture, Dataset


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
    board: Board | None = None,
) -> Within:
    """The largest network of a method within `limits` (params, macs, latency in s, memory in bytes).

    `device` stays as near as possible to the direction of a fit, or of the default widths where there is
    none. Latency and memory need a board. Raises ScalingErrors as `scale` does, UnreachableError too.
    """
    if method not in WRITTEN:
        raise ScalingError(f"unknown method {method!r}; known: {', '.join(WRITTEN)}")
    method, align = meant(method, align)
    needed = sorted(set(limits) - set(COUNTS))
    if needed and board is None:
        raise ScalingError(f"a budget of {' and '.join(needed)} needs a device's profile; give --device NAME")
    if method != "uniform":
        fit = _fit(architecture, dataset, fit, needed=method != "device")
    figures = board.figures if board else budgets.counts(architecture, dataset)
    task = Task(architecture, dataset, limits, figures, align or 1)
    line = direction.of(architecture, fit if method != "uniform" else None)
    if method == "device":
        widths = _of_device(task, board or Counts(architecture, dataset), line)
    else:
        widths = budgets.largest(task, line, together=method == "uniform")
    return result(task, line, widths, fit if method != "uniform" else None, align)


def by_ratio(
    architecture: Architecture,
    dataset: Dataset,
    method: str,
    ratio: float,
    ratio_of: str,
    fit: Fit | None = None,
    align: int | None = None,
    board: Board | None = None,
) -> Scaled:
    """Widths for `ratio` times what the default network has, or takes on the board.

    ratio_of: as of `scale`; or latency, memory (without what a process takes that holds no network), which
    need a board. On a board `device` takes the network that costs least there.
    """
    if not (math.isfinite(ratio) and ratio > 0):
        raise ScalingError(f"the ratio must be a positive number, not {ratio}")
    of = "params" if ratio_of == "width" else ratio_of
    figures = board.figures if board else budgets.counts(architecture, dataset)
    default = architecture.default_widths
    if of not in COUNTS and board is None:
        raise ScalingError(f"a ratio of {ratio_of} needs a device's profile; give --device NAME")
    if ratio_of == "width":
        target = target_size(
            architecture, lambda each: architecture.cost(each, dataset).params, ratio, "width"
        )
    else:
        alone = board.memory_line[0] if board and of == "memory" else 0.0
        target = alone + ratio * (figures(default)[of] - alone)
    return within(architecture, dataset, method, {of: target}, fit, align, board).scaled


def _fit(architecture: Architecture, dataset: Dataset, fit: Fit | None, needed: bool) -> Fit | None:
    try:
        return fitting(architecture, dataset, fit)
    except NoFitError:
        if needed:
            raise
        return None


def _of_device(task: Task, prices: Board | Counts, line: direction.Direction) -> list[int]:
    """The device method's widths: the best, with what costs nothing, and what is left of the budgets used."""
    widths = device.raised(task, device.best(task, prices, line).widths)
    if "latency" in prices.names and set(task.limits) <= set(COUNTS):
        return device.filled(task, widths, lambda each: task.figures(each)["latency"])
    return device.filled(task, widths, lambda each: line.nearest(each)[1])


def result(
    task: Task, line: direction.Direction, widths: list[int], fit: Fit | None, align: int | None
) -> Within:
    """What `widths` are for a task: their figures, the tightest budget, their distance from a direction."""
    figures = task.figures(widths)
    tightest = max(task.limits, key=lambda name: figures[name] / task.limits[name])
    x, distance = line.nearest(widths)
    target, reached = task.limits[tightest], figures[tightest]
    params, macs = figures["params"], figures["macs"]
    made = described(widths, params, macs, target, reached, x, fit, task.dataset, align)
    return Within(made, figures, tightest, distance)
