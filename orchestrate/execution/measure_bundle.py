"""A bundle measured on one device against its reference network, process by process: what budgets need.

The workshop writes the bundle (`bench/export/tuning.py`) and reads the answer; the run is an ordinary one.
"""

import shutil
from pathlib import Path

from rich.console import Console

from bench.record.bundle import Bundle
from bench.record.types import Json, Record
from bench.work.signals import terminated_is_interrupted
from orchestrate.analysis import memory, setups, turns
from orchestrate.analysis.job_memory import ladders
from orchestrate.errors import OrbitError
from orchestrate.execution.follower import FollowPolicy
from orchestrate.execution.options import RunOptions
from orchestrate.execution.own_words import Sweep
from orchestrate.execution.run import begin, bundle_of, execute
from orchestrate.execution.settings import Settings
from orchestrate.execution.tune import fit_to_use


def measure(
    bundle: Path, device: str, sweep: Sweep, results: Path, manifest: Path | None, console: Console
) -> list[Json]:
    """Measure every model of `bundle` on `device`; a figure of each of its processes."""

    def make(options: RunOptions, out: Path, held: int) -> Bundle:
        shutil.copytree(bundle, out, dirs_exist_ok=True)
        return bundle_of(out)

    options = RunOptions(devices=[device], sweep=sweep, results=results, manifest=manifest)
    with terminated_is_interrupted():
        run = begin(options, console, make)
        problems = execute(run, Settings(manifest), console, FollowPolicy())
    if problems:
        raise OrbitError("; ".join(problems.values()))
    [folder] = run.devices.values()
    return [_figures(record) for record in folder.stored()]


def _figures(record: Record) -> Json:
    """levels: s of model and reference in each process; memory: bytes of memory.process, one a process.

    reference_seconds: of the reference undisturbed; p50: s of the model as the machine was.

    OrbitError where the record holds no figures that count.
    """
    model = record["job"]["model"]["id"]
    if not fit_to_use(record):
        why = record["error"]["message"] if record["error"] else "its turns do not count"
        raise OrbitError(f"{model} could not be measured: {why}")
    values = [memory.values(ladder) for ladder in ladders(record["memory"]["rungs"])]
    return {
        "model": model,
        "levels": turns.levels(record),
        "reference_seconds": turns.undisturbed(record),
        "p50": turns.p50(record),
        "memory": [value[memory.PROCESS] for value in values if memory.PROCESS in value],
        "environment": setups.environment(record),
        "emulated": record["environment"].get("emulated") or None,
    }
