"""What to measure next: a design, then parts where errors are largest, then what surprises once more."""

from __future__ import annotations

from collections import defaultdict

import numpy as np

from bench.cost import design
from bench.cost.calibration import channel_block, left_out, observe, samples_of
from bench.cost.design import Item
from bench.cost.profile import Profile

SHARE = 0.3  # of the kinds of parts: where the fit is poorest


def choose(parts: int, networks: int, seed: int, known: Profile | None = None) -> list[Item]:
    """Choose so many parts and networks; after `known`, parts of the kinds that it predicts worst."""
    measured = {m.item for m in known.measurements} if known else set()
    wanted = poorest(known) if known else ()
    found = [item for item in design.parts(parts + len(measured), seed, wanted) if item not in measured]
    return found[:parts] + [item for item in design.networks(networks, seed) if item not in measured]


def surprising(known: Profile, count: int) -> list[Item]:
    """Return the `count` networks whose measurements the others explain least, the least explained first.

    A disturbed machine can slow a whole process alike, which no disagreement of its turns shows.
    """
    profile = observe(known)
    block = channel_block(profile)
    wholes = [i for i, m in enumerate(profile.measurements) if m.part is None]
    found = left_out(samples_of(profile, block), block, wholes)
    ranked = sorted(found, key=lambda each: -abs(each[1] / each[2]))
    return [profile.measurements[index].item for index, _, _ in ranked[:count]]


def poorest(profile: Profile) -> tuple[tuple[str, str], ...]:
    """Return (architecture, part) of the worst predicted when left out, by root mean square error."""
    profile = observe(profile)
    block = channel_block(profile)
    parts = [i for i, m in enumerate(profile.measurements) if m.part is not None]
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for index, error, _ in left_out(samples_of(profile, block), block, parts):
        measurement = profile.measurements[index]
        found[measurement.architecture, measurement.part or ""].append(error)
    ranked = sorted(found, key=lambda key: -float(np.mean(np.square(found[key]))))
    return tuple(ranked[: max(3, round(SHARE * len(ranked)))])
