"""Networks measured on a profile's device, in turns with the reference network of its tuning."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from bench.cost import Estimate, Profile
from bench.cost.design import Item
from bench.errors import InputError, JobError
from bench.export import tuning

PROCESSES = 6
SECONDS = 1.5  # of turns, each process
NARROW = 0.01  # half a 95 % interval, relative: wide ones are measured again,
PASSES = 3  # so many times in all
COVERAGE = 0.95

Figures = Mapping[str, Any]  # of one network, as `orchestrate measure` prints them


class Measured(NamedTuple):
    """p50 in the reference network's time (s), and memory.process (bytes); with 95 % intervals."""

    latency: Estimate
    memory: Estimate


def measure(profile: Profile, architecture: str, dataset: str, widths: Sequence[int]) -> Measured:
    """Measure a network until its interval is narrow. ProfileError where the device is no longer as it was;
    JobError where that fails."""
    item, found = Item(architecture, dataset, None, tuple(widths)), []
    for _ in range(PASSES):
        found += figures(profile, [item], PROCESSES, SECONDS)
        measured = summed_up(profile, architecture, found)
        if measured.latency.high <= (1 + NARROW) * measured.latency.value:
            break
    return measured


def figures(profile: Profile, items: Sequence[Item], processes: int, seconds: float) -> list[Figures]:
    """Return what `orchestrate measure` prints of each network, in their order."""
    where = profile.environment
    with TemporaryDirectory(prefix="orbitbench-budget-") as folder:
        bundle = Path(folder) / "bundle"
        tuning.write(bundle, items, "budget", seconds=seconds, processes=processes)
        words = ("--device", where.device, "--threads", str(where.threads), "--precision", where.precision)
        found = _orchestrate(["measure", str(bundle), *words, "--results", str(Path(folder) / "results")])
    named = {each["model"]: each for each in found}
    return [named[item.id] for item in items]


def summed_up(profile: Profile, architecture: str, found: Sequence[Figures]) -> Measured:
    """Return one network's figures, over all processes of all its measurements.

    ProfileError where they are of another environment than the profile; JobError where too few processes have
    a figure for an interval.
    """
    for each in found:
        profile.check(**each["environment"])
    ratios = [ratio for each in found for ratio in each["ratios"]]
    held = [held for each in found for held in each["memory"]]
    if len(ratios) < 2:
        raise JobError(
            f"{found[0]['model']}: {len(ratios)} of its processes could be measured, at least 2 are needed"
        )
    latency = estimate([math.log(profile.seconds(architecture, ratio)) for ratio in ratios], math.exp)
    unknown = Estimate(math.nan, math.nan, math.nan)
    return Measured(latency, estimate(held) if len(held) > 1 else unknown)


def estimate(values: Sequence[float], scale: Callable[[float], float] = float) -> Estimate:
    """Return the mean and 95 % interval over processes (Student's t), all on `scale`."""
    center, half = interval(values)
    return Estimate(scale(center), scale(center - half), scale(center + half))


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the mean and half the 95 % interval over processes (Student's t); infinite for a single one."""
    from scipy import special

    if len(values) < 2:
        return fmean(values), math.inf
    quantile = float(special.stdtrit(len(values) - 1, (1 + COVERAGE) / 2))
    return fmean(values), quantile * stdev(values) / math.sqrt(len(values))


def _orchestrate(arguments: list[str]) -> Any:
    """What `orchestrate` prints as JSON; its own errors go to stderr."""
    command = [sys.executable, "-m", "orchestrate.cli", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 2:
        raise InputError("nothing was measured: see above")
    if done.returncode:
        raise JobError(f"measuring ended with code {done.returncode}: see above")
    return json.loads(done.stdout)
