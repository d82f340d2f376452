"""The report in a terminal: what was measured, ratios with intervals, and the claims beside them."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from orchestrate.analysis import claims, memory, pairs
from orchestrate.analysis.accuracy import MEASURED
from orchestrate.analysis.records import Missing
from orchestrate.quantities import counted
from orchestrate.report import data, text, verdict_cards
from orchestrate.report.columns import MB, MILLION, MS, ranged
from orchestrate.report.data import Report
from orchestrate.report.table_text import cell

STYLE = {claims.HOLDS: "green", claims.FAILS: "red", claims.UNSETTLED: "yellow"}
ROWS = 64  # more models than a screen can hold: the page has them all


def show(report: Report, console: Console) -> None:
    """Print models, ratios, claims, then what is left out or missing."""
    if data.synthetic(report.study):
        console.print("Synthetic data: invented for tests, not measured.", style="bold yellow")
    for part in (_models(report), _ratios(report), verdicts(report)):
        if part.row_count:
            console.print(part)
    for line in remarks(report):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


def _plain(title: str, *columns: str) -> Table:
    """Return a table without frames; the first column to the left, figures to the right."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right", overflow="fold")
    return table


def _models(report: Report) -> Table:
    """Return latency, memory and accuracy of each model."""
    jobs = report.frames["jobs"]
    several = len(report.configurations) > 1
    more = f" (the first {ROWS} of {len(jobs)}; the page has all)" if len(jobs) > ROWS else ""
    title = f"Measured{_alone(report)}{more}"
    table = _plain(
        title,
        "model",
        *(["ran on"] if several else []),
        "params M",
        "MACs M",
        "p50 ms",
        "p90 ms",
        "memory MB",
        "of it the model",
        "peak MB",
        "accuracy %",
    )
    for row in jobs.head(ROWS).rows():
        where = [text.configuration(row)] if several else []
        latency = cell(ranged("", "latency", "", MS), row)
        sizes = [text.number(row[key] * MB) for key in (memory.PROCESS, memory.MODEL, memory.PEAK)]
        counts = [text.number(row[key] * MILLION) for key in ("params", "macs")]
        table.add_row(
            row["model"], *where, *counts, latency, text.number(row["p90"] * MS), *sizes, accuracy(row)
        )
    return table


def _alone(report: Report) -> str:
    """` on pi4, onnxruntime fp32, 4 threads` in a title, where a column of it would be all the same."""
    one = len(report.configurations) == 1
    return f" on {text.configuration(report.configurations[0])}" if one else ""


def accuracy(row: Mapping[Any, Any]) -> str:
    """Return `97.2 measured on the device (360 images, -0.3 to trained)`, or `91.2 published`."""
    figure = f"{text.number(row['accuracy'])} {row['accuracy_source']}".strip()
    if math.isnan(row["accuracy"]) and row["accuracy_source"]:
        return f"{text.MISSING} ({row['accuracy_source']})"
    if not row["accuracy_source"].startswith(MEASURED):
        return figure
    stated = row["accuracy_stated_source"]
    difference = row["accuracy_difference"]
    apart = f", {difference:+.2f} to {stated}" if stated and math.isfinite(difference) else ""
    return f"{figure} ({row['accuracy_images']:.0f} images{apart})"


def _ratios(report: Report) -> Table:
    """Return mean ratio of each quantity in each comparison; memory under its main definition."""
    several = len(report.configurations) > 1
    title = f"\nRatios{_alone(report)} (geometric mean, 95% interval over architectures)"
    table = _plain(title, "comparison", *(["ran on"] if several else []), "quantity", "ratio", "pairs")
    means = report.frames["means"]
    for row in means.rows():
        if row["definition"] not in ("", memory.PROCESS):
            continue
        label = next(c.label for c in pairs.COMPARISONS if c.key == row["comparison"])
        ratio = cell(ranged("", "value"), row)
        where = [f"{row['device']}, {row['how']}"] if several else []
        quantity = pairs.QUANTITIES[row["quantity"]]
        quantity += f" ({row['accuracy_from']})" if row["accuracy_from"] else ""
        table.add_row(label, *where, quantity, ratio, str(row["n"]))
    return table


def verdicts(report: Report) -> Table:
    """Return each claim beside what was measured."""
    table = _plain("\nClaims", "claim", "ran on", "claimed", "measured", "pairs", "verdict")
    for answer in report.answers:
        if answer.main:
            verdict = Text(answer.verdict, STYLE[answer.verdict])
            table.add_row(
                answer.claim.text,
                text.configuration(answer.configuration),
                f"{text.number(answer.claim.claimed)}×",
                text.ratio(answer.estimate),
                str(answer.estimate.n),
                verdict,
            )
    return table


def _beside(answer: claims.Answer) -> Iterator[str]:
    """Ranking by memory, the interval's price, other baselines, what decides nothing, and how to settle."""
    if answer.definitions:
        yield answer.definitions
    if answer.estimate.known:
        yield verdict_cards.spread(answer)
    for label, mean in answer.beside:
        yield f"{label}: {text.ratio(mean)}"
    yield from verdict_cards.left_out(answer)
    if answer.settle:
        yield f"to settle it: {answer.settle}"


def rounding(report: Report) -> list[str]:
    """Return how much rounding alone moves latency, one sentence per configuration that shows it."""
    means = report.frames["means"].rows()
    found = [row for row in means if row["comparison"] == "rounding" and row["quantity"] == "latency"]
    return [
        f"{row['device']}, {row['how']}: rounding uniform's widths to multiples of 8 alone takes "
        f"{cell(ranged('', 'value'), row)} times the latency ({counted(row['n'], 'pair')})"
        for row in found
    ]


def remarks(report: Report) -> list[str]:
    """Return what the tables do not show: rankings that flip, how to settle, what is left out, what is
    missing."""
    lines = []
    for answer in report.answers:
        if answer.main:
            of = f"{text.configuration(answer.configuration)}, {answer.claim.id}"
            lines += [f"{of}: {line}" for line in _beside(answer)]
    lines += rounding(report)
    lines += [
        f"not answered, no {claim.processor.upper()} in these records: {claim.text} "
        f"({text.number(claim.claimed)}× claimed)"
        for claim in report.unasked
    ]
    if report.answers:
        lines.append(claims.multiplicity(report.answers))
    left = Counter(excluded.code for excluded in report.study.excluded)
    lines += [f"left out: {count} ({code})" for code, count in sorted(left.items())]
    if report.study.replaced:
        lines.append(f"replaced by newer records: {len(report.study.replaced)}")
    lines += [f"disagrees: {conflict}" for conflict in report.study.conflicts[:5]]
    lines += report.apart[:5]
    return [*lines, *_missing(report.study.missing)]


def _missing(missing: Sequence[Missing]) -> Iterator[str]:
    """How many models and accuracies there are not, and what would make them, as far as anything can."""
    kinds = Counter(each.what.split()[0] for each in missing)  # of `accuracy in int8` the first
    counts = " and ".join(counted(kinds[what], what) for what in ("model", "accuracy") if kinds[what])
    commands = list(dict.fromkeys(each.command for each in missing if each.command))
    makes = f", made by: {'; '.join(commands[:3])}" if commands else ""
    if missing:
        yield f"missing: {counts}{makes}{'; ...' if len(commands) > 3 else ''}"
