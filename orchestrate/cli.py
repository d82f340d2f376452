"""The command line `orchestrate`. Every module of `orchestrate.commands` registers its own commands."""

import typer

from bench import cli_app
from orchestrate import commands
from orchestrate.errors import OrbitError

ABOUT = """Run CNN benchmarks on edge boards and compare what they measured.

A first run here, without a board: orchestrate run --device local --experiment demo. It leaves results/RUN;
`report`, `recommend` and `compare` read such folders, `run --resume RUN` finishes one that was interrupted.
For a board, describe it in manifests/devices.yaml; `devices check NAME` reports what it lacks.

Exit codes: 0 done, 1 a job or a board failed, 2 a mistake in what was given, 130 interrupted.
"""


def build() -> typer.Typer:
    """Return the application with the commands of every module in `orchestrate.commands`."""
    return cli_app.application("orchestrate", ABOUT, commands, OrbitError)


def main() -> None:
    """Entry point of the console script `orchestrate`."""
    build()()


if __name__ == "__main__":
    main()
