"""What goes wrong between us and a board's engine, each with what to do about it.

Those under `orchestrate.errors.LinkLost` may pass by themselves: `retry` tries them again.
"""

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import TypeVar

from orchestrate.console import first_line
from orchestrate.errors import Busy, LinkLost, OrbitError


class EngineError(OrbitError):
    """A board's engine refuses, or cannot do, what was asked. `host` is the board as the user wrote it."""

    def __init__(self, host: str, what: str, advice: str = "") -> None:
        super().__init__(f"{host}: {what}" + (f"; {advice}" if advice else ""))
        self.host = host
        self.what = what
        self.advice = advice


class BadHost(EngineError):
    """The text cannot be a host, a user@host, an ssh:// or a unix:// address."""


class Transient(EngineError, LinkLost):
    """May work again in a moment."""


class UnreachableHost(Transient):
    """No route, no answer, no sshd, or no such name."""


class LinkBroken(Transient):
    """The connection ended, or stayed silent for too long, in the middle of something."""


class CommandHung(LinkBroken):
    """A command did not end in its time. The link itself is watched by ssh, which gives up earlier."""


class EngineDown(Transient):
    """The board answers, its engine does not."""


class HostKeyUnknown(EngineError):
    """The board's host key is not in known_hosts."""


class HostKeyChanged(EngineError):
    """The board's host key is not the one in known_hosts: another machine answers, or it was set up again."""


class AuthRefused(EngineError):
    """The board refuses our keys."""


class SshFailed(EngineError):
    """ssh ended for another reason, which is in the text."""


class DockerForbidden(EngineError):
    """The user may log in, but not use the engine."""


class ForwardingForbidden(EngineError):
    """sshd on the board does not forward to unix sockets."""


class OtherSocket(EngineError):
    """The engine listens at another path: rootless Docker, for instance."""


class ImageMissing(EngineError):
    """The image is not on the board."""


class WrongArchitecture(EngineError):
    """The image is for another processor than the board has."""


class RuntimeMissing(EngineError):
    """The engine has no such runtime: the NVIDIA container toolkit is not set up."""


class DiskFull(EngineError):
    """No space left on the board."""


class EngineTooOld(EngineError):
    """The engine speaks no API version that we speak."""


class NotFound(EngineError):
    """No such container, volume or file on the board."""


class EngineRefused(EngineError):
    """Any other answer of the engine, in its own words."""


class BadAnswer(EngineError):
    """What the board or its engine answered is no answer to the question: too long, or of another shape."""


class BadArchive(EngineError):
    """What the board sent is not what a runtime of ours leaves: too large, a link, a path elsewhere."""


@dataclasses.dataclass(frozen=True)
class LockOwner:
    """The container that holds a board. `labels` say whose it is."""

    name: str
    labels: Mapping[str, str]
    status: str
    created: str

    @property
    def alive(self) -> bool:
        """Does it still work, so that its lock must not be broken?"""
        return self.status in ("running", "paused", "restarting")


class BoardBusy(EngineError, Busy):
    """Another run's container holds the board."""

    def __init__(self, host: str, owner: LockOwner) -> None:
        run = owner.labels.get("orbitbench.run", "unknown")
        super().__init__(
            host,
            f"held by run {run} (container {owner.name}, {owner.status}, created {owner.created[:19]})",
            "wait for it"
            if owner.alive
            else f"collect it with `orchestrate collect {run}`, or use --break-lock",
        )
        self.lock_owner = owner


Value = TypeVar("Value")


def typed(value: object, kind: type[Value]) -> Value:
    """Return a value of an engine's answer; TypeError where it is of another type."""
    if type(value) is not kind:
        raise TypeError(f"{type(value).__name__} where {kind.__name__} is expected")
    return value


@contextlib.contextmanager
def understood(host: str) -> Iterator[None]:
    """Turn an answer of a wrong shape into EngineRefused: around code that reads answers and does no more."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        why = f"{type(error).__name__}: {first_line(error, 80)}"
        what = f"its engine gives an answer of a wrong shape ({why})"
        raise EngineRefused(host, what, "is it Docker that answers there?") from error
