"""Every `--help`: a sentence first, and of each value what it is rather than its type."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from bench import cli as workshop
from orchestrate import cli as orchestra

PROGRAMS = {"bench": workshop, "orchestrate": orchestra}
# typer prints a type behind the name of an argument, and has no public way to leave it out
ARGUMENT = re.compile(r"^(  [A-Z][A-Z_]*) <[^>]*>", re.MULTILINE)
TYPES = re.compile(r"<(?:str|int|float|path|file|directory|list|tuple)\b[^>]*>|\b(?:TEXT|INTEGER|FLOAT)\b")


def words(command: Any, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    for name, inner in getattr(command, "commands", {}).items():
        yield from words(inner, *path, name)


COMMANDS = [
    " ".join(path)
    for program, module in PROGRAMS.items()
    for path in words(typer.main.get_command(module.build()), program)
]


def shown(command: str) -> str:
    program, *rest = command.split()
    done = CliRunner().invoke(PROGRAMS[program].build(), [*rest, "--help"], env={"COLUMNS": "200"})
    assert done.exit_code == 0
    return done.stdout


def test_the_commands_of_the_readme_are_among_those_looked_at() -> None:
    assert {"bench export", "bench versus", "orchestrate devices check", "orchestrate images load"} <= set(
        COMMANDS
    )


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_second_application_of_one_process_registers_no_command_twice(program: str) -> None:
    def registered(app: typer.Typer) -> list[tuple[str | None, Any]]:
        found = [(command.name, command.callback) for command in app.registered_commands]
        groups = [group.typer_instance for group in app.registered_groups if group.typer_instance]
        return found + [command for group in groups for command in registered(group)]

    once, again = (registered(PROGRAMS[program].build()) for _ in range(2))
    assert again == once


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_what_it_does_and_names_values_instead_of_types(command: str) -> None:
    text = shown(command)
    about = text.split("\n\n")[1].strip()
    assert about.endswith(".")
    options = ARGUMENT.sub(r"\1", text)
    assert not TYPES.search(options), TYPES.search(options)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_has_a_line_that_explains_it(command: str) -> None:
    described = re.findall(r"^  (-\S.*?)(?:\n? {2,}(\S.*))?$", shown(command), flags=re.M)
    assert described
    for option, line in described:
        assert re.sub(r"\[.*\]", "", line).strip(), f"{command} {option}: {line!r}"
