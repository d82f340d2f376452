"""Feed the targets: inputs counted, untyped exceptions and slow inputs kept with the seed that makes them."""

import random
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.fuzz.targets import EXPECTED, TARGETS

SLOW = 5.0  # s: an input that takes longer hangs whoever reads it


@dataclass
class Tally:
    """What happened so far."""

    inputs: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    untyped: dict[str, Any] = field(default_factory=dict)  # place -> {target, seed, error, times}
    slow: list[dict[str, Any]] = field(default_factory=list)


def one(target: str, seed: int, tally: Tally) -> None:
    """One input of a target; the same seed makes the same input."""
    start = time.perf_counter()
    tally.inputs[target] += 1
    try:
        TARGETS[target](random.Random(f"{target} {seed}"))
    except EXPECTED:
        tally.refused[target] += 1
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        key = f"{target}: {type(error).__name__} at {place.filename.rpartition('/')[2]}:{place.lineno}"
        known = tally.untyped.setdefault(key, {"seed": seed, "error": str(error)[:200], "times": 0})
        known["times"] += 1
    seconds = time.perf_counter() - start
    if seconds > SLOW:
        tally.slow.append({"target": target, "seed": seed, "seconds": round(seconds, 1)})


def summary(tally: Tally, seconds: float) -> dict[str, Any]:
    """The result as data."""
    with open("/proc/self/status") as status:
        peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    return {
        "seconds": round(seconds, 1),
        "inputs": sum(tally.inputs.values()),
        "by_target": dict(tally.inputs),
        "refused": dict(tally.refused),
        "untyped_exceptions": sum(each["times"] for each in tally.untyped.values()),
        "places": tally.untyped,
        "hangs": len(tally.slow),
        "slow": tally.slow,
        "peak_bytes": peak,
    }
