"""Networks measured on a profile's device, in turns with a network whose seconds are known there.

That is the reference network of the profile, or, for a network that is hardly another one than one measured
before, that one: what slows a machine slows the two alike, and a difference of half a percent shows in a few
processes. Beside a small reference a large network is slowed less than it; so its ratio is taken at the mean
of how far the reference was slowed, over all processes, by a line through them.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, linear_regression, median, stdev, variance
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench.cost import PredictedFigure, Profile
from bench.cost.design import Item
from bench.errors import InputError, JobError
from bench.export import tuning
from bench.scaling.budgets import shown

PROCESSES = 6
SECONDS = 1.2  # of turns, each process
PASSES = 3  # at most, for networks that one does not decide
COVERAGE = 0.95
LINE = 6  # processes, from which on a line is put through them
STEADY = 0.03  # deviation of ln(reference's seconds) of a machine that nothing slows
LUCK = 0.01  # of ln(reference's seconds) in one process, which a line takes for slowing
MOVED = 0.15  # of the reference's seconds: beyond, the machine is another one than the profile's
SLOPES = (-0.5, 0.0)  # of ln(ratio) over ln(reference's seconds): it is slowed more, up to twice as much

Figures = Mapping[str, Any]  # of one network, as `orchestrate measure` prints them


class Measured(NamedTuple):
    """p50 in the reference network's time (s), and memory.process (bytes); with 95 % intervals.

    own: half the interval that its own processes leave of the latency, relative; what it was measured beside
    may be known less well. p50: what an inference took while it was measured (s), on a machine as busy as it
    was. off_pace: why the latency is unknown, where the machine is faster or slower than it was tuned.
    """

    latency: PredictedFigure
    memory: PredictedFigure
    own: float = 0.0
    p50: float = math.nan
    off_pace: str = ""


class Anchor(NamedTuple):
    """A network measured before, which another one is measured beside."""

    item: Item
    latency: PredictedFigure


class Wanted(NamedTuple):
    """A network to be measured, beside its architecture's reference network where there is no anchor."""

    item: Item
    anchor: Anchor | None = None


Decided = Callable[[Wanted, Measured], bool]  # whether a network need not be measured again
Take = Callable[[Sequence[Wanted], int], Sequence[Figures]]  # of networks, in the pass of a number


def measure(
    profile: Profile, networks: Iterable[Wanted], decided: Decided, take: Take | None = None
) -> dict[Wanted, Measured]:
    """Measure networks side by side, again those that are not decided yet, in at most PASSES passes.

    take: measures some networks in the pass of a number; by default `figures`. ProfileError where the device
    is no longer as it was; JobError where that fails.
    """
    found: dict[Wanted, list[Figures]] = {wanted: [] for wanted in networks}
    measured: dict[Wanted, Measured] = {}
    waiting = list(found)
    for number in range(PASSES):
        taken = take(waiting, number) if take else figures(profile, waiting, PROCESSES, SECONDS)
        for wanted, each in zip(waiting, taken, strict=True):
            found[wanted].append(each)
            measured[wanted] = summed_up(profile, wanted, found[wanted])
        waiting = [wanted for wanted in waiting if not decided(wanted, measured[wanted])]
        if not waiting:
            break
    return measured


def figures(profile: Profile, networks: Sequence[Wanted], processes: int, seconds: float) -> list[Figures]:
    """Return what `orchestrate measure` prints of each network, in their order."""
    where, items = profile.environment, [wanted.item for wanted in networks]
    beside = {wanted.item: wanted.anchor.item for wanted in networks if wanted.anchor}
    with TemporaryDirectory(prefix="orbitbench-budget-") as folder:
        bundle = Path(folder) / "bundle"
        tuning.write(bundle, items, "budget", seconds=seconds, processes=processes, beside=beside)
        words = ("--device", where.device, "--threads", str(where.threads), "--precision", where.precision)
        found = _orchestrate(["measure", str(bundle), *words, "--results", str(Path(folder) / "results")])
    named = {each["model"]: each for each in found}
    return [named[item.id] for item in items]


def summed_up(profile: Profile, wanted: Wanted, found: Sequence[Figures]) -> Measured:
    """Return one network's figures, over all processes of all its measurements.

    ProfileError where they are of another environment than the profile; JobError where too few processes have
    a figure for an interval.
    """
    for each in found:
        profile.check(**each["environment"])
    levels = [(math.log(model), math.log(own)) for each in found for model, own in each["levels"]]
    held = [held for each in found for held in each["memory"]]
    if len(levels) < 2:
        raise JobError(
            f"{found[0]['model']}: {len(levels)} of its processes could be measured, at least 2 are needed"
        )
    ratio, own = ratio_of(levels)
    known = wanted.anchor.latency if wanted.anchor else None
    seconds = known.value if known else profile.seconds(wanted.item.architecture, 1.0)
    off = off_pace(profile, seconds, min(each["reference_seconds"] for each in found))
    half = math.hypot(own, math.log(known.high / known.value) if known else 0.0)
    latency = PredictedFigure(*(seconds * math.exp(ratio + shift) for shift in (0.0, -half, half)))
    unknown = PredictedFigure(math.nan, math.nan, math.nan)
    memory = estimate(held) if len(held) > 1 else unknown
    p50 = median(each["p50"] for each in found)
    return Measured(unknown if off else latency, memory, math.expm1(own), p50, off)


def off_pace(profile: Profile, known: float, seen: float) -> str:
    """Return how far what networks are measured beside is from the seconds known of it; '' where it is near.

    A ratio says nothing of the machine's pace: in another power mode all latencies would be wrong alike.
    """
    if abs(seen / known - 1) <= MOVED:
        return ""
    return (
        f"{profile.environment.device} is not as fast as it was tuned: the reference takes "
        f"{shown('latency', seen)} now, {shown('latency', known)} in profile {profile.name}; "
        "put it back into the power mode of the profile, or run orchestrate tune again"
    )


def ratio_of(levels: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return ln(network / reference) and half its 95 % interval, from ln(seconds) of both in each process.

    How far a process's reference was slowed explains a part of its ratio: from LINE processes on by a line,
    and the ratio is the one at their mean. Where nothing slows a machine, a process's reference still differs
    by luck, which must not be explained away: there is no line then, and LUCK is added to what a line leaves.
    """
    ratios = [model - own for model, own in levels]
    slowed = [own for _, own in levels]
    if len(levels) < LINE or stdev(slowed) < STEADY:
        return interval(ratios)
    slope = min(max(linear_regression(slowed, ratios).slope, SLOPES[0]), SLOPES[1])
    rest = [ratio - slope * own for ratio, own in zip(ratios, slowed, strict=True)]
    free = len(rest) - 2
    deviation = math.sqrt(variance(rest) * (free + 1) / free + LUCK**2)
    return fmean(ratios), _student(free) * deviation / math.sqrt(len(rest))


def estimate(values: Sequence[float]) -> PredictedFigure:
    """Return the mean and 95 % interval over processes (Student's t)."""
    center, half = interval(values)
    return PredictedFigure(center, center - half, center + half)


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and half the 95 % interval over processes (Student's t); infinite for a single one."""
    if len(values) < 2:
        return fmean(values), math.inf
    return fmean(values), _student(len(values) - 1) * stdev(values) / math.sqrt(len(values))


def _student(free: int) -> float:
    from scipy import special

    return float(special.stdtrit(free, (1 + COVERAGE) / 2))


def _orchestrate(arguments: list[str]) -> Any:
    """What `orchestrate` prints as JSON; its own errors go to stderr."""
    command = [sys.executable, "-m", "orchestrate.cli", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 2:
        raise InputError("nothing was measured: see above")
    if done.returncode:
        raise JobError(f"measuring ended with code {done.returncode}: see above")
    return json.loads(done.stdout)
