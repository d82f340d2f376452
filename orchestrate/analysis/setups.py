"""What decides a figure beside the names of a configuration: CPU, library, backend options, power, clocks.

A device's name is its owner's word. Another machine, an updated library or another power mode under the same
name makes other figures, so records of several setups get configurations of their own: no pair, mean or line
mixes them, and the report names them.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from operator import attrgetter
from typing import Any, TypeVar

from bench.record import backends
from bench.record.facts import OPTION, Facts, unlike, value_of
from bench.record.types import Json, Record
from orchestrate.analysis.configuration import Configuration, configuration
from orchestrate.analysis.job import MeasuredJob, flat
from orchestrate.analysis.turns import machine
from orchestrate.analysis.under_load import LoadedJob
from orchestrate.console import first_line

J = TypeVar("J", bound=MeasuredJob | LoadedJob)
NAMED = [name for name in Configuration.__annotations__ if name != "setup"]
LONGEST_FACT, LONGEST_NAME = 60, 300  # characters: facts are texts of strangers, and a name is in each row


def separated(jobs: Sequence[J]) -> tuple[list[J], list[str]]:
    """Return the jobs, each that shares a configuration's names with another setup named by its own.

    Also a line for every such configuration: these records are not compared with each other.
    """
    named, found, lines = attrgetter(*NAMED), list(jobs), []
    groups: dict[tuple[Any, ...], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    known: dict[tuple[int, str, str], str] = {}
    for place, job in enumerate(jobs):
        options = json.dumps(job.options, sort_keys=True) if job.options else ""
        key = id(job.environment), job.backend, options
        setup = known.get(key) or known.setdefault(key, json.dumps(facts(job), sort_keys=True))
        groups[named(job)][setup].append(place)
    for group in sorted(key for key, setups in groups.items() if len(setups) > 1):
        places = groups[group]
        names = _names([json.loads(setup) for setup in places])
        for name, at in zip(names, places.values(), strict=True):
            for place in at:
                found[place] = replace(jobs[place], setup=name)
        lines.append(_line(dict(zip(NAMED, group, strict=True)), names, places.values()))
    return found, lines


def facts(job: MeasuredJob | LoadedJob) -> Facts:
    """Return the setup of a job, fact -> value."""
    of = machine(job.backend, job.environment)
    return {"CPU": of["cpu"], job.backend: of["version"], **settings(job.options, job.environment)}


def settings(options: Mapping[str, Any], seen: Mapping[str, Any]) -> Facts:
    """Return what of a setup its owner sets: power mode, clocks and backend options."""
    board = seen.get("board") or {}
    pinned = board.get("clocks_pinned")
    power = {
        "power mode": board.get("power_mode"),
        "clocks pinned": ("yes" if pinned else "no") if isinstance(pinned, bool) else None,
        "governor": seen.get("governors"),
    }
    return {**dict(flat(power)), **of_options(options)}


def of_options(options: Mapping[str, Any]) -> Facts:
    """Return the options given to a backend, `option graph_level` -> value."""
    return dict(flat({OPTION + key: value for key, value in options.items()}))


def environment(record: Record) -> Json:
    """Return what a profile's latencies depend on beside the network."""
    job, seen = record["job"], record["environment"]
    named = {"backend": job["backend"], "precision": backends.arithmetic(job), "threads": job["threads"]}
    where = {"device": record["device"], **named, **machine(job["backend"], seen)}
    return {**where, "setup": settings(job.get("options") or {}, seen)}


def _names(setups: list[Facts]) -> list[str]:
    """What of each setup another one has not: `CPU Cortex-A72, onnxruntime 1.10.0`.

    Names that would be equal are numbered: facts may differ beyond the cut, or be called `unknown`.
    """
    keys, found = unlike(setups), dict[str, None]()
    for setup in setups:
        named = (
            f"{first_line(key, LONGEST_FACT)} {first_line(value_of(setup, key), LONGEST_FACT)}"
            for key in keys
        )
        name = first_line(", ".join(named), LONGEST_NAME)
        numbered = (name if number == 1 else f"{name} ({number})" for number in count(1))
        found[next(each for each in numbered if each not in found)] = None
    return list(found)


def _line(of: Mapping[str, object], names: Iterable[str], places: Iterable[Sequence[int]]) -> str:
    counts = "; ".join(f"{len(at)} with {name}" for name, at in zip(names, places, strict=True))
    return f"{configuration({**of, 'setup': ''})}: records of several setups, not compared: {counts}"
