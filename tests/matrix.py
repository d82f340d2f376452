"""Write what a fault or input matrix saw to build/matrix-NAME.json, for people who want just the table."""

import contextlib
import fcntl
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

BUILD = Path(__file__).resolve().parent.parent / "build"


def write(name: str, rows: list[dict[str, Any]]) -> Path:
    """Store `rows` ({case, expected, got, ok} each) as build/matrix-NAME.json; the file's path."""
    BUILD.mkdir(exist_ok=True)
    path = BUILD / f"matrix-{name}.json"
    whole = path.with_suffix(f".{os.getpid()}")
    whole.write_text(json.dumps(rows, indent=1) + "\n")
    return whole.replace(path)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Let one process at a time put a matrix together: tests run side by side."""
    BUILD.mkdir(exist_ok=True)
    with open(BUILD / ".matrix.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class Part:
    """One test file's rows of a matrix that several files fill, each in a part of its own.

    `write` replaces the part (build/matrix-NAME-PART.json) and makes build/matrix-NAME.json again from all
    parts, so that files may run alone, in any order, and again.
    """

    def __init__(self, name: str, part: str) -> None:
        self.name, self.part = name, part
        self.rows: list[dict[str, Any]] = []

    def add(self, case: str, expected: str, got: object, ok: bool, service: str = "") -> None:
        """Note a case whether it holds or not, and fail the test where it does not.

        service: the test that shows the same with real engines and boards, where there is one.
        """
        shown = " ".join(str(got).split())[:300]
        row = {"case": case, "expected": expected, "got": shown, "ok": bool(ok)}
        self.rows.append({**row, "service": service} if service else row)
        assert ok, f"{case}: expected {expected}, got {shown}"

    def write(self) -> Path:
        """Store the part and the matrix of all parts; the matrix's path."""
        with _alone():
            write(f"{self.name}-{self.part}", self.rows)
            parts = sorted(BUILD.glob(f"matrix-{self.name}-*.json"))
            return write(self.name, [row for path in parts for row in json.loads(path.read_text())])


def part_of(name: str, part: str) -> Callable[..., Iterator[Part]]:
    """Return a fixture of a test file: its `Part` of the matrix `name`, written after its last test."""

    @pytest.fixture(scope="module")
    def made() -> Iterator[Part]:
        found = Part(name, part)
        yield found
        found.write()

    return made
