"""The command line `bench`. Every module of `bench.commands` registers its own commands."""

import typer

from bench import cli_app, commands
from bench.errors import InputError, JobError

ABOUT = """Choose widths, search, train and export the networks that `orchestrate` measures.

`orchestrate run` exports by itself; `scale` shows what a method does, `search` or `fit` makes the fit that
neuralscale scales by, `train` and `sweep` give models an accuracy.

Exit codes: 0 done, 1 work failed, 2 a mistake in what was given, 130 interrupted.
"""


def build() -> typer.Typer:
    """Return the application with the commands of every module in `bench.commands`."""
    return cli_app.application("bench", ABOUT, commands, InputError, JobError)


def main() -> None:
    """Entry point of the console script `bench`."""
    build()()


if __name__ == "__main__":
    main()
