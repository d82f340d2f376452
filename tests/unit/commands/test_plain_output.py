"""What `bench` prints of models that others named is text: no markup, no escapes, no format fields."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.commands import export, train
from tests.matrix import Part

MATRIX = Part("hostile", "bench-output")
HOSTILE = "[red]m[/] {task.id} :boom: \x1b[2J\u202e"
SHOWN = "[red]m[/] {task.id} :boom: ?[2J?"


@pytest.fixture(scope="module", autouse=True)
def _matrix() -> Any:
    yield
    MATRIX.write()


def test_the_table_of_a_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    model = {"id": HOSTILE, "params": 1, "macs": 1, "bytes": 1, "accuracy": None}
    skipped = {"id": "x", "reason": HOSTILE, "command": HOSTILE}
    export._show(Path(HOSTILE), {"models": [model], "skipped": [skipped]})
    shown = capsys.readouterr().out
    MATRIX.add("bench export: hostile ids and reasons", "text, four times", shown, shown.count(SHOWN) == 4)


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_of_an_export_and_of_a_training(
    terminal: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if terminal:
        monkeypatch.setenv("TTY_COMPATIBLE", "1")
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("COLUMNS", "200")
    with export._progress() as report:
        report(HOSTILE, 0, 1)
    with train._progress(HOSTILE) as note:
        note(SimpleNamespace(steps=(1, 2), history=[{"loss": 1.0, "accuracy": 1.0}]))
    shown = capsys.readouterr().err
    ok = "\x1b[2J" not in shown and "\u202e" not in shown and shown.count(SHOWN) >= 2
    MATRIX.add(f"bench: progress on {'a terminal' if terminal else 'a pipe'}", "text", repr(shown), ok)
