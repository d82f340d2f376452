"""`make bench`: run the benchmarks, print one table, write build/bench.json (name -> figures and targets)."""

import argparse
import importlib
import json
import re
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.performance.rows import Row

HERE = Path(__file__).parent


def benchmarks(pattern: str | None) -> Iterator[tuple[str, Callable[[], list[Row]]]]:
    """Every benchmark function of tests/performance/bench_*.py whose `module.function` matches `pattern`."""
    for path in sorted(HERE.glob("bench_*.py")):
        module = importlib.import_module(f"tests.performance.{path.stem}")
        for function in module.BENCHMARKS:
            name = f"{path.stem.removeprefix('bench_')}.{function.__name__}"
            if pattern is None or re.search(pattern, name):
                yield name, function


def run(name: str, function: Callable[[], list[Row]]) -> list[Row]:
    """The rows of one benchmark; a crash is a row that is not ok, so that it cannot lose the others."""
    try:
        return function()
    except Exception as error:
        traceback.print_exc()
        missing = {"value": None, "unit": "", "peer": None, "target": "runs", "better": "lower", "ok": False}
        return [{"name": name, **missing, "error": f"{type(error).__name__}: {error}"}]


def main() -> int:
    """Run, print, store; exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help="regular expression on module.function")
    wanted = list(benchmarks(parser.parse_args().only))
    console, rows = Console(), []
    for name, function in wanted:
        start = time.monotonic()
        rows += run(name, function)
        console.print(f"[dim]{name}: {time.monotonic() - start:.1f} s[/dim]")
    table = Table("figure", "value", "unit", "peer", "target", "ok")
    for row in rows:
        value = f"{row['value']:.4g}" if isinstance(row["value"], (int, float)) else "-"
        peer = f"{row['peer']:.4g}" if isinstance(row["peer"], (int, float)) else str(row["peer"] or "-")
        verdict = {True: "yes", False: "[red]no[/red]", None: "-"}[row["ok"]]
        table.add_row(row["name"], value, row["unit"], peer, row["target"], verdict)
    console.print(table)
    path = HERE.parent.parent / "build" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({row.pop("name"): row for row in rows}, indent=1) + "\n")
    console.print(f"written to {path}")
    return 1 if any(row["ok"] is False for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
