"""What is known about a board, and the form of a verdict on it."""

import dataclasses
from collections.abc import Mapping
from typing import Literal

from orchestrate.devices import Device
from orchestrate.doctor.probe import Facts
from orchestrate.engine.connection import Info
from orchestrate.engine.errors import LockOwner

Level = Literal["ok", "warn", "fail"]


@dataclasses.dataclass(frozen=True)
class Check:
    """A verdict: `fail` keeps a run from working, `warn` makes its figures doubtful."""

    name: str
    level: Level
    message: str
    advice: str = ""


@dataclasses.dataclass(frozen=True)
class BoardFacts:
    """Everything known about a board. `info` is None without Docker; `skew` in seconds, theirs minus ours.

    l4t: of the image; platforms: the image is made for; others: running containers that are not ours.
    """

    device: Device
    facts: Facts
    info: Info | None = None
    skew: float | None = None
    image_l4t: tuple[int, int] | None = None
    image_platforms: tuple[str, ...] = ()
    image_present: bool | None = None
    others: tuple[str, ...] = ()
    lock_owner: LockOwner | None = None


def verdict(checks: list[Check]) -> Level:
    """Return the worst level."""
    levels = {check.level for check in checks}
    return "fail" if "fail" in levels else "warn" if "warn" in levels else "ok"


def as_json(checks: Mapping[str, list[Check]]) -> dict[str, object]:
    """Return device -> its verdict and checks, for scripts."""
    return {
        name: {"verdict": verdict(found), "checks": [dataclasses.asdict(check) for check in found]}
        for name, found in checks.items()
    }
