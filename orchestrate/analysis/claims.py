"""Claims as data, and their answers: holds, does not hold, or not enough data, and then what would settle it.

One rule. A claim names a region of ratios. Its 95% interval inside the region: it holds. Outside: it does not
hold. Across an edge, or fewer than three pairs: not enough data. So a false claim is reported as holding
in at most 2.5% of studies a bound. Many verdicts on one page err more often together: each answer also has
whether it would hold at the level divided by the number of verdicts (Bonferroni), which bounds the chance of
any wrong 'holds' on the page.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from bench.record import loaders
from orchestrate.analysis import accuracy, efficiency, memory, pairs, records, statistics
from orchestrate.analysis.claim import FAILS as FAILS
from orchestrate.analysis.claim import HOLDS as HOLDS
from orchestrate.analysis.claim import UNSETTLED as UNSETTLED
from orchestrate.analysis.claim import Claim as Claim
from orchestrate.analysis.configuration import Configuration
from orchestrate.analysis.frame import Frame, Key
from orchestrate.analysis.statistics import FEWEST
from orchestrate.analysis.table import CONFIGURATION
from orchestrate.quantities import counted

MOST_TIMES = 50  # times the architectures that there are: what more would settle is not worth advising


@dataclass(frozen=True)
class Answer:
    """A claim on one device in one way of running it.

    `together`: the verdict holds for all verdicts at once. `independent`: the interval as it would be if
    pairs did not resemble each other. `stand_ins`: pairs that decide nothing, as do those `of_one`
    network, which are counted. `beside`: other baselines.
    """

    claim: Claim
    configuration: Configuration
    verdict: str
    estimate: statistics.Estimate
    ranking: efficiency.Ranking | None
    verdicts_by_definition: dict[str, str]
    pairs: tuple[tuple[str, str], ...]
    lacking: int
    settle: str
    main: bool = True
    together: bool = False
    independent: statistics.Estimate = statistics.NOTHING
    stand_ins: statistics.Estimate = statistics.NOTHING
    of_one: int = 0
    beside: tuple[tuple[str, statistics.Estimate], ...] = ()

    @property
    def definitions(self) -> str:
        """What the memory definitions say, '' where it is not about memory.

        A ranking is of sides of 1, which a spread does not have: its verdicts are counted.
        """
        if self.ranking:
            return self.ranking.sentence
        verdicts = self.verdicts_by_definition.values()
        other = sum(verdict != self.verdict for verdict in verdicts)
        if not other:
            return f"the same verdict under all {len(verdicts)} memory definitions" if verdicts else ""
        return f"another verdict under {other} of {len(verdicts)} memory definitions"

    @property
    def widening(self) -> float:
        """How many times as wide the interval is as over independent pairs; NaN where unknown."""
        return self.estimate.width / self.independent.width if self.independent.width else math.nan


def answers(table: Frame, claims: Iterable[Claim]) -> list[Answer]:
    """Return every claim in every configuration of the devices it is about.

    One configuration per device and kind of processor is `main`, for all of its claims.
    """
    sought = _Pairs(table)
    asked = list(_asked(table, list(claims), sought))
    level = 1 - (1 - statistics.LEVEL) / max(1, len(asked))
    main = _main(asked, _newest(table))
    found = (_answer(claim, where, stated(claim, found), level, sought) for claim, where, found in asked)
    return [replace(answer, main=answer.configuration in main) for answer in found]


def _newest(table: Frame) -> dict[Key, str]:
    """When the newest record of each configuration was made, as `records.when` has it."""
    found: dict[Key, str] = {}
    for key, job in zip(table.keys(CONFIGURATION), table["source"], strict=True):
        made, *_ = records.when(job)
        found[key] = max(made, found.get(key, made))
    return found


def _main(asked: list[tuple[Claim, Configuration, Frame]], newest: Mapping[Key, str]) -> list[Configuration]:
    """The configuration of each device and kind of processor with most pairs of known latency.

    Of equal ones fp32's, then that of fewer threads (0 is the library's choice, as many as it likes), then
    the setup of the newest run: the fullest of each claim would put verdicts of several under one heading.
    """
    by_time = {made: place for place, made in enumerate(sorted(set(newest.values())))}
    most: dict[tuple[str, str], tuple[Any, ...]] = {}
    counts: dict[tuple[Any, ...], dict[Key, int]] = defaultdict(dict)
    for claim, where, found in asked:
        known = np.isfinite(pairs.decided(found)["latency_ratio"])
        counts[tuple(where.values())][claim.comparison[2:]] = int(known.sum())
    for key, of in counts.items():
        where = cast(Configuration, dict(zip(Configuration.__annotations__, key, strict=True)))
        threads = where["threads"] or math.inf
        order = (
            *(-sum(of.values()), where["precision"] != "fp32", threads, where["batch"]),
            *(-by_time[newest[key]], key),
        )
        device = where["device"], where["processor"]
        most[device] = min(most.get(device, (math.inf,)), (*order, where))
    return [order[-1] for order in most.values()]


def stated(claim: Claim, found: Frame) -> Frame:
    """Return the pairs with the ratios that the claim is about.

    As they are; for a spread the larger / the smaller of each pair, under every memory definition.
    """
    if not claim.spread:
        return found
    of_memory = claim.quantity in pairs.OF_MEMORY
    definitions = memory.DEFINITIONS if of_memory else [memory.PROCESS]
    columns = [pairs.column(claim.quantity, definition) for definition in definitions]
    return found.having({name: np.where(found[name] >= 1, found[name], 1 / found[name]) for name in columns})


class _Pairs:
    """Pairs by comparison and configuration, each comparison made once."""

    def __init__(self, table: Frame) -> None:
        self.table = table
        self.made: dict[Key, tuple[Frame, dict[Key, Frame]]] = {}

    def of(self, comparison: pairs.Comparison, configuration: Configuration) -> Frame:
        key = comparison[2:]
        if key not in self.made:
            every = pairs.of(self.table, comparison)
            self.made[key] = every.take([]), efficiency.split_by_configuration(every)
        none, apart = self.made[key]
        return apart.get(tuple(configuration.values()), none)


def _asked(table: Frame, claims: list[Claim], sought: _Pairs) -> Iterator[tuple[Claim, Configuration, Frame]]:
    """Each claim with each configuration that it is about, and the pairs found there."""
    configurations = [configuration for configuration, _ in efficiency.configurations(table)]
    for claim in claims:
        for configuration in configurations:
            if configuration["processor"] == claim.processor:
                yield claim, configuration, sought.of(claim.comparison, configuration)


def _answer(claim: Claim, configuration: Configuration, every: Frame, level: float, sought: _Pairs) -> Answer:
    """One answer; `level` is that of all verdicts together."""
    found = pairs.decided(every)
    estimate = pairs.mean(found, claim.quantity)
    of_memory = claim.quantity in pairs.OF_MEMORY
    means = efficiency.under_definitions(found, claim.quantity) if of_memory else {}
    known = found.take(~np.isnan(found[pairs.column(claim.quantity)]))
    verdict, strict = (claim.verdict(e) for e in (estimate, pairs.mean(found, claim.quantity, level=level)))
    return Answer(
        claim=claim,
        configuration=configuration,
        verdict=verdict,
        estimate=estimate,
        ranking=efficiency.ranking(means) if means and not claim.spread else None,
        verdicts_by_definition={key: claim.verdict(mean) for key, mean in means.items()},
        pairs=tuple(zip(known["model"], known["baseline"], strict=True)),
        lacking=len(found) - len(known),
        settle=_settle(claim, configuration, estimate, found),
        independent=pairs.independent(found, claim.quantity),
        stand_ins=pairs.mean(pairs.left_out(every, pairs.OF_STAND_IN), claim.quantity),
        of_one=len(pairs.left_out(every, pairs.OF_ONE_NETWORK)),
        beside=tuple(_beside(claim, configuration, sought)),
        together=verdict != UNSETTLED and strict == verdict,
    )


def _beside(
    claim: Claim, configuration: Configuration, sought: _Pairs
) -> Iterator[tuple[str, statistics.Estimate]]:
    for comparison in claim.beside:
        found = stated(claim, pairs.decided(sought.of(comparison, configuration)))
        mean = pairs.mean(found, claim.quantity)
        if mean.n:
            yield comparison.label, mean


def _settle(claim: Claim, configuration: Configuration, estimate: statistics.Estimate, found: Frame) -> str:
    """What to do about 'not enough data'; '' where the verdict is clear."""
    if claim.verdict(estimate) != UNSETTLED:
        return ""
    if len(found) < FEWEST:
        return (
            f"{counted(len(found), 'pair')} of {' and '.join(claim.sides)} measured "
            f"(stand-in fits and pairs of one network aside), {FEWEST} needed: "
            f"orchestrate run --device {configuration['device']} --experiment thesis"
        )
    if estimate.n < FEWEST:
        return f"{_lacks(claim, found)} for {len(found) - estimate.n} of {counted(len(found), 'pair')}"
    if not estimate.known:
        return (
            "all pairs are of one architecture, and an interval needs another: "
            f"orchestrate run --device {configuration['device']} --experiment thesis"
        )
    edges = [edge for edge in (claim.holds_from, claim.holds_to) if 0 < edge < math.inf]
    distance = min(abs(math.log(estimate.value / edge)) for edge in edges)
    width = math.log(estimate.high / estimate.low) / 2
    times = (width / distance) ** 2 if distance else math.inf
    if times > MOST_TIMES:
        return "the ratio lies at the edge of what is claimed: more data will hardly settle it"
    needed = math.ceil(estimate.groups * times)
    return f"about {counted(needed, 'architecture')} that scatter like these in place of {estimate.groups}"


def _lacks(claim: Claim, found: Frame) -> str:
    """What the pairs lack; where `accuracy_per_mb` lacks both an accuracy and a memory figure, the first."""
    lacking = found.take(np.isnan(found["accuracy_ratio"]))
    if claim.quantity.startswith("accuracy") and len(lacking):
        if why := next(filter(None, lacking["accuracy_unlike"]), ""):
            return str(why)
        if (of := lacking["accuracy_of"] != "").all():
            advice = accuracy.measure_it(lacking["dataset"][0])
            return "no accuracy in the precision that ran" + (f" ({advice})" if advice else "")
        lacking = lacking.take(~of)
        makes = loaders.command(f"bench train {lacking['model'][0]}", lacking["dataset"][0])
        return f"no accuracy (make it: {makes}, and so on)" if makes else "no accuracy"
    if claim.quantity == "energy":
        return "no power reading during the samples on this device"
    return "no memory reading under the main definition"


def multiplicity(found: list[Answer]) -> str:
    """Return how often verdicts on this page may err, in one sentence."""
    decided = sum(answer.verdict != UNSETTLED for answer in found)
    if not found:
        return "No claim applies to these devices."
    return (
        f"{counted(len(found), 'verdict')} on this page, {decided} decided, each from a 95% interval: where "
        f"a claim is not true, it is reported as holding in at most 2.5% of studies a bound. "
        f"{sum(a.together for a in found)} of the "
        f"decided ones also hold at the level for all {len(found)} together (Bonferroni)."
    )
