"""The page: template, styles, scripts, plotly.js and the data, in one file that needs no network."""

import gzip
import json
import re
from collections.abc import Mapping
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from orchestrate import quantities
from orchestrate.analysis import accuracy, memory, pairs, recommend
from orchestrate.analysis.frame import Column, Frame
from orchestrate.console import printable
from orchestrate.report import (
    absent,
    data,
    measured,
    own_models,
    profile,
    rounding,
    tables,
    text,
    verdict_cards,
)
from orchestrate.report.columns import Table
from orchestrate.report.data import Report

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = (
    "core.js",
    "figures.js",
    "tables.js",
    "plots.js",
    "ratios.js",
    "pair.js",
    "predicted.js",
    "landscape.js",
    "recommend.js",
    "main.js",
)
UNUSED = ("source", "processor", "record", "mean", "best", "file_bytes", "accuracy_reference",
          "accuracy_metric", "accuracy_of", "weights_recipe", "widths", "fit",
          *(f"{source}{name}" for source in ("", accuracy.OTHER) for name in accuracy.STATED))  # fmt: skip
SHOWN = (memory.PROCESS, memory.MODEL, memory.PEAK)


def html(parts: Mapping[str, str]) -> str:
    """Return the whole page as text, the same for the same records; parts: as `parts`, and the `details`."""
    texts = re.split(r"\{\{(\w+)\}\}", _asset("page.html"))  # text, name, text, name, ..., text
    return "".join(parts[piece] if index % 2 else piece for index, piece in enumerate(texts))


def parts(report: Report) -> dict[str, str]:
    """Return what is put into the page's template, by the names that it has there, but for the details."""
    devices = sorted({job.device for job in report.study.jobs})
    return {
        "title": escape(own_models.title(report) or data.title(report.study.runs, devices)),
        "style": _asset("style.css") + _asset("profile.css"),
        "state": _state(report),
        "banner": verdict_cards.banner(report) + absent.banner(report.absent),
        "lede": verdict_cards.lede(report),
        **_first_section(report),
        "profile": profile.section(report.study.jobs),
        "measured": measured.section(report),
        "data": embedded(_payload(report)),
        "plotly": _plotly(),
        "script": script(),
    }


def _state(report: Report) -> str:
    """Return the CSS classes of this kind of page, which hide sections that it has no use for."""
    study = report.study
    kinds = {
        "own": data.own_only(study),
        "one": len(study.jobs) == 1,
        "nothing": not study.jobs,
    }
    return " ".join(name for name, true in kinds.items() if true)


def _first_section(report: Report) -> dict[str, str]:
    """Return the heading and first section: models of one's own, or what the records show of the claims."""
    if data.own_only(report.study):
        title = escape(own_models.title(report))
        return {
            "question": title,
            "first": own_models.section(report),
            "first_link": "Models",
            "close": "model",
            "close_label": "Model",
        }
    first = _asset("verdicts.html").replace("{{verdicts}}", verdict_cards.verdicts(report))
    question = "Does the scaling method pay off on this hardware?"
    return {
        "question": question,
        "first": first,
        "first_link": "Verdicts",
        "close": "pair",
        "close_label": "Architecture and size",
    }


@cache
def _asset(name: str) -> str:
    """Return a file beside this module."""
    return (ASSETS / name).read_text(encoding="utf-8")


def script() -> str:
    """Return all scripts of the page, which share one scope."""
    return "\n".join(_asset(name) for name in SCRIPTS)


@cache
def _plotly() -> str:
    """plotly.js's basic bundle (a fifth of the whole), made safe inside a script element."""
    packed = (ASSETS / "plotly-basic.min.js.gz").read_bytes()
    return gzip.decompress(packed).decode().replace("</script", "<\\/script")


def _payload(report: Report) -> dict[str, Any]:
    """Return what the scripts draw from; base units everywhere."""
    frames = report.frames
    return {
        "name": "-".join(report.study.runs)[:80],
        "configurations": [{**c, "label": text.configuration(c)} for c in report.configurations],
        "definitions": {key: definition.label for key, definition in memory.DEFINITIONS.items()},
        "main": {"process": memory.PROCESS, "model": memory.MODEL, "peak": memory.PEAK},
        "comparisons": {c.key: c.label for c in pairs.COMPARISONS},
        "quantities": pairs.QUANTITIES, "of_memory": list(pairs.OF_MEMORY), "rungs": list(memory.ORDER),
        "frames": {key: _columns(frame) for key, frame in frames.items()},
        "tables": [_table(table) for table in tables.TABLES],
        "rank": recommend.ranks(frames["jobs"]), "front": _fronts(report),
        "names": {model: name for model, name in data.names(report.study).items() if name != model},
        **_widths(frames["jobs"]),
    }  # fmt: skip


def details(report: Report) -> str:
    """Return what plots of single jobs draw, as JSON: quantiles, ladders, courses over time."""
    found = data.details(report)
    course = {key: _numbers(np.array(rows, dtype=float)) for key, rows in found["course"].items()}
    tables = {key: _numbers(np.array(found[key], dtype=float)) for key in ("quantiles", "steps")}
    return embedded({**tables, "course": course, "course_of": found["course_of"]})


def _fronts(report: Report) -> list[int]:
    """For each job the definitions of memory (bits, in their order) under which no other job beats it."""
    jobs, found = report.frames["jobs"], [0] * len(report.frames["jobs"])
    for at in jobs.places(["config"]).values() if len(jobs) else ():
        for place, bits in zip(at, recommend.fronts(jobs.take(at), list(memory.DEFINITIONS)), strict=True):
            found[place] = bits
    return found


def _columns(frame: Frame) -> dict[str, Any]:
    """Return the frame by column: numbers with 6 significant digits, unknown ones null.

    Repeated text once.
    """
    return {name: _column(frame[name]) for name in frame.names if _wanted(name)}


def _wanted(name: str) -> bool:
    """Not what the scripts can compute, nor intervals of definitions that no table shows."""
    definition = name.partition(":")[2]
    if definition and definition != memory.PROCESS:
        return False
    figure = name.removesuffix("_low").removesuffix("_high")
    return name not in UNUSED and (figure == name or figure not in memory.DEFINITIONS or figure in SHOWN)


class Raw(str):
    """JSON as the page has it: numbers are written once, not turned into objects and back."""


def _column(values: Column) -> Any:
    """Text as {"text": distinct values, "at": which one}, numbers as a list."""
    if values.dtype != object:
        return _numbers(values) if values.dtype.kind == "f" else values.tolist()
    shown = values.tolist()
    places = {value: place for place, value in enumerate(dict.fromkeys(shown))}
    at = list(map(places.__getitem__, shown))
    return {"text": [printable("" if value is None else value) for value in places], "at": at}


def _numbers(values: NDArray[np.float64]) -> Raw:
    """Return a list of numbers, or of rows of numbers, with 6 significant digits.

    Null for what is not known.
    """
    return Raw(rounding.as_json(values, quantities.KEPT))


def _table(table: Table) -> dict[str, Any]:
    described = [{**c._asdict(), "keys": list(c.keys)} for c in table.columns]
    return {
        "id": table.id,
        "title": table.title,
        "caption": table.caption,
        "dataset": table.dataset,
        "optional": table.optional,
        "columns": described,
    }


def _widths(jobs: Frame) -> dict[str, Any]:
    """The widths of networks, and which of them those of each job are: one id may be two networks."""
    found = jobs["widths"].tolist()
    places = {widths: place for place, widths in enumerate(dict.fromkeys(found))}
    return {"widths": list(map(list, places)), "widths_of": list(map(places.__getitem__, found))}


def embedded(value: Any) -> str:
    """Return JSON that cannot end the script element around it."""
    return _json(value).replace("<", "\\u003c")


def _json(value: Any) -> str:
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(str(key))}:{_json(inner)}" for key, inner in value.items()) + "}"
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
