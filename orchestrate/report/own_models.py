"""The page's first section for models of one's own: a card each, in plain HTML."""

import math
from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

from orchestrate.analysis import memory
from orchestrate.console import printable
from orchestrate.quantities import counted
from orchestrate.report import sketches, text
from orchestrate.report.columns import MB, MILLION, MS, ranged
from orchestrate.report.data import Report, names, own_only
from orchestrate.report.table_text import cell
from orchestrate.report.verdict_cards import without_figures

Row = Mapping[Any, Any]
ABOUT = (
    '<p class="sub">p50: median of one inference in each fresh process, geometric mean over the processes '
    "with its 95% interval; memory of the whole process.</p>"
)
SHOWN = 24  # cards; the table below has every model


def title(report: Report) -> str:
    """Return `2 models on pi4`; '' for a page about scaling methods."""
    if not own_only(report.study):
        return ""
    jobs, left_out = report.study.counting(), report.study.excluded
    models = {job.model["id"] for job in jobs} or {each.job.partition("--")[0] for each in left_out}
    devices = {each.device for each in jobs} or {each.device for each in left_out}
    return f"{counted(len(models), 'model')} on {', '.join(sorted(devices))}"


def section(report: Report) -> str:
    """Return the cards, in the order of the table."""
    rows, called = report.frames["jobs"].rows(), names(report.study)
    cards = "".join(_card(row, called[row["model"]]) for row in rows[:SHOWN])
    cards += "".join(_left_out(report, called))
    more = f'<p class="note">The table below has all {len(rows)}.</p>' if len(rows) > SHOWN else ""
    return (
        '<section id="first" aria-labelledby="h-own"><h2 id="h-own">Measured</h2>'
        f'{without_figures(report) or ABOUT}<div class="cards">{cards}</div>{more}</section>'
    )


def _left_out(report: Report, called: Mapping[str, str]) -> Iterator[str]:
    """A card for each record that does not count, with the reason."""
    for each in report.study.excluded[:SHOWN]:
        model, _, how = each.job.partition("--")
        where = f"{each.device}, {how}" if how else each.device
        yield (
            f'<article class="card own fails"><p class="verdict">{escape(printable(each.code))}</p>'
            f"<h3>{escape(printable(called[model]))}</h3>"
            f'<p class="how">{escape(printable(where))}</p>'
            f"<p>{escape(printable(each.reason))}</p></article>"
        )


def _accuracy(row: Row) -> str:
    known, source = not math.isnan(row["accuracy"]), row["accuracy_source"]
    return f"{text.number(row['accuracy'])}% {source}" if known or not source else f"unknown; {source}"


def _card(row: Row, name: str) -> str:
    """Return one model in one way of running."""
    figures = {
        "Latency p50": cell(ranged("", "latency", "", MS), row) + " ms",
        "p99": f"{text.number(row['p99'] * MS)} ms",
        "Load": f"{text.number(row['load'] * MS)} ms",
        "Load, cold file": f"{text.number(row['cold_load'] * MS)} ms",
        "First inference": f"{text.number(row['first'] * MS)} ms",
        "First inference, cold file": f"{text.number(row['cold_first'] * MS)} ms",
        "Time to steady": f"{text.number(row['steady'] * MS)} ms",
        "Time to steady, cold file": f"{text.number(row['cold_steady'] * MS)} ms",
        "Memory": f"{text.number(row[memory.PROCESS] * MB)} MB",
        "of it the model": f"{text.number(row[memory.MODEL] * MB)} MB",
        "Peak": f"{text.number(row[memory.PEAK] * MB)} MB",
        "Parameters": f"{text.number(row['params'] * MILLION)} million",
        "MACs": f"{text.number(row['macs'] * MILLION)} million",
        "Accuracy": _accuracy(row),
        "Validity": "valid" + (f"; warnings: {row['warnings']}" if row["warnings"] else ""),
    }
    lines = "".join(
        f'<tr><th scope="row">{label}</th><td>{escape(printable(value))}</td></tr>'
        for label, value in figures.items()
        if not value.startswith(text.MISSING)
    )
    where = escape(printable(f"{row['device']}, {text.running(row)}"))
    return (
        f'<article class="card own"><h3>{escape(printable(name))}</h3>'
        f'<p class="how">{where}</p><table><tbody>{lines}</tbody></table>'
        f"{sketches.distribution(row['source'])}{sketches.ladder(row['source'])}</article>"
    )
