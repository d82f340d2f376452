"""`orchestrate report`: the page and its tables, from the records of one or several runs."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrate.commands import complete
from orchestrate.commands.run import Results

Runs = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN",
        help="ids, beginnings of ids, latest, or paths of run folders",
        autocompletion=complete.runs,
    ),
]


def report(
    runs: Runs,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="default: report/ in the last run's folder")
    ] = None,
    claims: Annotated[
        Path | None, typer.Option(metavar="FILE", help="claims of your own, as manifests/claims/thesis.yaml")
    ] = None,
    open_page: Annotated[bool, typer.Option("--open", help="show the page in a browser")] = False,
    watch: Annotated[
        bool, typer.Option(help="make the page again whenever records arrive, until interrupted")
    ] = False,
    results: Results = Path("results"),
) -> None:
    """Answer the claims from records: a page that needs no network, and tables as CSV, Markdown and LaTeX."""
    from orchestrate import report as reports
    from orchestrate.console import make_console, say
    from orchestrate.execution.predictions import landscapes
    from orchestrate.report import files, terminal
    from orchestrate.runs.folder import find_run

    folders = [find_run(run, results) for run in runs]
    built = reports.build(folders, claims, landscapes)
    page = files.write(built, out or files.own_folder(folders[-1]))
    terminal.show(built, make_console())
    say(page)
    if open_page:
        typer.launch(str(page))
    if watch:
        reports.watch(folders, page.parent, claims, say, landscapes)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)
