"""The report: one self-contained page and its tables, from the records of one or several runs.

`render(run_dirs, out)` writes `out/index.html` (opens with no network) and `out/tables/*.csv|md|tex`. The
same records give the same bytes. Nothing heavy is imported before it is needed.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrate.analysis import collector
from orchestrate.quantities import counted

if TYPE_CHECKING:
    from orchestrate.report.data import Ask, Report


@collector.paused()
def build(run_dirs: list[Path], claims: Path | None = None, ask: "Ask | None" = None) -> "Report":
    """Return all that page, tables and terminal show of `run_dirs`. BadInput where there is no record.

    ask: what answers questions about the cost landscape of a layer; without it there is none.
    """
    from orchestrate.analysis import records

    with records.begun(run_dirs) as found:  # of many records, read while the rest is imported
        from orchestrate.analysis import claim_file
        from orchestrate.report import absent, data

        stated = claim_file.load(claims) if claims else claim_file.load()
        study = found()
    return data.build(study, stated, absent.absent(run_dirs), ask)


def render(run_dirs: list[Path], out: Path, claims: Path | None = None, ask: "Ask | None" = None) -> Path:
    """Write the report on `run_dirs` into the folder `out`; the path of its page."""
    from orchestrate.report import files

    return files.write(build(run_dirs, claims, ask), out)


def watch(
    run_dirs: list[Path],
    out: Path,
    claims: Path | None,
    say: Callable[[str], object],
    ask: "Ask | None" = None,
    pause: float = 2.0,
) -> None:
    """Make the report again whenever records were added or changed, until interrupted; `say` reports it."""
    seen = _state(run_dirs)
    while True:
        time.sleep(pause)
        now = _state(run_dirs)
        if now != seen:
            seen = now
            say(f"{counted(len(now), 'record')}: {render(run_dirs, out, claims, ask)}")


def _state(run_dirs: list[Path]) -> dict[Path, tuple[int, int]]:
    """Return what is there now: record file -> time of change and size."""
    files = [path for folder in run_dirs for path in folder.glob("*/records/*.json")]
    return {path: (stat.st_mtime_ns, stat.st_size) for path in files for stat in [path.stat()]}
