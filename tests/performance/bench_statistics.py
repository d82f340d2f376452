"""Do the intervals keep their word? Synthetic studies, in which what belongs together resembles itself."""

from typing import Any

import numpy as np

from orchestrate.analysis import statistics
from tests.performance.rows import Row, figure

TRIALS, RESEMBLANCE, LENGTH = 1000, 0.6, 400
RNG = np.random.default_rng(20261122)


def series(shift: float = 0.0) -> Any:
    """An autoregression of first order around 100, standard deviation 1, shifted."""
    steps = RNG.standard_normal(LENGTH) * (1 - RESEMBLANCE**2) ** 0.5
    x = np.empty(LENGTH)
    x[0] = RNG.standard_normal()
    for i in range(1, LENGTH):
        x[i] = RESEMBLANCE * x[i - 1] + steps[i]
    return 100 + shift + x


def naive(study: list[Any]) -> tuple[float, float]:
    """The percentile bootstrap of all samples thrown together, as if each were independent."""
    pool = np.concatenate(study)
    medians = np.median(pool[RNG.integers(0, len(pool), (200, len(pool)))], axis=1)
    low, high = np.quantile(medians, [0.025, 0.975])
    return float(low), float(high)


def hierarchical(study: list[Any], block: int = 15) -> tuple[float, float]:
    """The percentile bootstrap of processes, then of blocks inside them; what we do not use, and why."""
    starts = RNG.integers(0, LENGTH, (len(study), 200, LENGTH // block + 1))
    index = (starts[..., None] + np.arange(block)) % LENGTH
    medians = np.stack([np.median(p[i].reshape(200, -1), axis=1) for p, i in zip(study, index, strict=True)])
    count = len(study)
    drawn = medians[RNG.integers(0, count, (400, count)), RNG.integers(0, 200, (400, count))].mean(axis=1)
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def coverage(processes: int, between: float) -> tuple[float, float, float]:
    """How often ours, the naive and the hierarchical bootstrap hold the true median."""
    hits = np.zeros(3)
    for _ in range(TRIALS):
        study = [series(between * RNG.standard_normal()) for _ in range(processes)]
        _, low, high = statistics.of_process_rows(np.array([[float(np.median(p)) for p in study]]))
        found = [(float(low[0]), float(high[0])), naive(study), hierarchical(study)]
        for k, (low, high) in enumerate(found):
            hits[k] += low <= 100 <= high
    shares = [float(h) / TRIALS for h in hits]
    return shares[0], shares[1], shares[2]


def row(name: str, value: float, peer: str, target: str, ok: bool | None) -> Row:
    """A share, of which more is better."""
    return figure(name, value, "share", target, ok, peer, "higher")


def intervals() -> list[Row]:
    """Coverage of the 95 % interval of the median over three processes."""
    found = []
    for name, between in [("3 processes that differ", 0.5), ("3 processes alike", 0.0)]:
        ours, plain, nested = coverage(3, between)
        peer = f"naive {plain:.3f}, hierarchical bootstrap {nested:.3f}"
        title = f"95 % interval covers the truth, {name}"
        found.append(row(title, ours, peer, "0.93 to 0.97", 0.93 <= ours <= 0.97))
    return found


def over_pairs() -> list[Row]:
    """Coverage over pairs whose architectures each have an effect of their own, four pairs each."""
    found = []
    for architectures in (3, 4):
        groups = np.repeat(np.arange(architectures), 4)
        own = RNG.normal(0, 0.2, (TRIALS, architectures))
        ratios = np.exp(own[:, groups] + RNG.normal(0, 0.05, (TRIALS, len(groups)))).T
        shares = [
            float(np.mean([e.low <= 1 <= e.high for e in statistics.of_columns(ratios, labels)]))
            for labels in (groups.tolist(), None)
        ]
        title = f"95 % interval over pairs covers the truth, {architectures} architectures that differ"
        peer = f"pairs taken as independent {shares[1]:.3f}"
        found.append(row(title, shares[0], peer, "0.93 to 0.97", 0.93 <= shares[0] <= 0.97))
    return found


def false_claims() -> list[Row]:
    """How often two equal synthetic sides differ by report, and a 3 % difference found, three processes
    a side."""
    sides = RNG.normal(1, 0.007, (TRIALS, 2, 3))

    def differs(above: Any, below: Any) -> Any:
        ratio, low, high = statistics.of_ratio_rows(above, below)
        return ((low > 1) | (high < 1)) & (abs(ratio - 1) >= 0.01)

    share = float(differs(sides[:, 0], sides[:, 1]).mean())
    power = float(differs(1.03 * sides[:, 1], sides[:, 0]).mean())
    peer = "process medians scatter by 0.7 %"
    return [
        row("equal sides reported as different", share, peer, "<= 0.05", share <= 0.05) | {"better": "lower"},
        row("3 % found with 3 processes a side", power, peer, ">= 0.9", power >= 0.9),
    ]


BENCHMARKS = [intervals, over_pairs, false_claims]
