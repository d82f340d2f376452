"""Single commands on a board, and what their refusals mean: a password, a reboot, or an answer they wait for.

None of these passes by itself, so none is a lost link: the run ends with a message that states what to do.
"""

import re
import shlex

from orchestrate.console import first_line
from orchestrate.engine.connection import Engine
from orchestrate.engine.errors import CommandHung
from orchestrate.errors import CommandFailed, PasswordWanted, RebootWanted

COMMAND_SECONDS = 60
SUDOERS = "`orchestrate devices check` prints the line for sudoers"
PASSWORD = re.compile(r"sudo: .*(password|terminal|tty)", re.IGNORECASE)
REBOOT = re.compile(r"reboot (is )?required|want to reboot", re.IGNORECASE)


class Commands:
    """Runs argument lists on the machine of an engine. Raises CommandFailed or a kind of it, or LinkLost."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def run(self, words: list[str], stdin: str = "") -> str:
        """Return what the command prints, its complaints included.

        Questions find `stdin`, and then its end.
        """
        shown = shlex.join(words)
        try:
            done = self.engine.run(words, timeout=COMMAND_SECONDS, stdin=stdin.encode())
        except CommandHung:
            advice = "does it ask something? a run answers no questions"
            raise CommandFailed(f"`{shown}` did not end within {COMMAND_SECONDS} s: {advice}") from None
        output = f"{done.out}\n{done.err}".strip()
        if REBOOT.search(output):
            advice = "run it by hand, let the board reboot, and start the run again"
            raise RebootWanted(f"`{shown}` wants a reboot of the board: {advice}")
        if done.code and PASSWORD.search(done.err):
            raise PasswordWanted(f"`{shown}` failed with code {done.code}: {last_line(done.err)}: {SUDOERS}")
        if done.code:
            raise CommandFailed(f"`{shown}` failed with code {done.code}: {last_line(done.err or done.out)}")
        return output

    def script(self, text: str) -> str:
        """Return what a POSIX shell script prints."""
        return self.engine.run(["sh", "-s"], timeout=COMMAND_SECONDS, stdin=text.encode()).out


def last_line(text: str) -> str:
    """Return the last line of a command's complaint: sudo and nvpmodel first print what they try, then what
    failed."""
    lines = [line for line in text.splitlines() if line.strip()]
    return first_line(lines[-1], 200) if lines else "it printed nothing"
