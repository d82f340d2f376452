"""Efficiency under every memory definition at once; memory split into a floor and a price a parameter."""

from collections.abc import Iterator
from typing import NamedTuple, cast

import numpy as np

from orchestrate.analysis import memory, pairs, statistics
from orchestrate.analysis.configuration import Configuration
from orchestrate.analysis.frame import Frame, Key
from orchestrate.analysis.table import CONFIGURATION, STAND_IN

STABLE, FLIPS, OPEN = "ranking stable", "ranking flips", "ranking open"


class Ranking(NamedTuple):
    """Which way a quantity points under each definition.

    `up` / `down`: definitions whose interval is beyond 1.
    """

    verdict: str
    up: tuple[str, ...]
    down: tuple[str, ...]
    unclear: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """One line for people."""
        if self.verdict == FLIPS:
            return f"{FLIPS}: above 1 under {_names(self.up)}; below 1 under {_names(self.down)}"
        side = "above 1" if self.up else "below 1"
        if self.verdict == STABLE:
            return f"{STABLE}: {side} under all {len(self.up or self.down)} memory definitions"
        if not (self.up or self.down):
            return f"{OPEN}: no memory definition puts its interval beyond 1"
        clear, unclear = _names(self.up or self.down), _names(self.unclear)
        return f"{OPEN}: {side} under {clear}; not distinguishable from 1 under {unclear}"


def _names(keys: tuple[str, ...]) -> str:
    """`process untrimmed (own, USS), peak rss`: those that differ in the reading alone together."""
    groups: dict[str, list[str]] = {}
    for key in keys:
        base, _, rest = key.partition("_")
        reading, _, moment = rest.partition("_")
        together = base in ("process", "model")
        groups.setdefault(f"{base} {moment}" if together else key, []).append(
            memory.NAMES[reading] if together else ""
        )
    words = (
        f"{name} ({', '.join(readings)})" if any(readings) else name for name, readings in groups.items()
    )
    return ", ".join(words).replace("_", " ")


def under_definitions(found: Frame, quantity: str) -> dict[str, statistics.Estimate]:
    """Return the mean ratio of `quantity` under every memory definition that has pairs."""
    columns = [pairs.column(quantity, key) for key in memory.DEFINITIONS]
    means = dict(zip(memory.DEFINITIONS, pairs.means(found, columns), strict=True))
    return {key: mean for key, mean in means.items() if mean.n}


def ranking(means: dict[str, statistics.Estimate]) -> Ranking:
    """Stable where every definition's interval is on one side of 1, flips where two are on opposite sides."""
    up = tuple(key for key, mean in means.items() if mean.known and mean.low > 1)
    down = tuple(key for key, mean in means.items() if mean.known and mean.high < 1)
    unclear = tuple(key for key in means if key not in up + down)
    verdict = FLIPS if up and down else OPEN if unclear or not means else STABLE
    return Ranking(verdict, up, down, unclear)


def configurations(table: Frame) -> Iterator[tuple[Configuration, Frame]]:
    """Yield the rows of each device in each way of running, apart: ratios never mix them."""
    for key, rows in split_by_configuration(table).items():
        yield cast(Configuration, dict(zip(CONFIGURATION, key, strict=True))), rows


def split_by_configuration(rows: Frame) -> dict[Key, Frame]:
    """Return the rows of each configuration, by the values of CONFIGURATION."""
    return dict(sorted(rows.groups(CONFIGURATION).items()))


def slopes(table: Frame) -> Frame:
    """Return memory = intercept + slope x parameters, per configuration, method and definition (least squares
    over models).

    Slope in bytes a parameter, intercept in bytes: a process's floor (interpreter, libraries) is the same for
    every model, so 'memory per parameter' of a small model measures mostly the floor. Intervals: Student's, n
    - 2 freedom. A network counts once, whatever targets led to it; one whose fit is a stand-in does not.
    """
    found = []
    for configuration, rows in configurations(table):
        scaled = rows.take((rows["method"] != "") & (rows["fit_quality"] != STAND_IN))
        methods = scaled.groups(["method", "align"])
        for (name, align), models in sorted(methods.items()):
            method = name if align == 1 else f"{name} ×{align}"
            models = _networks(models)
            for key in (memory.PROCESS, memory.MODEL, memory.PEAK):
                line = _line(models["params"], models[key])
                if line:
                    found.append({**configuration, "method": method, "definition": key, **line})
    return Frame.of_rows(found)


def _networks(models: Frame) -> Frame:
    """The first row of each network; what has no widths is a network of its own."""
    places = models.places(pairs.NETWORK)
    return models.take(
        sorted(at for (*_, widths), each in places.items() for at in each[: 1 if widths else None])
    )


def _line(x: np.ndarray, y: np.ndarray) -> dict[str, float] | None:
    """Least squares with intervals; None for fewer than three models of different size."""
    known = np.isfinite(x) & np.isfinite(y)
    x, y = x[known], y[known]
    if len(set(x)) < 3:
        return None
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    intercept = float(y.mean() - slope * x.mean())
    rest = y - intercept - slope * x
    sigma = float(np.sqrt(rest @ rest / (len(x) - 2)))
    half = statistics.t_quantile((1 + statistics.LEVEL) / 2, len(x) - 2) * sigma
    wide = half / float(np.sqrt(centred @ centred))
    far = half * float(np.sqrt(1 / len(x) + x.mean() ** 2 / (centred @ centred)))
    spread = float(((y - y.mean()) ** 2).sum())
    return {
        "slope": slope, "slope_low": slope - wide, "slope_high": slope + wide,
        "intercept": intercept, "intercept_low": intercept - far, "intercept_high": intercept + far,
        "r2": 1 - float(rest @ rest) / spread if spread else 1.0, "models": len(x),
    }  # fmt: skip
