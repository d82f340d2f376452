"""`orchestrate runs [rm]`: the runs in the results folder."""

import json
from pathlib import Path
from typing import Annotated

import typer

from orchestrate.commands import complete
from orchestrate.commands.run import Results

app = typer.Typer(invoke_without_command=True, help="List the runs; `rm` removes some.")


@app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    results: Results = Path("results"),
    as_json: Annotated[bool, typer.Option("--json", help="print JSON")] = False,
) -> None:
    """List the runs, oldest first; `rm` removes some."""
    if context.invoked_subcommand:
        return
    from orchestrate.console import make_console
    from orchestrate.runs import listing

    rows = listing.rows(results)
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
    elif rows:
        make_console().print(listing.table(rows))
    else:
        typer.echo(f"no runs in {results}/; `orchestrate run` makes one")


@app.command("rm")
def remove(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="RUN", help="id, the beginning of one, latest, or path", autocompletion=complete.runs
        ),
    ],
    results: Results = Path("results"),
    force: Annotated[
        bool, typer.Option("--force", help="also runs with records to come, which boards may still hold")
    ] = False,
) -> None:
    """Remove runs with all their records. One at work is never removed, an unfinished one with --force."""
    from orchestrate.console import say
    from orchestrate.runs import listing
    from orchestrate.runs.folder import Run

    for run in [Run.open(results, name) for name in names]:
        listing.remove(run, force)
        say(f"removed {run.path}")


def register(root: typer.Typer) -> None:
    """Add the command."""
    root.add_typer(app, name="runs")
