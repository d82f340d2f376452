"""The command line `orchestrate`. Every module of `orchestrate.commands` registers its own commands."""

import typer

from bench import frame
from orchestrate import commands
from orchestrate.errors import OrbitError

ABOUT = "Run CNN benchmarks on edge boards and compare what they measured."


def build() -> typer.Typer:
    """The application with the commands of every module in `orchestrate.commands`."""
    return frame.application("orchestrate", ABOUT, commands, OrbitError)


def main() -> None:
    """Entry point of the console script `orchestrate`."""
    build()()


if __name__ == "__main__":
    main()
