"""Budgets on this machine's profile, measured; and what the device method gains at equal measured latency.

ORBITBENCH_PROFILE names the profile (a name or a file; `orchestrate tune --device local --threads 1` makes
`local`), ORBITBENCH_ARCHITECTURES some of the architectures. All networks of a round are measured in one run;
what was measured is kept in build/budget, so that an interrupted benchmark goes on.
"""

import hashlib
import json
import math
import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from statistics import fmean, median
from typing import Any

from bench.budget import measuring, rounds
from bench.budget.command import Asked, BudgetAnswer, Solver, prices_on_device
from bench.budget.measuring import Measured, Wanted
from bench.cost import Profile
from bench.errors import InputError, JobError
from bench.record import files
from bench.scaling import direction, fits
from bench.scaling.device_prices import DevicePrices
from bench.zoo import ARCHITECTURES, architecture, dataset
from tests.performance.rows import Row

PROFILE = os.environ.get("ORBITBENCH_PROFILE", "local")
NAMES = os.environ.get("ORBITBENCH_ARCHITECTURES", ",".join(ARCHITECTURES)).split(",")
KEPT = Path(__file__).parents[2] / "build" / "budget"
SHARES = (0.15, 0.3, 0.6)  # of the default network's latency
COMPARED = 0.3  # of them: where the methods are compared
METHODS = (("neuralscale", None), ("device", None))
OTHERS = (("uniform", None), ("uniform", 8), ("neuralscale", None), ("neuralscale", 8))
MOST_ROUNDS, COMPARED_ROUNDS = 3, 2  # of budgets, of those only compared
FITS = {
    "vgg11": "vgg11-cifar10",
    "mobilenetv2": "mobilenetv2-cifar100",
    "preact_resnet18": "preact_resnet18-cifar100",
    "resnet50": "resnet50-digits-reduced",
}


@cache
def prices(name: str) -> DevicePrices:
    """The profile's price list of an architecture."""
    found = prices_on_device(Asked(name, "cifar10", "device", {}, device=PROFILE, extrapolate=True))
    assert found is not None
    return found


class Case:
    """One budget of one method, round by round. answer: at the end; refusal: where there is none."""

    def __init__(self, name: str, method: str, align: int | None, share: float) -> None:
        list_of = prices(name)
        limits = {"latency": share * list_of.figures(list_of.architecture.default_widths)["latency"]}
        fit = None if method == "uniform" else FITS[name]
        self.judged = (name, method, align, share) in budgets()
        most = MOST_ROUNDS if self.judged else COMPARED_ROUNDS
        asked = Asked(name, "cifar10", method, limits, fit, align, device=PROFILE, rounds=most)
        self.asked, self.solver = asked, Solver(asked, list_of)
        self.answer: BudgetAnswer | None = None
        self.refusal = ""
        self.played: list[rounds.BudgetRound] = []
        self.wanted: Wanted | None = None  # what waits to be measured
        self._rounds: Generator[list[int], Measured, rounds.Played] = rounds.playing(
            limits, most, self.solver.guess
        )
        self.go_on(None)

    def go_on(self, measured: Measured | None) -> None:
        """Play until the next network is to be measured, or until the end."""
        wanted, self.wanted = self.wanted, None
        try:
            if wanted is None or measured is None:
                widths = next(self._rounds)
            else:
                self.solver.learn(wanted, measured)
                widths = self._rounds.send(measured)
            self.wanted = self.solver.wanted(widths)
        except StopIteration as end:
            self._end(end.value)
        except InputError as refusal:
            self.refusal = str(refusal)

    def _end(self, played: rounds.Played) -> None:
        self.played = played.rounds
        try:
            self.answer = self.solver.measured(played)
        except JobError as refusal:
            self.refusal = str(refusal)

    def decided(self, wanted: Wanted, found: Measured) -> bool:
        """Whether a network need not be measured again: those that are only compared never are."""
        return not self.judged or self.solver.decided(wanted, found)

    def within(self) -> bool:
        """Whether the measured interval lies in the budget, the latency within 3 % of it."""
        chosen = self.answer.chosen if self.answer else None
        return chosen is not None and chosen.enough(self.asked.limits)

    def value_within(self) -> bool:
        """Whether some round's measured latency lies within 3 % under the budget, whatever its interval."""
        return any(0.97 <= each.used(self.asked.limits) <= 1 for each in self.played)


def play(cases: list[Case]) -> None:
    """All cases to their end: networks of a round side by side, each measured as a command measures it."""
    profile = prices(NAMES[0]).model.profile
    kept = Kept(profile)
    while waiting := [case for case in cases if case.wanted is not None]:
        of_network: dict[Wanted, list[Case]] = {}
        for case in waiting:
            assert case.wanted is not None
            if all(case.wanted == each or case.wanted.item != each.item for each in of_network):
                of_network.setdefault(case.wanted, []).append(case)

        def decided(wanted: Wanted, found: Measured, of: dict[Wanted, list[Case]] = of_network) -> bool:
            return all(case.decided(wanted, found) for case in of[wanted])

        for wanted, found in measuring.measure(profile, of_network, decided, kept.take).items():
            for case in of_network[wanted]:
                case.go_on(found)


class Kept:
    """What was measured on a profile, so that an interrupted benchmark goes on."""

    def __init__(self, profile: Profile) -> None:
        self.profile = profile
        name = hashlib.sha256(profile.model_dump_json().encode()).hexdigest()[:12]
        self.path = KEPT / f"{name}.json"
        self.figures: dict[str, Any] = json.loads(self.path.read_text()) if self.path.exists() else {}

    def take(self, networks: Sequence[Wanted], number: int) -> list[measuring.Figures]:
        """Each network's figures of a pass: kept, or measured and kept."""
        keys = [
            f"{each.item.id} beside {each.anchor.item.id if each.anchor else 'reference'} {number}"
            for each in networks
        ]
        missing = {
            key: each
            for key, each in zip(keys, networks, strict=True)
            if "p50" not in self.figures.get(key, {})  # older figures have none
        }
        if missing:
            found = measuring.figures(
                self.profile, list(missing.values()), measuring.PROCESSES, measuring.SECONDS
            )
            self.figures |= dict(zip(missing, found, strict=True))
            self.path.parent.mkdir(parents=True, exist_ok=True)
            files.write_json(str(self.path), self.figures)
        return [self.figures[key] for key in keys]


@cache
def played() -> list[Case]:
    """Every case of both benchmarks."""
    found = [Case(*case) for case in dict.fromkeys([*budgets(), *comparisons()])]
    play(found)
    for case in found:
        print(_line(case))
    return found


def budgets() -> Iterator[tuple[str, str, int | None, float]]:
    """What `budget` judges."""
    yield from ((name, *method, share) for name in NAMES for share in SHARES for method in METHODS)


def comparisons() -> Iterator[tuple[str, str, int | None, float]]:
    """What `align` compares."""
    yield from ((name, *method, COMPARED) for name in NAMES for method in (("device", None), *OTHERS))


def _line(case: Case) -> str:
    asked = case.asked
    head = f"{asked.architecture} {asked.method}{asked.align or ''} {asked.limits['latency'] * 1e3:.3f} ms"
    if case.answer is None or case.answer.chosen is None:
        return f"{head}: {case.refusal}"
    guesses = " ".join(f"{each.off('latency'):+.1%}" for each in case.answer.played)
    used = case.answer.chosen.used(asked.limits)
    value, high = case.answer.chosen.value("latency")
    params = case.answer.within.scaled.params
    spent = f"{used:.1%} +- {high / value - 1:.1%} used"
    return f"{head}: {spent}, guesses off by {guesses}, {params:,} parameters; {case.answer.why}"


def _of(wanted: Iterable[tuple[str, str, int | None, float]]) -> list[Case]:
    """The cases in `wanted`, in the order in which they were played."""
    keys = dict.fromkeys([*budgets(), *comparisons()])
    return [case for key, case in zip(keys, played(), strict=True) if key in set(wanted)]


def budget() -> list[Row]:
    """Measured latency within 3 % under the budget, in at most 3 rounds."""
    found = _of(list(budgets()))
    answers = [case.answer for case in found if case.answer is not None]
    counts = [len(answer.played) for answer in answers]
    guesses = [abs(case.played[0].off("latency")) for case in found if case.played]
    reached = [case for case in found if case.played]  # of the others the model says that none is in reach
    value, whole = (
        100 * sum(map(judge, reached)) / max(1, len(reached)) for judge in (Case.value_within, Case.within)
    )
    rows = [
        ("within 3 % under the budget in some round", value, "% of those in reach", "reported", None),
        ("the answer so, its whole interval below it", whole, "% of those in reach", ">= 90", whole >= 90),
        ("out of reach, and said so", len(found) - len(reached), "cases", "reported", None),
        ("no measured interval below it", len(reached) - len(answers), "cases", "reported", None),
        ("rounds", fmean(counts) if counts else None, "rounds", "<= 3", bool(counts) and max(counts) <= 3),
        ("error of the first guess", 100 * median(guesses) if guesses else None, "%", "reported", None),
    ]
    return [_row(f"budget: {what}", value, unit, target, ok) for what, value, unit, target, ok in rows]


def align() -> list[Row]:
    """The device method at equal measured latency, against the best other one and the best along the fit.

    Worth is what the device method chooses by: ln(parameters of the nearest point of the fit's curve) less 20
    times the mean squared departure from it. Parameters are the network's own.
    """
    rows: list[Row] = []
    for name in NAMES:
        cases = [case for case in _of(list(comparisons())) if case.asked.architecture == name and case.answer]
        ours = next((case for case in cases if case.asked.method == "device"), None)
        others = [case for case in cases if case is not ours]
        along = [case for case in others if case.asked.method == "neuralscale"]
        if ours is None or not along:
            rows.append(_row(f"align {name}: worth", None, "x", "reported", None))
            continue
        best, fitted = max(others, key=_worth), max(along, key=_params)
        for what, against, ratio in (
            ("worth, device / best other", best, math.exp(_worth(ours) - _worth(best))),
            ("parameters, device / best neuralscale", fitted, _params(ours) / _params(fitted)),
            ("measured latency, device / best other", best, _latency(ours) / _latency(best)),
        ):
            peer = f"{against.asked.method}{against.asked.align or ''}: {_params(against):,} parameters"
            rows.append({**_row(f"align {name}: {what}", ratio, "x", "reported", None), "peer": peer})
        row = _row(
            f"align {name}: distance from the fit", 100 * _distance(ours), "% a layer", "reported", None
        )
        rows.append({**row, "peer": f"best other {100 * _distance(best):.1f} %"})
    return rows


def _params(case: Case) -> int:
    assert case.answer is not None
    return case.answer.within.scaled.params


def _distance(case: Case) -> float:
    """From the fit, whatever the method."""
    assert case.answer is not None
    name = case.asked.architecture
    line = direction.of(architecture(name), fits.load_named(FITS[name]))
    return line.nearest(case.answer.within.scaled.widths)[1]


def _worth(case: Case) -> float:
    """What the device method chooses by."""
    assert case.answer is not None
    net = architecture(case.asked.architecture)
    line = direction.of(net, fits.load_named(FITS[net.name]))
    x, distance = line.nearest(case.answer.within.scaled.widths)
    return direction.worth(net, dataset("cifar10"), line.widths(x)) - direction.FAITH * distance**2


def _latency(case: Case) -> float:
    assert case.answer is not None
    assert case.answer.measured is not None
    return case.answer.measured.latency.value


def _row(name: str, value: float | None, unit: str, target: str, ok: bool | None) -> Row:
    row: Row = {"name": name, "value": value, "unit": unit, "peer": None, "target": target}
    return {**row, "better": "higher", "ok": ok}


BENCHMARKS = [budget, align]
