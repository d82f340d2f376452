"""What both command lines are made of: a module of `commands` each, errors as lines with their exit codes.

It imports no library but typer, and nothing heavy before a command runs: `--help` answers at once.
"""

import dataclasses
import errno
import gc
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Annotated, Any, TypeVar, get_type_hints

import typer
from typer.core import TyperGroup

from bench.record.printable import printable
from bench.work.left_readers import discard_unread

T = TypeVar("T")


def application(program: str, about: str, commands: ModuleType, *errors: type[Exception]) -> typer.Typer:
    """Return the application with what the modules in `commands` register.

    A module without `register` adds to another's group, or has no command. `errors` carry their `exit_code`.
    """
    gc.set_threshold(5_000)  # modules are no garbage: with 700, a sixth of importing torch goes into looking
    app = typer.Typer(
        cls=_group(program, errors),
        help=about,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # plain help: rich would double the time that --help takes
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_callback(program))  # a group even while there is one command only
    for found in pkgutil.iter_modules(commands.__path__):
        module = importlib.import_module(f"{commands.__name__}.{found.name}")
        if hasattr(module, "register"):
            module.register(app)
    return app


def options_of(
    kind: type[T], declared: Mapping[str, object] | None = None
) -> Callable[[Callable[[T], None]], Callable[..., None]]:
    """Make a command that takes a dataclass: its fields are the options, with their types and defaults.

    A field is `name: Annotated[type, typer.Option(...)]`; the order is that of `--help`. declared: field ->
    typer.Option(...), one for each, in the order of `--help`, for a class that must not know typer.
    """
    hints = get_type_hints(kind, include_extras=True)
    known = {each.name: each for each in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if declared is not None and set(declared) != set(known):
        raise TypeError(f"{kind.__name__}: options that do not match {set(declared) ^ set(known)}")
    types: dict[str, object] = {name: hints[name] for name in known}
    if declared is not None:
        types = {name: Annotated[hints[name], option] for name, option in declared.items()}

    def decorate(command: Callable[[T], None]) -> Callable[..., None]:
        def called(**given: Any) -> None:
            command(kind(**given))

        called.__name__, called.__doc__, called.__annotations__ = command.__name__, command.__doc__, types
        called.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
            [
                inspect.Parameter(
                    name, inspect.Parameter.KEYWORD_ONLY, default=_default(known[name]), annotation=of
                )
                for name, of in types.items()
            ]
        )
        return called

    return decorate


def experiments(incomplete: str) -> list[str]:
    """Return names of manifests/experiments, for the shell to complete."""
    from bench.manifests import search_path

    return sorted(name for name in search_path.files("experiments") if name.startswith(incomplete))


def _default(field: "dataclasses.Field[Any]") -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty if field.default is dataclasses.MISSING else field.default


def _callback(program: str) -> Callable[..., None]:
    def show(wanted: bool) -> None:
        if wanted:
            from bench.version import package_version

            typer.echo(f"{program} {package_version()}")
            raise typer.Exit

    def callback(
        version: Annotated[
            bool, typer.Option("--version", callback=show, is_eager=True, help="Show the version and exit.")
        ] = False,
    ) -> None:
        pass

    return callback


def _group(program: str, errors: tuple[type[Exception], ...]) -> type[TyperGroup]:
    class Commands(TyperGroup):
        """Turns the project's errors into lines on stderr and their exit code."""

        def invoke(self, ctx: Any) -> Any:
            try:
                return super().invoke(ctx)
            except errors as error:
                _complain(program, error)
                raise typer.Exit(getattr(error, "exit_code", 1)) from None
            except BrokenPipeError:
                if not discard_unread():
                    raise
                raise typer.Exit(130) from None
            except OSError as error:
                if error.filename is None:
                    raise  # nothing that the user has named: an error of ours
                _complain(program, _unusable(error))
                raise typer.Exit(2) from None
            except KeyboardInterrupt as error:
                if str(error):
                    _complain(program, error)
                raise typer.Exit(130) from None

    return Commands


def _complain(program: str, problem: object) -> None:
    """Print an error's line; that nobody reads it (`2>&1 | head`) changes no exit code."""
    try:
        typer.echo(printable(f"{program}: {problem}"), err=True)
    except BrokenPipeError:
        discard_unread()  # what is left in the buffer would make it 120 at the end


ADVICE = {
    errno.ENOENT: "check the path",
    errno.ENOSPC: "free some space, then run the same command again",
    errno.EDQUOT: "free some space, then run the same command again",
    errno.EACCES: "choose a place that is yours, or change its permissions",
    errno.EPERM: "choose a place that is yours, or change its permissions",
    errno.EROFS: "choose a place that can be written",
}


def _unusable(error: OSError) -> str:
    """Which file or folder, why, and what to do: `out: Not a directory; choose another path`."""
    advice = ADVICE.get(error.errno or 0, "choose another path")
    return f"{error.filename}: {error.strerror}; {advice}"
