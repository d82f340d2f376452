"""Budgets on this machine's profile, measured; and what the device method gains at equal measured latency.

ORBITBENCH_PROFILE names the profile (a name or a file; `orchestrate tune --device local --threads 1` makes
`local`), ORBITBENCH_ARCHITECTURES some of the architectures. All networks of a round are measured in one run;
what was measured is kept in build/budget, so that an interrupted benchmark goes on.
"""

import hashlib
import json
import math
import os
from collections.abc import Generator, Iterable, Iterator
from functools import cache
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.budget import measuring, rounds
from bench.budget.command import Answer, Asked, Solver, board
from bench.budget.measuring import Measured
from bench.cost import Profile
from bench.cost.design import Item
from bench.errors import InputError, JobError
from bench.record import files
from bench.scaling import direction, fits
from bench.scaling.board import Board
from bench.zoo import ARCHITECTURES, architecture

PROFILE = os.environ.get("ORBITBENCH_PROFILE", "local")
NAMES = os.environ.get("ORBITBENCH_ARCHITECTURES", ",".join(ARCHITECTURES)).split(",")
KEPT = Path(__file__).parents[2] / "build" / "budget"
SHARES = (0.15, 0.3, 0.6)  # of the default network's latency
COMPARED = 0.3  # of them: where the methods are compared
METHODS = (("neuralscale", None), ("device", None))
OTHERS = (("uniform", None), ("uniform", 8), ("neuralscale", None), ("neuralscale", 8))
PROCESSES, SECONDS, MOST_ROUNDS = 6, 0.5, 3
FITS = {
    "vgg11": "vgg11-cifar10",
    "mobilenetv2": "mobilenetv2-cifar100",
    "preact_resnet18": "preact_resnet18-cifar100",
    "resnet50": "resnet50-digits-reduced",
}
Row = dict[str, Any]


@cache
def prices(name: str) -> Board:
    """The profile's price list of an architecture."""
    found = board(Asked(name, "cifar10", "device", {}, device=PROFILE, extrapolate=True))
    assert found is not None
    return found


class Case:
    """One budget of one method, round by round. answer: at the end; refusal: where there is none."""

    def __init__(self, name: str, method: str, align: int | None, share: float) -> None:
        list_of = prices(name)
        limits = {"latency": share * list_of.figures(list_of.architecture.default_widths)["latency"]}
        fit = None if method == "uniform" else FITS[name]
        asked = Asked(name, "cifar10", method, limits, fit, align, device=PROFILE, rounds=MOST_ROUNDS)
        self.asked, self.solver = asked, Solver(asked, list_of)
        self.answer: Answer | None = None
        self.refusal = ""
        self.item: Item | None = None  # what waits to be measured
        self._rounds: Generator[list[int], Measured, rounds.Played] = rounds.playing(
            limits, MOST_ROUNDS, self.solver.guess
        )
        self.go_on(None)

    def go_on(self, measured: Measured | None) -> None:
        """Play until the next network is to be measured, or until the end."""
        self.item = None
        try:
            widths = next(self._rounds) if measured is None else self._rounds.send(measured)
            self.item = Item(self.asked.architecture, "cifar10", None, tuple(widths))
        except StopIteration as end:
            self._end(end.value)
        except InputError as refusal:
            self.refusal = str(refusal)

    def _end(self, played: rounds.Played) -> None:
        try:
            self.answer = self.solver.measured(played)
        except JobError as refusal:
            self.refusal = str(refusal)

    def within(self) -> bool:
        """Whether the measured interval lies in the budget, the latency within 3 % of it."""
        chosen = self.answer.chosen if self.answer else None
        return chosen is not None and chosen.enough(self.asked.limits)


def play(cases: list[Case]) -> None:
    """All cases to their end, one run a round."""
    while waiting := [case for case in cases if case.item is not None]:
        items = dict.fromkeys(case.item for case in waiting if case.item is not None)
        found = measured(prices(NAMES[0]).model.profile, items)
        for case in waiting:
            assert case.item is not None
            case.go_on(found[case.item])


def measured(profile: Profile, items: Iterable[Item]) -> dict[Item, Measured]:
    """Each network's measurement: kept, or made and kept."""
    name = hashlib.sha256(profile.model_dump_json().encode()).hexdigest()[:12]
    path = KEPT / f"{name}.json"
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    missing = [item for item in items if item.id not in kept]
    if missing:
        figures = measuring.figures(profile, missing, PROCESSES, SECONDS)
        kept |= {item.id: each for item, each in zip(missing, figures, strict=True)}
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(str(path), kept)
    return {item: measuring.summed_up(profile, item.architecture, [kept[item.id]]) for item in items}


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
    params = case.answer.within.scaled.params
    return f"{head}: {used:.1%} used, guesses off by {guesses}, {params:,} parameters; {case.answer.why}"


def _of(wanted: Iterable[tuple[str, str, int | None, float]]) -> list[Case]:
    """The cases in `wanted`, in the order in which they were played."""
    keys = dict.fromkeys([*budgets(), *comparisons()])
    return [case for key, case in zip(keys, played(), strict=True) if key in set(wanted)]


def budget() -> list[Row]:
    """Measured latency within 3 % under the budget, in at most 3 rounds."""
    found = _of(list(budgets()))
    answers = [case.answer for case in found if case.answer is not None]
    within = sum(case.within() for case in found)
    counts = [len(answer.played) for answer in answers]
    guesses = [abs(answer.played[0].off("latency")) for answer in answers]
    share = 100 * within / len(found)
    rows = [
        ("within 3 % under the budget", share, "% of cases", ">= 90", share >= 90),
        ("cases without an answer", len(found) - len(answers), "cases", "reported", None),
        ("rounds", fmean(counts) if counts else None, "rounds", "<= 3", bool(counts) and max(counts) <= 3),
        ("error of the first guess", 100 * fmean(guesses) if guesses else None, "%", "reported", None),
    ]
    return [_row(f"budget: {what}", value, unit, target, ok) for what, value, unit, target, ok in rows]


def align() -> list[Row]:
    """The device method at equal measured latency, against the best other one and the best along the fit.

    Worth is what the device method chooses by: ln(parameters) less 20 times the mean squared departure.
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
    return math.log(_params(case)) - direction.FAITH * _distance(case) ** 2


def _latency(case: Case) -> float:
    assert case.answer is not None
    assert case.answer.measured is not None
    return case.answer.measured.latency.value


def _row(name: str, value: float | None, unit: str, target: str, ok: bool | None) -> Row:
    row: Row = {"name": name, "value": value, "unit": unit, "peer": None, "target": target}
    return {**row, "better": "higher", "ok": ok}


BENCHMARKS = [budget, align]
