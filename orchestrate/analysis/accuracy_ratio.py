"""Ratios of two accuracies of one kind: like sources, metrics, trainings and epochs."""

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrate.analysis.accuracy import MEASURED, MEASURED_BY_TOP5, OTHER, TOP5
from orchestrate.analysis.frame import Column, Frame, quotient
from orchestrate.console import first_line

Floats = NDArray[np.float64]
Sides = tuple[str, str]
LONGEST = 100  # characters of a side in words: recipes are texts of strangers, and each pair says why
OF_TWO_EPOCHS = "one accuracy is of the best epoch, the other of the last"


class Compared(NamedTuple):
    """Columns of pairs: the ratio, NaN where there is none; of what it is, or why there is none.

    within: share that the widths of the networks that were trained are apart; NaN where they are not.
    """

    ratio: Floats
    source: Column
    unlike: Column
    within: Floats


def compared(above: Frame, below: Frame) -> Compared:
    """Return the ratio of the accuracies of each pair.

    Where only one of the two was measured on the device, both count as stated. Where what is stated first of
    each is unlike, but a second source is like that of the other, that counts.
    """
    sources = (above["accuracy_source"], below["accuracy_source"])
    device = [(source == MEASURED) | (source == MEASURED_BY_TOP5) for source in sources]
    measured = device[0] & device[1]
    found = _stated(above, below, "", "")
    for mine, its in list(product(("", OTHER), repeat=2))[1:]:
        unlike = np.isnan(found.ratio) & (found.unlike != "")
        if not unlike.any():
            break
        again = _stated(above, below, mine, its)
        found = _chosen(unlike & ~np.isnan(again.ratio), again, found)
    return _chosen(measured, _measured(above, below), found) if measured.any() else found


def _chosen(where: NDArray[np.bool_], first: Compared, second: Compared) -> Compared:
    return Compared(*(np.where(where, a, b) for a, b in zip(first, second, strict=True)))


def _measured(above: Frame, below: Frame) -> Compared:
    """Of what the device measured: the weights that ran count."""
    ratio = quotient(above["accuracy"], below["accuracy"])
    of = [(above[name], below[name]) for name in ("accuracy_metric", "weights_recipe")]
    kinds = (np.full(len(ratio), MEASURED, dtype=object),) * 2
    return _judged(ratio, ratio.copy(), [kinds, *of], above["accuracy_source"], np.full(len(ratio), np.nan))


def _stated(above: Frame, below: Frame, mine: str, its: str) -> Compared:
    """Of what bundles state. Where one is of the best epoch and the other of the last, both at the best."""

    def sides(name: str) -> tuple[Column, Column]:
        return above[f"{mine}{name}"], below[f"{its}{name}"]

    epochs, kinds = sides("accuracy_epoch"), sides("accuracy_kind")
    mixed = epochs[0] != epochs[1]
    both = quotient(*sides("accuracy_stated"))
    ratio = np.where(mixed, quotient(*sides("accuracy_best")), both)
    epoch = np.where(mixed, "best", epochs[0])
    source = np.where(epoch != "", kinds[0] + " (" + epoch + " epoch)", kinds[0])
    of = [kinds, sides("accuracy_stated_metric"), sides("accuracy_recipe")]
    return _judged(both, ratio, of, source, np.fmax(*sides("accuracy_within")))


def _judged(
    both: Floats,
    ratio: Floats,
    of: Sequence[tuple[Column, Column]],
    source: Column,
    apart: Floats,
) -> Compared:
    """Without a ratio where the two are unlike; both: where both accuracies are known.

    of: kinds, metrics and recipes of the sides.
    """
    why = np.where(np.isnan(ratio) & ~np.isnan(both), OF_TWO_EPOCHS, "").astype(object)
    unlike = ~np.isnan(both) & np.logical_or.reduce([mine != its for mine, its in of])
    for place in np.flatnonzero(unlike):
        why[place] = _unlike(*((mine[place], its[place]) for mine, its in of))
    ratio = np.where(unlike, np.nan, ratio)
    known = ~np.isnan(ratio)
    return Compared(ratio, np.where(known, source, ""), why, np.where(known & (apart > 0), apart, np.nan))


def _unlike(kinds: Sides, metrics: Sides, recipes: Sides) -> str:
    """Why two accuracies have no ratio: sources, metrics, or recipes as `batch 64; epochs 6`."""
    if kinds[0] != kinds[1]:
        return "one accuracy is {}, the other {}".format(*(first_line(kind, LONGEST) for kind in kinds))
    if metrics[0] != metrics[1]:
        mine, theirs = ("top-5" if metric == TOP5 else "top-1" for metric in metrics)
        return f"one accuracy is {mine}, the other {theirs}"
    parts = [dict.fromkeys(recipe.split("; ")) for recipe in recipes]
    mine, theirs = (
        first_line(", ".join(each for each in of if each not in than) or "not stated", LONGEST)
        for of, than in (parts, parts[::-1])
    )
    return f"accuracies of unlike trainings ({mine}; {theirs})"
