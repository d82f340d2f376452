"""The line in the space of widths that a method follows, and how far a network is from it.

A *direction* leads from one real number x (ln of a multiplier, or of tau) to real widths, all growing with x.
`uniform` follows the default widths, `neuralscale` a fit. The distance of a network is the root mean square,
over the layers, of ln(width) against the nearest point of the line: 0.1 is about 10 % a layer.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.scaling.fits import Fit
from bench.zoo import Architecture, Dataset

Floats = NDArray[np.float64]

FAITH = 20.0  # weight of the mean squared departure in ln(width), against ln(parameters)


@dataclass(frozen=True)
class Direction:
    """ln(width of layer i) = level[i] + slope[i] * x."""

    level: Floats
    slope: Floats

    def logs(self, x: float) -> Floats:
        """ln of the real widths at x."""
        return self.level + self.slope * x

    def widths(self, x: float) -> list[float]:
        """Return the real widths at x."""
        return [math.exp(min(each, 700.0)) for each in self.logs(x).tolist()]

    def nearest(self, widths: Sequence[float]) -> tuple[float, float]:
        """Return the x nearest to a network, and the network's distance there."""
        logs = np.log(np.asarray(widths, dtype=float))
        x = float(self.slope @ (logs - self.level) / (self.slope @ self.slope))
        return x, float(np.sqrt(np.mean((logs - self.logs(x)) ** 2)))


def of(architecture: Architecture, fit: Fit | None) -> Direction:
    """Return the direction of a fit.

    Of the default widths where there is none, or where it scales uniformly.
    """
    if fit is None or not any(fit.beta):
        widths = fit.alpha if fit else [float(w) for w in architecture.default_widths]
        return Direction(np.log(widths), np.ones(len(widths)))
    return Direction(np.log(fit.alpha), np.array(fit.beta, dtype=float))


def worth(architecture: Architecture, dataset: Dataset, widths: Sequence[float]) -> float:
    """ln of the parameters of real widths: how much a point of a direction is worth."""
    return math.log(float(architecture.network(widths, dataset).cost(dataset.size)[0].params))
