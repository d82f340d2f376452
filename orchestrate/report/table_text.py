"""A table as text: its cells as people read them, and the whole as CSV, Markdown and LaTeX."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.record.printable import one_line
from orchestrate.analysis.frame import Frame
from orchestrate.report import rounding, text
from orchestrate.report.columns import Column, Table

FORMULA = ("=", "+", "-", "@")  # what a spreadsheet computes, also behind blanks, tabs and line ends
PAPER_ROWS = 500  # of a Markdown or LaTeX table
LOOK = 200  # rows of a column that show whether its values come again: parameters do, times do not


def scaled(column: Column, key: str, row: Any) -> Any:
    """Return one value of a row in the column's unit; None where unknown."""
    value = row.get(key)
    if not column.numeric:
        return "" if value is None else one_line(value)
    return None if value is None or not math.isfinite(value) else value * column.scale


def cell(column: Column, row: Any) -> str:
    """Return one cell as people read it: `2.57 (2.51 to 2.64)`."""
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


def as_csv(table: Table, data: Frame) -> str:
    """Return CSV in full precision, one column a figure, intervals as `low` and `high`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    suffixes = ("", " low", " high")
    writer.writerow([c.heading + s for c in table.columns for s in suffixes[: len(c.keys)]])
    columns = [_csv_column(c, key, data) for c in table.columns for key in c.keys]
    writer.writerows(zip(*columns, strict=True))
    return out.getvalue()


def _csv_column(column: Column, key: str, data: Frame) -> list[str]:
    """A column in its unit: text that no spreadsheet runs as a formula, numbers with 9 significant digits."""
    if not column.numeric:
        return _texts(key, data, _safe)
    return written(_numbers(column, key, data))


def written(values: NDArray[np.float64]) -> list[str]:
    """Return each number with 9 significant digits, '' where it is not known; repeated ones are made once."""
    if len(values) > LOOK and 2 * len(np.unique(values[:LOOK])) < LOOK:
        distinct, places = np.unique(values, return_inverse=True)
        return list(map(_each(distinct).__getitem__, places.tolist()))
    return _each(values)


def _each(values: NDArray[np.float64]) -> list[str]:
    texts = rounding.as_json(values, 9)[1:-1].replace("null", "")
    return texts.split(",") if len(values) else []


def _safe(value: str) -> str:
    return f"'{value}" if value.lstrip()[:1] in FORMULA and value[1:] else value


def _texts(key: str, data: Frame, finish: Callable[[str], str] = str) -> list[str]:
    """A column of text, each value on one line; the same values come again and again."""
    if key not in data:
        return [""] * len(data)
    values = data[key].tolist()
    lines = {value: "" if value is None else finish(one_line(value)) for value in set(values)}
    return list(map(lines.__getitem__, values))


def _numbers(column: Column, key: str, data: Frame) -> NDArray[np.float64]:
    """A column of numbers in the unit shown; NaN where unknown."""
    values = np.asarray(data[key], dtype=float) if key in data else np.full(len(data), np.nan)
    shown: NDArray[np.float64] = values * column.scale
    return shown


@lru_cache(maxsize=1)  # Markdown and LaTeX of a table are written one after the other
def on_paper(table: Table, data: Frame) -> list[tuple[str, ...]]:
    """Return the cells, as people read them, of the rows that a table for reading has; CSV has all."""
    rows = data.head(PAPER_ROWS)
    return list(zip(*(_cells(column, rows) for column in table.columns), strict=True))


def _cells(column: Column, rows: Frame) -> list[str]:
    """As `cell`, of all rows."""
    if not column.numeric:
        return _texts(column.keys[0], rows)
    values = [_numbers(column, key, rows).tolist() for key in column.keys]
    return [_figure(column, each) for each in zip(*values, strict=True)]


def _escaped(table: Table, row: Iterable[str], escape: Callable[[str], str]) -> list[str]:
    """Cells with the text among them escaped; of a number only the dash where it is unknown."""
    pairs = zip(table.columns, row, strict=True)
    return [cell if column.numeric and cell != text.MISSING else escape(cell) for column, cell in pairs]


def caption(table: Table, data: Frame) -> str:
    """Return the caption, which states where rows are left to the CSV."""
    left = (
        f" The first {PAPER_ROWS} of {len(data):,} rows; the CSV beside has all."
        if len(data) > PAPER_ROWS
        else ""
    )
    return table.caption + left


def as_markdown(table: Table, data: Frame) -> str:
    """Return a pipe table below its title."""
    rule = ["---:" if column.numeric else "---" for column in table.columns]
    escape = cache(text.markdown)
    rows = [_escaped(table, row, escape) for row in on_paper(table, data)]
    lines = [[column.heading for column in table.columns], rule, *rows]
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"## {table.title}\n\n{caption(table, data)}\n\n{body}\n"


def as_latex(table: Table, data: Frame) -> str:
    """Return a booktabs table; needs the packages booktabs and longtable."""
    layout = "".join("r" if column.numeric else "l" for column in table.columns)
    escape = cache(text.latex)
    rows = [_escaped(table, row, escape) for row in on_paper(table, data)]
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
