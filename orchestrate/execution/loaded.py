"""The outcome of jobs under load, for people and for scripts: a table for each load shape."""

from collections.abc import Callable
from math import isfinite
from typing import Any

from rich.table import Table

from bench.record import backends, loads
from bench.record.types import Job, Json, Record
from orchestrate.quantities import number

COLUMNS = {
    loads.OFFLINE: {
        "streams": ("streams", 1.0), "images/s": ("throughput", 1.0), "p50 ms": ("latency", 1e3),
        "p99 ms": ("p99", 1e3),
    },
    loads.PACED: {
        "1/s": ("rate", 1.0), "latency ms": ("latency", 1e3), "response ms": ("response", 1e3),
        "response p99 ms": ("p99", 1e3), "missed": ("misses", 1.0), "missed %": ("missed", 100.0),
    },
}  # fmt: skip


def _computed(record: Record) -> Any:
    """Return the record's job under load; None where its samples give no figure."""
    from orchestrate.analysis import under_load

    try:
        return under_load.build(record)
    except ValueError:
        return None


def figures(record: Record) -> Json | None:
    """Return the figures of a record as `--json` prints them: base units, null where unknown."""
    from orchestrate.analysis import under_load

    found = _computed(record)
    return under_load.headlines(found) if found else None


def how(job: Job) -> str:
    """Return `onnxruntime fp32 t1`, or `onnxruntime fp32 t4, batch 8`."""
    batch = f", batch {job['batch']}" if job["batch"] != 1 else ""
    return f"{job['backend']} {backends.arithmetic(job)} t{job['threads']}{batch}"


def table(shape: str, records: list[Record], remark: Callable[[Record], str] | None) -> Table:
    """Return one row a record of this load shape; `remark`: what is worth noting about each."""
    made = Table(title=shape, title_justify="left", box=None, pad_edge=False)
    for name in ("device", "model", "how"):
        made.add_column(name, overflow="fold")
    for name in COLUMNS[shape]:
        made.add_column(name, justify="right", no_wrap=True)
    if remark:
        made.add_column("note", overflow="fold")
    for record in records:
        job, found = record["job"], _computed(record)
        cells = [_cell(found.figures[key] * scale) if found else "" for key, scale in COLUMNS[shape].values()]
        made.add_row(
            record["device"], job["model"]["id"], how(job), *cells, *([remark(record)] if remark else [])
        )
    return made


def _cell(value: float) -> str:
    if not isfinite(value):
        return ""
    return f"{value:,.0f}" if value == int(value) else number(value)
