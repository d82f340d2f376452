"""Verdicts for people."""

from collections.abc import Mapping

from rich.console import Console
from rich.markup import escape

from orchestrate.doctor.checks import Check, verdict

MARKS = {"ok": "[green]ok[/]  ", "warn": "[yellow]warn[/]", "fail": "[red]fail[/]"}
INDENT = 9  # of what follows the mark


def show(found: Mapping[str, list[Check]], console: Console | None = None) -> None:
    """One block a board, what to do beneath each thing that is wrong."""
    console = console or Console(highlight=False, soft_wrap=True)
    for name, checks in found.items():
        console.print(f"[bold]{escape(name)}[/] {MARKS[verdict(checks)].rstrip()}")
        for check in checks:
            console.print(f"  {MARKS[check.level]}   {escape(f'{check.name}: {check.message}')}")
            if check.advice:
                console.print(f"{' ' * INDENT}[bold]{escape(check.advice)}[/]")
