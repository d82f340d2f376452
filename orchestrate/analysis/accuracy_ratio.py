"""Ratios of two accuracies of one kind: like sources, like trainings, like epochs."""

from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from orchestrate.analysis.accuracy import MEASURED, OTHER
from orchestrate.analysis.frame import Column, Frame, quotient

Floats = NDArray[np.float64]
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
    measured = (above["accuracy_source"] == MEASURED) & (below["accuracy_source"] == MEASURED)
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
    source = np.full(len(ratio), MEASURED, dtype=object)
    return _judged(ratio, ratio.copy(), (source, source), (above["weights_recipe"], below["weights_recipe"]),
                   source, np.full(len(ratio), np.nan))  # fmt: skip


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
    return _judged(both, ratio, kinds, sides("accuracy_recipe"), source, np.fmax(*sides("accuracy_within")))


def _judged(
    both: Floats,
    ratio: Floats,
    kinds: tuple[Column, Column],
    recipes: tuple[Column, Column],
    source: Column,
    apart: Floats,
) -> Compared:
    """Without a ratio where kinds, recipes or epochs differ; both: where both accuracies are known."""
    why = np.where(np.isnan(ratio) & ~np.isnan(both), OF_TWO_EPOCHS, "").astype(object)
    unlike = ~np.isnan(both) & ((kinds[0] != kinds[1]) | (recipes[0] != recipes[1]))
    for place in np.flatnonzero(unlike):
        why[place] = _unlike(*(side[place] for side in (*kinds, *recipes)))
    ratio = np.where(unlike, np.nan, ratio)
    known = ~np.isnan(ratio)
    return Compared(ratio, np.where(known, source, ""), why, np.where(known & (apart > 0), apart, np.nan))


def _unlike(source: str, other: str, recipe: str, its: str) -> str:
    """Why two accuracies have no ratio: sources, or recipes as `batch 64; epochs 6`."""
    if source != other:
        return f"one accuracy is {source}, the other {other}"
    mine, theirs = (
        ", ".join(each for each in of.split("; ") if each not in than.split("; ")) or "not stated"
        for of, than in ((recipe, its), (its, recipe))
    )
    return f"accuracies of unlike trainings ({mine}; {theirs})"
