"""How long a report takes, and how heavy its page is, for 100, 1,000 and 10,000 records."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests import synthetic
from tests.performance.rows import Row, figure
from tests.synthetic import Study

# 4 architectures x 2 methods x ratios x devices x precisions x threads
SMALL = Study(ratios=(0.25, 0.5, 1.0), threads=(1, 2), precisions=("fp32", "int8"))
SIZES = {
    100: replace(SMALL, run="100"),
    1_000: replace(SMALL, run="1000", ratios=tuple(n / 31 for n in range(1, 32))),
    10_000: replace(
        SMALL,
        run="10000",
        ratios=tuple(n / 31 for n in range(1, 32)),
        devices=tuple(f"bench-{n}" for n in range(10)),
    ),
}
SECONDS = {100: 1, 1_000: 1.5, 10_000: 5}  # on two cores
RENDER = """
import resource, sys
from pathlib import Path
from orchestrate.report import render
render([Path(sys.argv[1])], Path(sys.argv[2]))
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
# Not ru_maxrss, which a process inherits from the one that started it.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
busy = sum(each.ru_utime + each.ru_stime for each in used)
# Pages of a reader that it shares with its parent count here too.
print(int(peak.split()[1]) * 1024 / 1e6, used[1].ru_maxrss * 1024 / 1e6, busy)
"""


def read_alone(run: Path) -> float:
    """CPU seconds that the json module needs for the same files: what no report can do without."""
    start = time.process_time()
    for path in sorted(run.glob("*/records/*.json")):
        json.loads(path.read_bytes())
    return time.process_time() - start


def report() -> list[Row]:
    """Seconds, peak memory and page size, each size in a fresh process."""
    folder = Path(tempfile.mkdtemp(prefix="orbitbench-bench-"))
    try:
        _render(synthetic.write(Study(run="first"), folder), folder / "first")  # compiles what it imports
        return [row for count, study in SIZES.items() for row in _one(count, study, folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _render(run: Path, out: Path) -> list[float]:
    """MB of the process and of one that reads records, and CPU seconds.

    Python may keep bytecode, as it does for users: modules are not compiled each time.
    """
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    words = [sys.executable, "-c", RENDER, str(run), str(out)]
    done = subprocess.run(words, env=env, capture_output=True, text=True, check=True)
    return [float(each) for each in done.stdout.split()]


def _one(count: int, study: Study, folder: Path) -> list[Row]:
    run, out = synthetic.write(study, folder), folder / f"out-{count}"
    records = len(list(run.glob("*/records/*.json")))
    peer = min(read_alone(run) for _ in range(2))
    start = time.perf_counter()
    peak, reader, busy = _render(run, out)
    seconds = time.perf_counter() - start
    page = (out / "index.html").stat().st_size / 1e6
    name = f"report of {records:,} records"
    many = records >= 500  # below, starting Python, numpy and scipy is most of it
    return [
        row(name, seconds, "s", None, SECONDS[count]),
        row(f"{name}: CPU time, json alone = 1", busy / peer, "x", 1.0, 40 if many else None),
        row(f"{name}: peak memory", peak, "MB", None, 250),
        row(f"{name}: peak memory of a process that reads records", reader, "MB", None, None),
        row(f"{name}: page", page, "MB", "1.2 MB of it plotly.js", 25),
    ]


def row(name: str, value: float, unit: str, peer: Any, most: float | None) -> Row:
    """One row of the table of benchmarks; `most` is the target, if there is one."""
    target = "" if most is None else f"at most {most:g} {unit}"
    ok = None if most is None else value <= most
    return figure(name, value, unit, target, ok, peer)


BENCHMARKS = [report]
