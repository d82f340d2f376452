"""Which model to deploy: those within the limits, the Pareto set, the best, and why the next ones lost.

Intervals are respected: a model whose figure is within a limit but whose interval crosses it is 'at risk' and
never recommended as if it fitted. So is one whose latency or memory has no interval, for a figure of one
process or one build says nothing of the next. Models of different datasets do different tasks, and a top-5
accuracy is no top-1, so each dataset, and each metric of it, has its own answer.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrate.analysis.configuration import configuration
from orchestrate.analysis.frame import Frame, Key, Row
from orchestrate.analysis.memory import DEFINITIONS, PROCESS
from orchestrate.quantities import number

CONTEST = ["dataset", "judged_by"]  # what rows that are ranked together share
OVER_PROCESSES = ("latency", "memory")  # measured in each process: known only where two or more agree
NO_INTERVAL = "one process or build, no interval"
FITS, RISK, FAILS = "fits", "at risk", "does not fit"
ORDER = {RISK: 0, FITS: 1, FAILS: 2}  # who comes next after the best


class Figure(NamedTuple):
    """Something that is limited: its column (None: the chosen memory definition), and how it is shown."""

    name: str
    column: str | None
    unit: str
    scale: float
    at_most: bool = True


FIGURES = {
    "memory": Figure("memory", None, "MB", 1e-6),
    "latency": Figure("latency", "latency", "ms", 1e3),
    "accuracy": Figure("accuracy", "accuracy", "%", 1, at_most=False),
    "energy": Figure("energy", "energy", "mJ", 1e3),
}


BEHIND = {
    "accuracy": "",
    "latency": "slower",
    "memory": "larger",
    "energy": "takes more energy",
}  # as `order`


@dataclass(frozen=True)
class ModelLimits:
    """Base units; None: no limit. `definition` is what memory means."""

    memory: float | None = None
    latency: float | None = None
    accuracy: float | None = None
    energy: float | None = None
    definition: str = PROCESS

    def column(self, figure: Figure) -> str:
        """Return the table's column of a figure."""
        return figure.column or self.definition

    def named(self, figure: Figure) -> str:
        """Return `latency`; of memory under another definition than the usual one also that."""
        usual = figure.column or self.definition == PROCESS
        return figure.name if usual else f"{figure.name} ({DEFINITIONS[self.definition].label})"


@dataclass(frozen=True)
class Candidate:
    """One model in one way of running it, judged. `notes`: what it fails, or what puts it at risk."""

    row: Row
    verdict: str
    notes: tuple[str, ...]
    excess: float = 1.0  # how many times beyond its worst limit
    pareto: bool = False
    lost: str = ""

    @property
    def name(self) -> str:
        """Model, device and way of running."""
        return f"{self.row['model']} ({configuration(self.row)})"


def _bounds(row: Row, figure: Figure, limits: ModelLimits) -> tuple[float, float, float]:
    """Return a figure and the ends of its interval; NaN where unknown."""
    column = limits.column(figure)
    return row[column], row.get(f"{column}_low", math.nan), row.get(f"{column}_high", math.nan)


def judge(row: Row, limits: ModelLimits) -> Candidate:
    """Return a row of the table against the limits."""
    failed, risky, excess = [], [], 1.0
    for name, figure in FIGURES.items():
        limit = getattr(limits, name)
        if limit is None:
            continue
        value, low, high = _bounds(row, figure, limits)
        if math.isnan(value):
            known = row.get("accuracy_source") if name == "accuracy" else ""
            failed.append(f"{limits.named(figure)} unknown" + (f" ({known})" if known else ""))
            excess = math.inf
            continue
        beyond = value > limit if figure.at_most else value < limit
        crossing = high > limit if figure.at_most else low < limit
        shown = f"{limits.named(figure)} {number(value * figure.scale)} {figure.unit}"
        wanted = f"{'at most' if figure.at_most else 'at least'} {number(limit * figure.scale)}"
        excess = max(excess, value / limit if figure.at_most else limit / max(value, 1e-12))
        if beyond:
            failed.append(f"{shown}, {wanted} wanted")
        elif name in OVER_PROCESSES and math.isnan(low):
            risky.append(f"{shown} ({NO_INTERVAL}), {wanted} wanted")
        elif crossing:
            spread = f"{number(low * figure.scale)} to {number(high * figure.scale)}"
            risky.append(f"{shown} ({spread}), {wanted} wanted")
    verdict = FAILS if failed else RISK if risky else FITS
    return Candidate(row, verdict, tuple(failed or risky), excess)


def _beats(a: Row, b: Row, limits: ModelLimits) -> bool:
    """Return whether `a` is nowhere worse than `b` and somewhere better, in all figures that both have."""
    better = False
    for figure in FIGURES.values():
        x, y = a[limits.column(figure)], b[limits.column(figure)]
        if math.isnan(x) or math.isnan(y):
            if math.isnan(x) != math.isnan(y):
                return False  # one of them might win where the other is unknown
            continue
        if (x > y) if figure.at_most else (x < y):
            return False
        better = better or x != y
    return better


def _order(row: Row) -> tuple[float, ...]:
    """Sort the best first: most accurate, then fastest, smallest, most frugal; what is unknown last.

    Smallest by the main definition of memory, whatever definition is limited, so that there is one order.
    """
    costs = (-row["accuracy"], row["latency"], row[PROCESS], row["energy"])
    return tuple(math.inf if math.isnan(cost) else cost for cost in costs)


def ranks(table: Frame) -> list[int]:
    """Return the place of each row of `table` in `order`; of equal rows the first comes first."""
    costs = [
        np.nan_to_num(sign * table[name].astype(float), nan=np.inf)
        for name, sign in (("energy", 1), (PROCESS, 1), ("latency", 1), ("accuracy", -1))
    ]
    places = np.empty(len(table), dtype=int)
    places[np.lexsort(costs)] = np.arange(len(table))
    return [int(place) for place in places]


def fronts(table: Frame, definitions: Sequence[str]) -> list[int]:
    """Return for each row a number whose bit k is set where no row of its dataset and metric beats it.

    Memory is read under `definitions[k]`. The rule is that of `_beats`.
    """
    found = np.zeros(len(table), dtype=object)
    figures = [FIGURES[name] for name in ("latency", "accuracy", "energy")]
    fixed = np.array([(1 if f.at_most else -1) * table[str(f.column)].astype(float) for f in figures])
    for places in table.places(CONTEST).values():
        at = np.array(places)
        no_worse, better = _never_worse(fixed[:, at])
        better &= no_worse
        for bit, definition in enumerate(definitions):
            size = table[definition].astype(float)[at]
            known = np.isfinite(size)
            if known.any():  # a row of unknown size beats none of known size, as comparisons with NaN have it
                mine, its = size[:, None], size[None, :]
                beaten = (no_worse & (mine < its) | better & (mine <= its)).any(axis=0)
                found[at[known & ~beaten]] |= 1 << bit
    return [int(bits) for bits in found]


def _never_worse(costs: NDArray[np.float64]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of (figures, rows): whether row i is nowhere worse than row j, and whether it is somewhere better.

    A figure that only one of them has decides against i; one that neither has decides nothing.
    """
    count = costs.shape[1]
    no_worse, better = np.ones((count, count), dtype=bool), np.zeros((count, count), dtype=bool)
    for cost in costs:
        unknown = np.isnan(cost)
        neither = unknown[:, None] & unknown[None, :]
        no_worse &= neither | (cost[:, None] <= cost[None, :])
        better |= cost[:, None] < cost[None, :]
    return no_worse, better


@dataclass(frozen=True)
class Recommendation:
    """For one dataset: the best model that fits (None: none does), and all others, the nearest first.

    `judged_by`: `top-5` where other accuracies of the dataset are by top-1.
    """

    dataset: str
    judged_by: str
    best: Candidate | None
    others: tuple[Candidate, ...]

    @property
    def pareto(self) -> list[Candidate]:
        """The models that no other beats, the most accurate first."""
        return [c for c in (*([self.best] if self.best else []), *self.others) if c.pareto]

    @property
    def front(self) -> list[str]:
        """The Pareto set by name: models, with how each ran where they do not all run alike."""
        found = self.pareto
        alike = len({configuration(each.row) for each in found}) == 1
        return [str(each.row["model"]) if alike else each.name for each in found]


def recommend(table: Frame, limits: ModelLimits) -> list[Recommendation]:
    """Return an answer for each dataset in `table` ('' for a user's own files), and each metric of it."""
    groups = sorted(table.groups(CONTEST).items())
    return [_answer(contest, rows.rows(), limits) for contest, rows in groups]


def _answer(contest: Key, rows: Iterable[Row], limits: ModelLimits) -> Recommendation:
    judged = sorted((judge(row, limits) for row in rows), key=lambda c: _order(c.row))
    best = next((candidate for candidate in judged if candidate.verdict == FITS), None)
    front = {id(candidate) for candidate in _front(judged, limits)}
    marked = [replace(c, pareto=id(c) in front, lost=_lost(c, best)) for c in judged]
    chosen = next((c for c in marked if best and c.row is best.row), None)
    others = sorted((c for c in marked if c is not chosen), key=lambda c: (ORDER[c.verdict], c.excess))
    dataset, judged_by = contest
    return Recommendation(dataset, judged_by, chosen, tuple(others))


def _front(ranked: list[Candidate], limits: ModelLimits) -> list[Candidate]:
    """Those that no other beats. Nothing is beaten by what ranks behind it, nor by what is beaten itself."""
    found: list[Candidate] = []
    for candidate in ranked:
        if not any(_beats(other.row, candidate.row, limits) for other in found):
            found.append(candidate)
    return found


def _lost(candidate: Candidate, best: Candidate | None) -> str:
    """Why this one is not the recommended one, in words."""
    if candidate.verdict == FAILS:
        return "; ".join(candidate.notes)
    if candidate.verdict == RISK:
        return "at risk: " + "; ".join(candidate.notes)
    if best is None or candidate.row is best.row:
        return ""
    return _behind(candidate.row, best.row)


def _behind(row: Row, best: Row) -> str:
    """In which figure a row comes behind the best, by `order`."""
    for name, words in BEHIND.items():
        mine, its = (each[FIGURES[name].column or PROCESS] for each in (row, best))
        if math.isnan(mine) != math.isnan(its):
            return f"its {name} is unknown"
        if mine != its and not math.isnan(mine):
            return words or f"{number(its - mine)} points less accurate"
    return "equal in all"
