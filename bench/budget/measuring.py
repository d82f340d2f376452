"""A network measured on a profile's device, in turns with the reference network of its tuning."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Sequence
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
COVERAGE = 0.95


class Measured(NamedTuple):
    """p50 in the reference network's time (s), and memory.process (bytes); with 95 % intervals."""

    latency: Estimate
    memory: Estimate


def measure(profile: Profile, architecture: str, dataset: str, widths: Sequence[int]) -> Measured:
    """Measure a network. ProfileError where the device is no longer as it was; JobError where that fails."""
    item, found = Item(architecture, dataset, None, tuple(widths)), profile.environment
    with TemporaryDirectory(prefix="orbitbench-budget-") as folder:
        bundle = Path(folder) / "bundle"
        tuning.write(bundle, [item], "budget", seconds=SECONDS, processes=PROCESSES)
        where = ("--device", found.device, "--threads", str(found.threads), "--precision", found.precision)
        [figures] = _orchestrate(["measure", str(bundle), *where, "--results", str(Path(folder) / "results")])
    profile.check(**figures["environment"])
    times = [math.log(ratio * profile.reference_seconds) for ratio in figures["ratios"]]
    center, half = interval(times)
    latency = Estimate(*(math.exp(x) for x in (center, center - half, center + half)))
    middle, spread = interval(figures["memory"]) if figures["memory"] else (math.nan, math.nan)
    return Measured(latency, Estimate(middle, middle - spread, middle + spread))


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half the 95 % interval over processes (Student's t); infinite for a single one."""
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
