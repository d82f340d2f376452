"""A command whose options are the fields of a dataclass: each is declared once."""

from dataclasses import dataclass, field
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from bench.cli_app import options_of


@dataclass(frozen=True)
class Asked:
    devices: list[str] = field(default_factory=list)
    patience: float = 600.0


DECLARED = {"devices": typer.Option("--device", help="of devices.yaml"), "patience": typer.Option(min=0)}


@options_of(Asked, DECLARED)
def command(asked: Asked) -> None:
    """Do as asked."""
    typer.echo(repr(asked))


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    app.command()(command)
    return app


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], Asked()), (["--device", "a", "--device", "b", "--patience", "1"], Asked(["a", "b"], 1.0))],
)
def test_types_and_defaults_are_the_fields(app: typer.Typer, words: list[str], expected: Asked) -> None:
    done = CliRunner().invoke(app, words)
    assert (done.exit_code, done.stdout) == (0, f"{expected!r}\n")


def test_names_limits_and_help_are_those_declared(app: typer.Typer) -> None:
    assert CliRunner().invoke(app, ["--patience", "-1"]).exit_code == 2
    shown = CliRunner().invoke(app, ["--help"]).stdout
    assert "Do as asked." in shown
    assert "of devices.yaml" in shown


def test_a_field_without_an_option_and_an_option_without_a_field_are_refused() -> None:
    with pytest.raises(TypeError, match=r"Asked: options that do not match {'patience'}"):
        options_of(Asked, {"devices": typer.Option()})
    with pytest.raises(TypeError, match=r"Asked: options that do not match {'wild'}"):
        options_of(Asked, {**DECLARED, "wild": typer.Option()})


@dataclass(frozen=True)
class Declared:
    out: Annotated[str, typer.Argument(metavar="OUT")]
    seed: Annotated[int, typer.Option("--seed", min=0)] = 1


def test_fields_may_declare_their_options_and_one_without_a_default_is_required() -> None:
    app = typer.Typer()
    app.command()(options_of(Declared)(lambda asked: typer.echo(repr(asked))))
    assert CliRunner().invoke(app, []).exit_code == 2
    assert CliRunner().invoke(app, ["there", "--seed", "-1"]).exit_code == 2
    done = CliRunner().invoke(app, ["there", "--seed", "2"])
    assert (done.exit_code, done.stdout) == (0, f"{Declared('there', 2)!r}\n")
