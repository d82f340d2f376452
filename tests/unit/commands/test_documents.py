"""What the documents show is there: every command with its options, every path, link and make target."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import typer

from bench import cli as workshop
from orchestrate import cli as orchestra
from tests.unit.commands.test_walk import definitions

ROOT = Path(__file__).resolve().parents[3]
PAGES = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "manifests").rglob("*.yaml")]
PROGRAMS = {
    "bench": typer.main.get_command(workshop.build()),
    "orchestrate": typer.main.get_command(orchestra.build()),
}
CODE = re.compile(r"```.*?```|`[^`]+`|^    \S.*$", re.DOTALL | re.MULTILINE)
COMMAND = re.compile(r"\b(bench|orchestrate) ([a-z]+\b[^`\n|#&;]*)")
OPTION = re.compile(r"(?<!\S)\[?(--?[a-z][a-z-]*)")
MODULE = re.compile(r"`([\w/]*\w\.py)(?:: (\w+))?`")
MODULES = [path for top in ("bench", "orchestrate", "tests") for path in (ROOT / top).rglob("*.py")]
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
PLACE = re.compile(r"\b(?:tests|bench|orchestrate|docs|manifests|images)/[\w./*-]*\w")
NOT_OURS = {"docs/operators.md", "jetson_containers/l4t_version.py"}  # of onnx-tensorrt, jetson-containers
TO_BE_MADE = re.compile(r"NAME|DATASET")


def commands(page: Path) -> list[tuple[str, str]]:
    """(program, what follows it) wherever a page shows a command."""
    text = page.read_text()
    parts = CODE.findall(text) if page.suffix == ".md" else text.splitlines()
    return [found for part in parts for found in COMMAND.findall(part)]


def options(command: Any) -> set[str]:
    return {name for each in command.params for name in (*each.opts, *each.secondary_opts)} | {"--help"}


def made(text: str) -> set[str]:
    """The make targets that a text names."""
    return set(re.findall(r"(?:^|`)make ([a-z0-9-]+)", text, flags=re.MULTILINE))


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_a_command_that_is_shown_exists_and_takes_the_options_shown(page: Path) -> None:
    for program, rest in commands(page):
        command, words = PROGRAMS[program], rest.split()
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert command is not PROGRAMS[program], f"{program} {rest}: no such command"
        assert set(OPTION.findall(rest)) <= options(command), f"{program} {rest}"


def test_the_readme_shows_every_command_of_both_programs() -> None:
    shown = {(program, rest.split()[0]) for program, rest in commands(ROOT / "README.md")}
    everything = {
        (program, name)
        for program, group in PROGRAMS.items()
        for name, command in group.commands.items()
        if not command.hidden  # called by the other program alone
    }
    assert everything == shown


@pytest.mark.parametrize("page", [page for page in PAGES if page.suffix == ".md"], ids=name)
def test_a_path_a_link_and_a_make_target_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text()
    for place in set(PLACE.findall(text)) - NOT_OURS:
        assert TO_BE_MADE.search(place) or any(ROOT.glob(place)), place
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert (page.parent / link).exists(), link
    assert made(text) <= TARGETS


def test_a_make_target_that_the_code_names_is_there() -> None:
    assert {path: missing for path in MODULES if (missing := made(path.read_text()) - TARGETS)} == {}


@pytest.mark.parametrize("page", [page for page in PAGES if page.suffix == ".md"], ids=name)
def test_a_module_that_a_page_names_is_there_and_defines_what_the_page_says(page: Path) -> None:
    for module, defined in MODULE.findall(page.read_text()):
        if TO_BE_MADE.search(module) or module in NOT_OURS:
            continue
        found = [path for path in MODULES if str(path).endswith(f"/{module}")]
        assert found, module
        names = {each for path in found for each in definitions(ast.parse(path.read_text()).body)}
        assert not defined or defined in names, f"{module}: {defined}"
