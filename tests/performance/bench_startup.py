"""What typing a command costs before it does anything, as a ratio to Python's own start."""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 15
TARGET = 12.0  # x the start of Python; typer itself is most of it


def seconds(*words: str) -> float:
    """Wall time of one interpreter."""
    start = time.perf_counter()
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, *words], env=env, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def startup() -> list[dict[str, Any]]:
    """`orchestrate --help` and `import typer` against `python -c pass`, interleaved; medians."""
    commands = {
        "pass": ("-c", "pass"),
        "typer": ("-c", "import typer"),
        "help": ("-m", "orchestrate.cli", "--help"),
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, words in commands.items():
            times[name].append(seconds(*words))
    median = {name: statistics.median(values) for name, values in times.items()}
    ratio = median["help"] / median["pass"]
    row = {"unit": "x", "better": "lower", "peer": f"python -c pass, {median['pass'] * 1e3:.0f} ms"}
    typer = {
        **row,
        "name": "startup.typer_alone",
        "value": median["typer"] / median["pass"],
        "target": "",
        "ok": None,
    }
    ours = {
        "name": "startup.orchestrate_help",
        "value": ratio,
        "target": f"<= {TARGET:g}",
        "ok": ratio <= TARGET,
    }
    return [{**row, **ours}, typer]


BENCHMARKS: list[Callable[[], list[dict[str, Any]]]] = [startup]
