"""Budgets on this machine's profile, measured; and what the device method gains at equal measured latency.

Needs the profile of this machine, `orchestrate tune --device local --threads 1`; without one the rows say so.
ORBITBENCH_PROFILE names another, ORBITBENCH_ARCHITECTURES some of the architectures.
"""

import os
from collections.abc import Iterator
from statistics import fmean
from typing import Any

from bench.budget.command import Answer, Asked, board, solve
from bench.errors import InputError, JobError
from bench.scaling import direction, fits
from bench.zoo import ARCHITECTURES, architecture

PROFILE = os.environ.get("ORBITBENCH_PROFILE", "local")
NAMES = os.environ.get("ORBITBENCH_ARCHITECTURES", ",".join(ARCHITECTURES)).split(",")
SHARES = (0.15, 0.3, 0.6)  # of the default network's latency
METHODS = (("neuralscale", None), ("device", None))
OTHERS = (("uniform", None), ("uniform", 8), ("neuralscale", None), ("neuralscale", 8))
FITS = {
    "vgg11": "vgg11-cifar10",
    "mobilenetv2": "mobilenetv2-cifar100",
    "preact_resnet18": "preact_resnet18-cifar100",
    "resnet50": "resnet50-digits-reduced",
}
Row = dict[str, Any]


def asked(name: str, method: str, align: int | None, share: float) -> Asked:
    """A budget that is a share of the default network's predicted latency."""
    task = Asked(name, "cifar10", method, {}, FITS[name], align, device=PROFILE, extrapolate=True)
    prices = board(task)
    assert prices is not None
    limit = share * prices.figures(prices.architecture.default_widths)["latency"]
    return Asked(name, "cifar10", method, {"latency": limit}, FITS[name], align, device=PROFILE)


def attempts(cases: Iterator[Asked]) -> Iterator[tuple[Asked, Answer | None]]:
    """Each answer; None where the tool says that it cannot."""
    for case in cases:
        try:
            yield case, solve(case)
        except (JobError, InputError) as refusal:
            print(f"{case.architecture} {case.method}: {refusal}")
            yield case, None


def budget() -> list[Row]:
    """Measured latency within 3 % under the budget, in at most 3 rounds."""
    cases = (asked(name, *method, share) for name in NAMES for share in SHARES for method in METHODS)
    found = list(attempts(cases))
    met = [(case, answer) for case, answer in found if answer is not None]
    used = [answer.played[-1].used(case.limits) for case, answer in met]
    rounds = [len(answer.played) for _, answer in met]
    guesses = [abs(answer.played[0].off("latency")) for _, answer in met]
    within = sum(0.97 <= share <= 1 for share in used)
    rows = [
        (
            "within 3 % under the budget",
            100 * within / len(found),
            "% of cases",
            ">= 90",
            within >= 0.9 * len(found),
        ),
        ("cases refused", len(found) - len(met), "cases", "reported", None),
        ("rounds", fmean(rounds) if rounds else None, "rounds", "<= 3", bool(rounds) and max(rounds) <= 3),
        ("error of the first guess", 100 * fmean(guesses) if guesses else None, "%", "reported", None),
    ]
    return [_row(f"budget: {what}", value, unit, target, ok) for what, value, unit, target, ok in rows]


def align() -> list[Row]:
    """The device method against the best other one, at equal measured latency: parameters, distance."""
    rows: list[Row] = []
    for name in NAMES:
        cases = (asked(name, method, multiple, 0.3) for method, multiple in (("device", None), *OTHERS))
        found = [(case, answer) for case, answer in attempts(cases) if answer is not None]
        ours = [answer for case, answer in found if case.method == "device"]
        others = [answer for case, answer in found if case.method != "device"]
        if not ours or not others:
            rows.append(_row(f"align {name}: parameters", None, "x", "reported", None))
            continue
        most = max(others, key=lambda answer: answer.within.scaled.params)
        ratio = ours[0].within.scaled.params / most.within.scaled.params
        line = direction.of(architecture(name), fits.named(FITS[name]))
        distance = [100 * line.nearest(a.within.scaled.widths)[1] for a in (ours[0], most)]
        rows.append(_row(f"align {name}: parameters, device / best other", ratio, "x", "reported", None))
        row = _row(f"align {name}: distance from the fit", distance[0], "% a layer", "reported", None)
        rows.append({**row, "peer": f"best other {distance[1]:.1f} %"})
    return rows


def _row(name: str, value: float | None, unit: str, target: str, ok: bool | None) -> Row:
    row: Row = {"name": name, "value": value, "unit": unit, "peer": None, "target": target}
    return {**row, "better": "higher", "ok": ok}


BENCHMARKS = [budget, align]
