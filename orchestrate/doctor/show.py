"""Verdicts for people."""

from collections.abc import Mapping

from rich.console import Console
from rich.text import Text

from orchestrate.console import make_console, printable
from orchestrate.doctor.checks import Check, verdict

STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}
INDENT = 9  # of what follows the mark


def show(found: Mapping[str, list[Check]], console: Console | None = None) -> None:
    """One block a board, what to do beneath each thing that is wrong."""
    console = console or make_console()

    def line(*parts: str | tuple[str, str]) -> None:
        """What a board reports is text: nothing in it is markup or moves the cursor."""
        safe = [printable(part) if isinstance(part, str) else (printable(part[0]), part[1]) for part in parts]
        console.print(Text.assemble(*safe), highlight=False, soft_wrap=True)

    for name, checks in found.items():
        worst = verdict(checks)
        line((name, "bold"), " ", (worst, STYLES[worst]))
        for check in checks:
            line("  ", (f"{check.level:<4}", STYLES[check.level]), "   ", f"{check.name}: {check.message}")
            if check.advice:
                line(" " * INDENT, (check.advice, "bold"))
