"""One claim: a region of ratios of two methods, and the verdict of an interval on it."""

from dataclasses import dataclass, field

from orchestrate.analysis import pairs, statistics
from orchestrate.analysis.statistics import FEWEST

EQUAL = {"params": "parameters", "width": "parameters", "macs": "MACs", "latency": "predicted latency",
         "memory": "predicted memory"}  # fmt: skip
HOLDS, FAILS, UNSETTLED = "holds", "does not hold", "not enough data"


@dataclass(frozen=True)
class Claim:
    """A statement about `method` / `baseline` on a kind of processor: the ratio is in a region."""

    id: str
    text: str
    processor: str
    quantity: str
    statistic: str = field(default="ratio", kw_only=True)  # or spread: larger / smaller, never below 1
    method: str
    baseline: str
    ratio_of: tuple[str, ...]
    claimed: float
    holds_from: float
    holds_to: float
    source: str = ""
    align: int = pairs.PLAIN
    baseline_align: int = pairs.PLAIN

    @property
    def comparison(self) -> pairs.Comparison:
        """The pairs that decide it."""
        return pairs.Comparison(
            self.id, self.text, self.method, self.baseline, self.ratio_of, self.align, self.baseline_align
        )

    @property
    def sides(self) -> tuple[str, str]:
        """`neuralscale`, `uniform in multiples of 8`: what is compared, in words."""
        above, below = (
            name if align == pairs.PLAIN else f"{name} in multiples of {align}"
            for name, align in ((self.method, self.align), (self.baseline, self.baseline_align))
        )
        return above, below

    @property
    def ratio(self) -> str:
        """`neuralscale divided by uniform, at equal parameters`: what its figures are, in words."""
        equal = " or ".join(dict.fromkeys(EQUAL[target] for target in self.ratio_of))
        above, below = self.sides
        if self.spread:
            return f"the larger divided by the smaller of each pair ({above}, {below}), at equal {equal}"
        return f"{above} divided by {below}, at equal {equal}"

    @property
    def spread(self) -> bool:
        """Whether it is about how far apart two networks are, whichever is larger: never below 1."""
        return self.statistic == "spread"

    @property
    def beside(self) -> list[pairs.Comparison]:
        """What is shown beside it: the baseline rounded, and both rounded alike."""
        names = (self.method, self.baseline, self.ratio_of)
        if self.align != pairs.PLAIN or self.baseline_align != pairs.PLAIN:
            return []
        rounded = f"{self.baseline} in multiples of {pairs.ROUNDED}"
        return [
            pairs.Comparison("rounded", f"against {rounded}", *names, pairs.PLAIN, pairs.ROUNDED),
            pairs.Comparison(
                "aligned", f"both in multiples of {pairs.ROUNDED}", *names, pairs.ROUNDED, pairs.ROUNDED
            ),
        ]

    def verdict(self, estimate: statistics.Estimate) -> str:
        """Return the verdict of an interval on the region."""
        if not estimate.known or estimate.n < FEWEST:
            return UNSETTLED
        if self.holds_from <= estimate.low and estimate.high <= self.holds_to:
            return HOLDS
        outside = estimate.high < self.holds_from or estimate.low > self.holds_to
        return FAILS if outside else UNSETTLED
