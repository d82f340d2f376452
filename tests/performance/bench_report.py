"""How long a report takes, and how heavy its page is, for 100, 1,000 and 10,000 records."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests import synthetic
from tests.synthetic import Study

Row = dict[str, Any]
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
RENDER = """
import resource, sys
from pathlib import Path
from orchestrate.report import render
render([Path(sys.argv[1])], Path(sys.argv[2]))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6)
"""


def read_alone(run: Path) -> float:
    """Seconds that the json module needs for the same files: what no report can do without."""
    start = time.perf_counter()
    for path in sorted(run.glob("*/records/*.json")):
        json.loads(path.read_bytes())
    return time.perf_counter() - start


def report() -> list[Row]:
    """Seconds, peak memory and page size, each size in a fresh process."""
    folder = Path(tempfile.mkdtemp(prefix="orbitbench-bench-"))
    try:
        return [row for count, study in SIZES.items() for row in _one(count, study, folder)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _one(count: int, study: Study, folder: Path) -> list[Row]:
    run, out = synthetic.write(study, folder), folder / f"out-{count}"
    records = len(list(run.glob("*/records/*.json")))
    peer = min(read_alone(run) for _ in range(2))
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", RENDER, str(run), str(out)], capture_output=True, text=True, check=True
    )
    seconds, peak = time.perf_counter() - start, float(done.stdout)
    page = (out / "index.html").stat().st_size / 1e6
    name = f"report of {records:,} records"
    return [
        {
            "name": name,
            "value": seconds,
            "unit": "s",
            "peer": f"{peer:.2f} s for json alone",
            "target": "60 s for 10,000",
            "better": "lower",
            "ok": seconds <= max(10, 60 * records / 10_000),
        },
        {
            "name": f"{name}: times json alone",
            "value": seconds / peer,
            "unit": "x",
            "peer": 1.0,
            "target": "25 from 1,000 on",
            "better": "lower",
            "ok": None if records < 500 else seconds / peer <= 25,
        },
        {
            "name": f"{name}: peak memory",
            "value": peak,
            "unit": "MB",
            "peer": None,
            "target": "1,000",
            "better": "lower",
            "ok": peak <= 1000,
        },
        {
            "name": f"{name}: page",
            "value": page,
            "unit": "MB",
            "peer": "4.8 MB of it plotly.js",
            "target": "25",
            "better": "lower",
            "ok": page <= 25,
        },
    ]


BENCHMARKS = [report]
