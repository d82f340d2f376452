"""The walks of docs/architecture.md: each function that they name is defined in the file that they link."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[3] / "docs" / "architecture.md"
STEP = re.compile(r"\]\((\.\./[^)]+\.py)\)\s+`([A-Za-z_.]+)`")
STEPS = STEP.findall(PAGE.read_text("utf-8"))


def definitions(body: list[ast.stmt], inside: str = "") -> Iterator[str]:
    """Yield the names that a module or a class defines: `function`, `CONSTANT`, `Class`, `Class.method`."""
    for node in body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield inside + node.name
            case ast.ClassDef():
                yield inside + node.name
                yield from definitions(node.body, f"{inside}{node.name}.")
            case ast.Assign():
                parts = (part for target in node.targets for part in ast.walk(target))
                yield from (inside + part.id for part in parts if isinstance(part, ast.Name))
            case ast.AnnAssign(target=ast.Name(id=name)):
                yield inside + name
            case ast.If() | ast.Try():
                yield from definitions(node.body, inside)


@pytest.mark.parametrize(("file", "name"), STEPS, ids=[f"{Path(file).name}:{name}" for file, name in STEPS])
def test_a_step_names_what_its_file_defines(file: str, name: str) -> None:
    tree = ast.parse((PAGE.parent / file).read_text("utf-8"))
    assert name in set(definitions(tree.body))


def test_both_walks_have_their_steps() -> None:
    _, to_a_record, to_the_clock = PAGE.read_text("utf-8").split("\n## From ")
    assert len(STEP.findall(to_a_record)) >= 12
    assert len(STEP.findall(to_the_clock)) >= 8
