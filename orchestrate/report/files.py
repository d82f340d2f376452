"""What a report leaves on disk: the page, and every table for spreadsheets and papers."""

from pathlib import Path

from bench.record.files import write_bytes
from orchestrate.analysis import collector, forking
from orchestrate.report import page, table_text, tables
from orchestrate.report.data import Report
from orchestrate.runs import confined

WRITERS = {"csv": table_text.as_csv, "md": table_text.as_markdown, "tex": table_text.as_latex}


@collector.paused()
def write(report: Report, out: Path) -> Path:
    """Write everything into `out`; the path of the page, which is written last."""
    folder = out / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    confined.Folder(out).make("tables")  # a run may be a stranger's: his link is not written through
    with forking.beside(lambda: _tables_and_details(report, folder)) as details:
        parts = page.parts(report)
    text = page.html({**parts, "details": details()})
    target = out / "index.html"
    put(target, text)
    return target


def _tables_and_details(report: Report, folder: Path) -> str:
    """Write the tables; the page's details, about as much work as the page lacks then."""
    _write_tables(report, folder)
    return page.details(report)


def _write_tables(report: Report, folder: Path) -> None:
    for table in tables.TABLES:
        if table.optional and not len(report.frames[table.dataset]):
            continue
        for ending, writer in WRITERS.items():
            put(folder / f"{table.id}.{ending}", writer(table, report.frames[table.dataset]))


def own_folder(run: Path) -> Path:
    """Return a run's own report folder, made if need be; UnsafeFile where a link has its name."""
    inner = confined.Folder(run)
    inner.make("report")
    return inner.path("report")


def put(path: Path, content: str) -> None:
    """Write `path` as UTF-8, whole or not at all."""
    write_bytes(str(path), content.encode(errors="replace"))
