"""The report's tables: which columns, in which unit, from which data.

The page, CSV, Markdown and LaTeX share them.
"""

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from orchestrate.analysis import memory
from orchestrate.console import printable
from orchestrate.report import text

MB, MS, MILLION = 1e-6, 1e3, 1e-6
FORMULA = ("=", "+", "-", "@")  # what a spreadsheet computes, also behind blanks, tabs and line ends
PAPER_ROWS = 500  # of a Markdown or LaTeX table


class Column(NamedTuple):
    """`keys`: the data column, and those of its interval. `scale`: from base units to shown ones."""

    label: str
    keys: tuple[str, ...]
    unit: str = ""
    scale: float = 1.0
    numeric: bool = True
    whole: bool = False

    @property
    def heading(self) -> str:
        """Label with unit."""
        return f"{self.label} ({self.unit})" if self.unit else self.label


def names(*pairs: tuple[str, str]) -> tuple[Column, ...]:
    """Columns of text."""
    return tuple(Column(label, (key,), numeric=False) for label, key in pairs)


def plain(label: str, key: str, unit: str = "", scale: float = 1.0) -> Column:
    """A number without an interval."""
    return Column(label, (key,), unit, scale)


def count(label: str, key: str) -> Column:
    """A number of things."""
    return Column(label, (key,), whole=True)


def ranged(label: str, key: str, unit: str = "", scale: float = 1.0) -> Column:
    """A number with its 95% interval."""
    return Column(label, (key, f"{key}_low", f"{key}_high"), unit, scale)


@dataclass(frozen=True)
class Table:
    """One table: `dataset` names where its rows are in the page's data."""

    id: str
    title: str
    caption: str
    dataset: str
    columns: tuple[Column, ...]
    optional: bool = False  # not shown where it has no rows


RUNNING = names(("Device", "device"), ("Backend", "backend"), ("Precision", "precision"))
MODEL = (
    *names(("Architecture", "architecture"), ("Dataset", "dataset")),
    plain("Ratio", "ratio"),
    *names(("Of", "ratio_of")),
)

LOADED = (
    count("Processes", "processes"),
    count("Inferences", "samples"),
    *names(("Warnings", "warnings"), ("Job", "job"), ("Run", "run")),
)

PROFILED = (
    plain("Share", "share", "%", 100),
    plain("Time", "seconds", "ms", MS),
    plain("MACs", "macs", "million", MILLION),
    plain("Rate", "rate", "GMAC/s", 1e-9),
    plain("Bytes", "bytes", "kB", 1e-3),
    count("Runs", "calls"),
    *names(("Model", "model")),
    *RUNNING,
    count("Threads", "threads"),
)
TABLES = (
    Table(
        "models",
        "Every model measured",
        "Latency: median of one inference in each fresh process, arithmetic mean over processes with its 95% "
        "interval. Memory: own, after malloc_trim, whole process and what the model adds; peak: VmHWM.",
        "jobs",
        (
            *RUNNING,
            count("Threads", "threads"),
            *MODEL,
            *names(("Method", "method"), ("Model", "model"), ("Fit", "fit_quality")),
            count("Align", "align"),
            plain("Parameters", "params", "million", MILLION),
            plain("MACs", "macs", "million", MILLION),
            ranged("Latency p50", "latency", "ms", MS),
            plain("p90", "p90", "ms", MS),
            plain("p99", "p99", "ms", MS),
            plain("Load", "load", "ms", MS),
            plain("Load, cold file", "cold_load", "ms", MS),
            plain("First inference", "first", "ms", MS),
            ranged("Memory, process", memory.PROCESS, "MB", MB),
            ranged("Memory, model", memory.MODEL, "MB", MB),
            ranged("Memory, peak", memory.PEAK, "MB", MB),
            plain("Accuracy", "accuracy", "%"),
            *names(("Accuracy from", "accuracy_source")),
            count("Test images", "accuracy_images"),
            plain("Accuracy minus stated", "accuracy_difference", "points"),
            *names(("Stated by", "accuracy_stated_source")),
            count("Processes", "processes"),
            count("Samples", "samples"),
            *names(("Warnings", "warnings"), ("Job", "job"), ("Run", "run")),
        ),
    ),
    Table(
        "offline",
        "Offline: throughput",
        "Everything is there at once and the streams work side by side. Throughput: images of all streams in "
        "the time of the slowest, mean over fresh processes with its 95% interval. Never pooled with the "
        "latency of a single stream.",
        "offline",
        (
            *RUNNING,
            count("Threads of each stream", "threads"),
            count("Batch", "batch"),
            count("Streams", "streams"),
            *names(("Model", "model")),
            ranged("Throughput", "throughput", "images/s"),
            plain("Inference p50", "latency", "ms", MS),
            plain("Inference p99", "p99", "ms", MS),
            *LOADED,
        ),
        optional=True,
    ),
    Table(
        "paced",
        "Paced: one request at a time, at a fixed rate",
        "Latency: the inference itself, after an idle wait. Response: from when the request was due to its "
        "answer, waiting for the last one and waking up included. Missed: answered after the next was due.",
        "paced",
        (
            *RUNNING,
            count("Threads", "threads"),
            count("Batch", "batch"),
            plain("Rate", "rate", "1/s"),
            *names(("Model", "model")),
            ranged("Latency p50", "latency", "ms", MS),
            ranged("Response p50", "response", "ms", MS),
            plain("Response p99", "p99", "ms", MS),
            count("Deadlines missed", "misses"),
            plain("Of all", "missed", "%", 100),
            *LOADED,
        ),
        optional=True,
    ),
    Table(
        "pairs",
        "Every pair",
        "Each figure is the first method divided by the second, at the same architecture, dataset and "
        "ratio, on the same device in the same way. Latency: 95% interval over the processes of both "
        "(Student's t on logarithms, variance pooled). A stand-in fit enters no mean and no verdict.",
        "pairs",
        (
            *names(
                ("Comparison", "comparison"),
            ),
            *RUNNING,
            count("Threads", "threads"),
            *MODEL,
            count("Align", "align"),
            *names(("Fit", "fit_quality")),
            plain("Parameters", "params_ratio", "×"),
            plain("MACs", "macs_ratio", "×"),
            ranged("Latency", "latency_ratio", "×"),
            plain("Memory, process", f"{memory.PROCESS}_ratio", "×"),
            plain("Memory, model", f"{memory.MODEL}_ratio", "×"),
            plain("Accuracy", "accuracy_ratio", "×"),
            *names(("Accuracy from", "accuracy_from")),
            plain("Accuracy per MB", f"accuracy_per_mb:{memory.PROCESS}", "×"),
            plain("MB per parameter", f"mb_per_mparam:{memory.PROCESS}", "×"),
        ),
    ),
    Table(
        "claims",
        "Every verdict",
        "The ratio is a geometric mean, each architecture counting alike, with Student's 95% interval over "
        "architectures. A pair of networks counts once; stand-in fits are left out.",
        "claims",
        (
            *names(("Claim", "text"), ("Device", "device"), ("How it ran", "how"), ("Verdict", "verdict")),
            plain("Claimed", "claimed", "×"),
            ranged("Measured", "value", "×"),
            count("Pairs", "n"),
            count("Architectures", "architectures"),
            plain("Times as wide as over independent pairs", "widening"),
            count("Stand-ins left out", "stand_ins"),
            *names(
                ("Other baselines", "beside"),
                ("All verdicts together", "together"),
                ("Memory definitions", "ranking"),
                ("What would settle it", "settle"),
            ),
        ),
    ),
    Table(
        "definitions",
        "Under every memory definition",
        "The same ratio, read in each way that memory can be read. 'Ranking flips' where two of them are "
        "beyond 1 on opposite sides.",
        "means",
        (
            *names(
                ("Comparison", "comparison"),
                ("Device", "device"),
                ("How it ran", "how"),
                ("Quantity", "quantity"),
                ("Accuracy from", "accuracy_from"),
                ("Memory definition", "definition"),
            ),
            ranged("Ratio", "value", "×"),
            count("Pairs", "n"),
        ),
    ),
    Table(
        "slopes",
        "Memory: floor and price of a parameter",
        "Least squares over models: memory = floor + slope × parameters. Every model pays the floor, so "
        "memory per parameter of a small model measures mostly the floor.",
        "slopes",
        (
            *names(
                ("Device", "device"),
                ("How it ran", "how"),
                ("Method", "method"),
                ("Memory definition", "definition"),
            ),
            ranged("Slope", "slope", "byte per parameter"),
            ranged("Floor", "intercept", "MB", MB),
            plain("R²", "r2"),
            count("Models", "models"),
        ),
    ),
    Table(
        "predicted",
        "Predicted against measured",
        "Networks whose widths were chosen on the profile of this device and runtime: what it predicts, with "
        "its 95% interval, and what was measured. Error: predicted / measured - 1. None enters a ratio.",
        "predicted",
        (
            *names(("Architecture", "architecture"), ("Method", "method")),
            count("Align", "align"),
            ranged("Predicted latency", "predicted", "ms", MS),
            ranged("Measured", "latency", "ms", MS),
            plain("Error", "error", "%", 100),
            ranged("Predicted memory", "predicted_memory", "MB", MB),
            plain("Measured memory", "memory", "MB", MB),
            plain("Memory error", "memory_error", "%", 100),
            *names(("Profile", "profile"), ("Model", "model")),
            *RUNNING,
            count("Threads", "threads"),
        ),
        optional=True,
    ),
    Table(
        "layers",
        "Every layer's time",
        "By the library's own profiler, in a process that is not timed. Times are missing where their sum is "
        "more than 10 % off the latency measured without it: there shares alone say something. MACs: as "
        "executed, padding included; bytes: as far as the library says.",
        "layers",
        (*names(("Layer", "layer"), ("Operator", "operator")), *PROFILED),
        optional=True,
    ),
    Table(
        "operators",
        "Time by kind of operator",
        "The same, summed over all layers of one kind.",
        "operators",
        (*names(("Operator", "operator")), *PROFILED),
        optional=True,
    ),
    Table(
        "excluded",
        "Left out, and why",
        "Records that enter no table, no plot and no ratio above.",
        "excluded",
        names(("Device", "device"), ("Job", "job"), ("Code", "code"), ("Reason", "reason"), ("Run", "run")),
    ),
    Table(
        "missing",
        "Missing, and what would make it",
        "Nothing is filled in.",
        "missing",
        names(("Model", "model"), ("What", "what"), ("Why", "reason"), ("Command", "command")),
    ),
)


def one_line(value: Any) -> str:
    """Text of a record as a cell holds it: one line, no character that does more than be read."""
    return " ".join(printable(value).split("\n"))


def scaled(column: Column, key: str, row: Any) -> Any:
    """One value of a row in the column's unit; None where unknown."""
    value = row.get(key)
    if not column.numeric:
        return "" if value is None else one_line(value)
    return None if value is None or not math.isfinite(value) else value * column.scale


def cell(column: Column, row: Any) -> str:
    """One cell as people read it: `2.57 (2.51 to 2.64)`."""
    values = [scaled(column, key, row) for key in column.keys]
    return _figure(column, values) if column.numeric else str(values[0])


def _figure(column: Column, values: Sequence[float | None]) -> str:
    """A number in the unit shown, with the ends of its interval where both are known."""
    value, *ends = (None if each is None or not math.isfinite(each) else each for each in values)
    if column.whole and value is not None:
        return f"{value:,.0f}"
    if not ends or None in (value, *ends):
        return text.number(value)
    return f"{text.number(value)} ({text.number(ends[0])} to {text.number(ends[1])})"


def as_csv(table: Table, data: pd.DataFrame) -> str:
    """Full precision, one column a figure, intervals as `low` and `high`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    suffixes = ("", " low", " high")
    writer.writerow([c.heading + s for c in table.columns for s in suffixes[: len(c.keys)]])
    columns = [_csv_column(c, key, data) for c in table.columns for key in c.keys]
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def _csv_column(column: Column, key: str, data: pd.DataFrame) -> list[str]:
    """A column in its unit: text that no spreadsheet runs as a formula, numbers with 9 significant digits."""
    if not column.numeric:
        return [_safe(value) for value in _texts(key, data)]
    values = _numbers(column, key, data)
    texts = ("%.9g " * len(values) % tuple(values.tolist())).split()  # one call: a number costs a third
    return [text if known else "" for text, known in zip(texts, np.isfinite(values), strict=True)]


def _safe(value: str) -> str:
    return f"'{value}" if value.lstrip()[:1] in FORMULA and value[1:] else value


def _texts(key: str, data: pd.DataFrame) -> list[str]:
    """A column of text, each value on one line; the same values come again and again."""
    if key not in data:
        return [""] * len(data)
    values = list(data[key])
    lines = {value: "" if value is None else one_line(value) for value in set(values)}
    return [lines[value] for value in values]


def _numbers(column: Column, key: str, data: pd.DataFrame) -> NDArray[np.float64]:
    """A column of numbers in the unit shown; NaN where unknown."""
    values = np.asarray(data[key], dtype=float) if key in data else np.full(len(data), np.nan)
    shown: NDArray[np.float64] = values * column.scale
    return shown


def on_paper(table: Table, data: pd.DataFrame) -> list[tuple[str, ...]]:
    """The cells, as people read them, of the rows that a table for reading has; CSV has all."""
    rows = data.head(PAPER_ROWS)
    return list(zip(*(_cells(column, rows) for column in table.columns), strict=True))


def _cells(column: Column, rows: pd.DataFrame) -> list[str]:
    """As `cell`, of all rows."""
    if not column.numeric:
        return _texts(column.keys[0], rows)
    values = [_numbers(column, key, rows).tolist() for key in column.keys]
    return [_figure(column, each) for each in zip(*values, strict=True)]


def _escaped(table: Table, row: Iterable[str], escape: Callable[[str], str]) -> list[str]:
    """Cells with the text among them escaped; of a number only the dash where it is unknown."""
    pairs = zip(table.columns, row, strict=True)
    return [cell if column.numeric and cell != text.MISSING else escape(cell) for column, cell in pairs]


def caption(table: Table, data: pd.DataFrame) -> str:
    """The caption, which says where rows are left to the CSV."""
    left = (
        f" The first {PAPER_ROWS} of {len(data):,} rows; the CSV beside has all."
        if len(data) > PAPER_ROWS
        else ""
    )
    return table.caption + left


def as_markdown(table: Table, data: pd.DataFrame) -> str:
    """A pipe table below its title."""
    rule = ["---:" if column.numeric else "---" for column in table.columns]
    rows = [_escaped(table, row, text.markdown) for row in on_paper(table, data)]
    lines = [[column.heading for column in table.columns], rule, *rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {table.title}\n\n{caption(table, data)}\n\n{body}\n"


def as_latex(table: Table, data: pd.DataFrame) -> str:
    """A booktabs table; needs the packages booktabs and longtable."""
    layout = "".join("r" if column.numeric else "l" for column in table.columns)
    rows = [_escaped(table, row, text.latex) for row in on_paper(table, data)]
    lines = [" & ".join(line) + r" \\" for line in ([text.latex(c.heading) for c in table.columns], *rows)]
    return "\n".join(
        [
            f"% {table.title}: needs \\usepackage{{booktabs,longtable}}",
            f"\\begin{{longtable}}{{{layout}}}",
            f"\\caption{{{text.latex(table.title)}. {text.latex(caption(table, data))}}} \\\\",
            r"\toprule",
            lines[0],
            r"\midrule",
            r"\endhead",
            *lines[1:],
            r"\bottomrule",
            r"\end{longtable}",
            "",
        ]
    )
