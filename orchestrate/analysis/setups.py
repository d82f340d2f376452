"""What decides a figure beside the names of a configuration: CPU, library, backend options, power, clocks.

A device's name is its owner's word. Another machine, an updated library or another power mode under the same
name makes other figures, so records of several setups get configurations of their own: no pair, mean or line
mixes them, and the report names them.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from operator import attrgetter
from typing import Any, TypeVar

from orchestrate.analysis.configuration import Configuration, configuration
from orchestrate.analysis.job import MeasuredJob, flat
from orchestrate.analysis.turns import machine
from orchestrate.analysis.under_load import LoadedJob

J = TypeVar("J", bound=MeasuredJob | LoadedJob)
Facts = Mapping[str, str]
NAMED = [name for name in Configuration.__annotations__ if name != "setup"]
OPTION = "option "


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
    seen = job.environment
    of = machine(job.backend, seen)
    board = seen.get("board") or {}
    pinned = board.get("clocks_pinned")
    power = {
        "power mode": board.get("power_mode"),
        "clocks pinned": ("yes" if pinned else "no") if isinstance(pinned, bool) else None,
        "governor": seen.get("governors"),
    }
    options = {OPTION + key: value for key, value in job.options.items()}
    return {"CPU": of["cpu"], job.backend: of["version"], **dict(flat({**power, **options}))}


def _names(setups: Sequence[Facts]) -> list[str]:
    """What of each setup another one has not: `CPU Cortex-A72, onnxruntime 1.10.0`."""
    keys = dict.fromkeys(key for setup in setups for key in setup)
    unlike = [key for key in keys if len({setup.get(key) for setup in setups}) > 1]
    return [", ".join(f"{key} {setup.get(key) or _absent(key)}" for key in unlike) for setup in setups]


def _absent(key: str) -> str:
    return "default" if key.startswith(OPTION) else "unknown"


def _line(of: Mapping[str, object], names: Iterable[str], places: Iterable[Sequence[int]]) -> str:
    counts = "; ".join(f"{len(at)} with {name}" for name, at in zip(names, places, strict=True))
    return f"{configuration({**of, 'setup': ''})}: records of several setups, not compared: {counts}"
