"""The command line. Every module of `orchestrate.commands` registers its own commands.

Nothing heavy is imported before a command runs: `orchestrate --help` answers at once, without torch.
"""

import importlib
import pkgutil
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from orchestrate import commands
from orchestrate.errors import OrbitError


class Commands(TyperGroup):
    """Turns the project's errors into one line on stderr and their exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except OrbitError as error:
            typer.echo(f"orchestrate: {error}", err=True)
            raise typer.Exit(error.exit_code) from error
        except BrokenPipeError:
            sys.stderr.close()  # the reader (`| head`) has left: nothing to say, nobody to say it to
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


def build() -> typer.Typer:
    """The application with the commands of every module in `orchestrate.commands`."""
    app = typer.Typer(
        cls=Commands,
        help="Run CNN benchmarks on edge boards and compare what they measured.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: rich would double the time that --help takes
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(lambda: None)  # a group even while there is one command only
    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"{commands.__name__}.{module.name}").register(app)
    return app


def main() -> None:
    """Entry point of the console script `orchestrate`."""
    build()()


if __name__ == "__main__":
    main()
