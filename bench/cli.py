"""The command line `bench`. Every module of `bench.commands` registers its own commands.

Nothing heavy is imported before a command runs: `bench --help` and `bench scale` answer without torch.
"""

import importlib
import pkgutil
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from bench import commands
from bench.errors import InputError, JobError


class Commands(TyperGroup):
    """Turns the project's errors into lines on stderr and their exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        from bench.manifest import ManifestError

        try:
            return super().invoke(ctx)
        except (InputError, JobError) as error:
            typer.echo(f"bench: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except ManifestError as error:
            typer.echo(f"{error}", err=True)  # one line a mistake, each with its file
            raise typer.Exit(2) from None
        except BrokenPipeError:
            sys.stderr.close()  # the reader (`| head`) has left: nothing to say, nobody to say it to
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            raise typer.Exit(130) from None


def build() -> typer.Typer:
    """The application with the commands of every module in `bench.commands`."""
    app = typer.Typer(
        cls=Commands,
        help="Choose widths, search, train and export the networks that `orchestrate` measures.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(lambda: None)  # a group even while there is one command only
    for module in pkgutil.iter_modules(commands.__path__):
        importlib.import_module(f"{commands.__name__}.{module.name}").register(app)
    return app


def main() -> None:
    """Entry point of the console script `bench`."""
    build()()


if __name__ == "__main__":
    main()
