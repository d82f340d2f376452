"""From a pruning record to alpha and beta: least squares of ln(width) on ln(parameters).

A record is a CSV: one row a pruning step, one column a searchable layer, surviving units; no header.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.record.files import BadFileError, read_bytes
from bench.scaling.counts import Count
from bench.scaling.errors import RecordError

MAX_BYTES = 10_000_000  # of a record: a search leaves some 50 rows
MOST_UNITS = 1_000_000  # of a layer
FEWEST_ROWS = 6  # with fewer, the search counts as failed and its first widths are scaled uniformly


@dataclass(frozen=True)
class Regression:
    """width_l = alpha_l * tau ** beta_l, from `rows` rows; `rmse` of ln(width). `uniform`: too few rows."""

    alpha: list[float]
    beta: list[float]
    rows: int
    rmse: float
    uniform: bool


def regress(rows: Sequence[Sequence[int]], count: Count) -> Regression:
    """Fit every layer's ln(width) on ln(count(row)) by ordinary least squares, with an intercept.

    Fewer than six rows, or rows that are all of one size, give alpha = first row and beta = 0: scale
    uniformly.
    """
    taus = [math.log(count(row)) for row in rows]
    mean = math.fsum(taus) / len(taus)
    spread = math.fsum((t - mean) ** 2 for t in taus)
    if len(rows) < FEWEST_ROWS or max(taus) - min(taus) < 1e-9:
        return Regression([float(w) for w in rows[0]], [0.0] * len(rows[0]), len(rows), 0.0, uniform=True)
    alpha, beta, squares = [], [], 0.0
    for layer in zip(*rows, strict=True):
        logs = [math.log(w) for w in layer]
        level = math.fsum(logs) / len(logs)
        slope = math.fsum((t - mean) * (y - level) for t, y in zip(taus, logs, strict=True)) / spread
        residuals = (y - level - slope * (t - mean) for t, y in zip(taus, logs, strict=True))
        squares += math.fsum(r * r for r in residuals)
        alpha.append(math.exp(level - slope * mean))
        beta.append(slope)
    rmse = math.sqrt(squares / (len(rows) * len(alpha)))
    return Regression(alpha, beta, len(rows), rmse, uniform=False)


def read_record(path: Path | str, layers: int) -> list[list[int]]:
    """Return the rows of a pruning record.

    RecordError names the file and line of the first thing wrong with it.
    """
    try:
        lines = read_bytes(str(path), MAX_BYTES, links=True).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise RecordError(f"{path}: not a text file") from None
    except BadFileError as error:
        raise RecordError(str(error)) from None
    try:
        rows = [
            _row(cells, layers, f"{path}:{number}")
            for number, cells in enumerate(csv.reader(lines), 1)
            if any(cell.strip() for cell in cells)
        ]
    except csv.Error as error:
        raise RecordError(f"{path}: not a CSV file: {error}") from None
    if not rows:
        raise RecordError(f"{path}: the record is empty; a search that pruned leaves one row a step")
    return rows


def _row(cells: list[str], layers: int, place: str) -> list[int]:
    if len(cells) != layers:
        raise RecordError(
            f"{place}: {len(cells)} columns, but the architecture has {layers} searchable layers"
        )
    row = []
    for column, cell in enumerate(cells, 1):
        try:
            value = int(cell[:20])
        except ValueError:
            raise RecordError(
                f"{place}: column {column} holds {cell.strip()[:60]!r}, not a whole number"
            ) from None
        if value < 1:
            raise RecordError(f"{place}: column {column} is {value}; a layer keeps at least one unit")
        if value > MOST_UNITS:
            raise RecordError(f"{place}: column {column} is above {MOST_UNITS}, more than any layer has")
        row.append(value)
    return row
