"""A connection to one engine: local or through ssh, the same from here on."""

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import docker
import docker.errors

from orchestrate.engine import client, sockets, ssh
from orchestrate.engine.bounded import SILENCE
from orchestrate.engine.errors import (
    BadAnswer,
    DockerForbidden,
    EngineDown,
    EngineError,
    EngineTooOld,
    ForwardingForbidden,
    LinkBroken,
    OtherSocket,
    SshFailed,
)
from orchestrate.engine.relay import Relay
from orchestrate.engine.sdk_errors import SHAPE_EXCEPTIONS, nonsense, translate, typed_errors
from orchestrate.engine.shapes import count, mapping, text
from orchestrate.engine.sockets import local_address
from orchestrate.engine.tunnel import Tunnel

LENDING = "`orchestrate images load` sends the image over SSH instead, without a registry"
ANSWER_SECONDS = 30  # of silence on one request: on a slow link 20 s of data may be under way before it
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i686": "386"}


def docker_architecture(name: str) -> str:
    """Return Docker's name for what a kernel calls itself: aarch64 -> arm64."""
    return ARCHITECTURES.get(name, name)


@dataclasses.dataclass(frozen=True)
class Info:
    """What an engine reports of itself and its machine. `memory`: bytes; `architecture` as images name it."""

    name: str
    architecture: str
    version: str
    api: str
    kernel: str
    system: str
    cpus: int
    memory: int
    memory_limit: bool
    cgroup: int
    runtimes: tuple[str, ...]
    root: str
    programs: str = ""  # the processor that the engine itself is compiled for, as images name it


class Engine:
    """One engine, reached at `host`: None for this machine's own, unix:///path, or what ssh knows.

    own: it may know of the user's own Docker configuration, as `docker` does; a board never does. logins: it
    may have the passwords of registries, by `registry_logins` in devices.yaml. socket: where it
    listens, if not in the usual place. reverse: ports lent to it. timeout: seconds for an answer; silence: in
    a transfer.

    Calls go to `client` inside `errors()`, which turns exceptions into typed ones. One thread opens and
    closes; the client may be used from several.
    """

    def __init__(
        self,
        host: str | None = None,
        *,
        reverse: Sequence[str] = (),
        timeout: float = ANSWER_SECONDS,
        silence: float = SILENCE,
        own: bool = False,
        logins: bool = False,
        socket: str | None = None,
    ) -> None:
        self.own, self.logins = own, logins
        self.address = host or (f"unix://{socket}" if socket else local_address())
        self.socket = socket or sockets.USUAL
        self.reverse = reverse
        self.host = host or "this machine"
        self.timeout, self.silence = timeout, silence
        self.is_local = self.address.startswith("unix://")
        self.tunnel: Tunnel | Relay | None = None
        if not self.is_local:
            self.tunnel = Tunnel(self.address, remote=self.socket, reverse=reverse)
        self._client: docker.DockerClient | None = None
        self._lock = threading.Lock()

    def __enter__(self) -> "Engine":
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def client(self) -> docker.DockerClient:
        """The SDK's client. Raises LinkBroken before `open` and after `close`."""
        if self._client is None:
            raise LinkBroken(self.host, "not connected")
        return self._client

    @property
    def _url(self) -> str:
        return f"unix://{self.tunnel.socket}" if self.tunnel else self.address

    @property
    def alive(self) -> bool:
        """Is the way there up, as far as we know? (ssh needs up to 12 s to notice a cut cable.)"""
        return self._client is not None and (self.tunnel is None or self.tunnel.alive)

    def open(self) -> None:
        """Connect, or connect again; settle the API version. Raises typed errors."""
        with self._lock:
            try:
                self._open()
            except ForwardingForbidden as error:
                self._close()
                if self.reverse:  # a relay lends nothing
                    raise ForwardingForbidden(self.host, error.what, LENDING) from None
                self.tunnel = Relay(self.address, self.socket)
                self._open()

    def _open(self) -> None:
        self._close()
        if self.tunnel:
            self.tunnel.open()
        try:
            self._client = self._connect()
        except BaseException:
            self._close()
            raise

    @property
    def roundabout(self) -> bool:
        """Does every connection take an ssh login of its own, as the board forbids forwarding?"""
        return isinstance(self.tunnel, Relay)

    def close(self) -> None:
        """Let go of the client and the tunnel; `open` makes new ones."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        if self.tunnel:
            self.tunnel.close()

    def _connect(self) -> docker.DockerClient:
        try:
            return self._make(version="auto", timeout=self.timeout)
        except docker.errors.InvalidVersion as error:
            raise EngineTooOld(self.host, "its Docker is too old", "install Docker 20.10 or newer") from error
        except docker.errors.APIError as error:
            raise translate(self.host, error) from error
        except docker.errors.DockerException as error:
            if isinstance(error.__cause__, BadAnswer):
                raise error.__cause__ from None
            if isinstance(error.__cause__, SHAPE_EXCEPTIONS):
                raise nonsense(self.host, error) from error
            raise self._why_not() from error
        except SHAPE_EXCEPTIONS as error:
            raise nonsense(self.host, error) from error

    def _make(self, **options: object) -> docker.DockerClient:
        return client.make(self.host, self.own, self.logins, base_url=self._url, **options)

    def _why_not(self) -> EngineError:
        """The socket gave nothing: find out why, with one command on the board."""
        if self.tunnel is not None and not self.tunnel.alive:
            return ssh.explain(self.host, self.tunnel.log)
        verdict = self._verdict()
        if path := sockets.other(verdict):
            what = f"Docker listens at {path} there, not at {self._asked}"
            return OtherSocket(self.host, what, f"set `socket: {path}` in its entry of devices.yaml")
        if verdict == "forbidden":
            return DockerForbidden(
                self.host,
                "this user may not use Docker there",
                "run `sudo usermod -aG docker $USER` on it, then log in again",
            )
        if verdict == "forward" and self.tunnel is not None:
            return ForwardingForbidden(
                self.host,
                "its sshd does not forward to Docker's socket",
                ssh.ALLOW_SOCKETS,
            )
        missing = f"nothing listens at {self._asked}: Docker is not running, or not installed"
        return EngineDown(
            self.host,
            missing if verdict.startswith(("missing", "other")) else "Docker does not answer",
            "look at `sudo systemctl status docker` on it; `socket` in devices.yaml names another path",
        )

    @property
    def _asked(self) -> str:
        return self.address.removeprefix("unix://") if self.tunnel is None else self.socket

    def _verdict(self) -> str:
        with contextlib.suppress(SshFailed):
            return self.run(["sh", "-c", sockets.look(self._asked)]).out.strip()
        return "ok"

    def errors(self) -> contextlib.AbstractContextManager[None]:
        """Turn what the SDK raises into typed errors."""
        return typed_errors(self.host)

    def info(self) -> Info:
        """Return the engine's description of itself."""
        with self.errors():
            return _described(self.client.info(), self.client.version())

    @contextlib.contextmanager
    def patient(self) -> Iterator[docker.DockerClient]:
        """A client for long transfers, which may take hours; a board may be silent for `silence` seconds.

        The user's own engine may: it also builds.
        """
        opened = self.client
        silence = None if self.own else self.silence
        other = self._make(version=opened.api.api_version, timeout=silence, patient=True)
        try:
            yield other
        finally:
            other.close()

    def run(self, remote: Sequence[str], *, timeout: float = 30, stdin: bytes = b"") -> ssh.Output:
        """Run an argument list on the machine of the engine: through ssh, or here."""
        if self.is_local:
            return ssh.run_here(remote, timeout=timeout, stdin=stdin)
        return ssh.run(self.address, remote, timeout=timeout, stdin=stdin)


def _described(info: dict[str, Any], version: dict[str, Any]) -> Info:
    """Return Info from the answers to /info and /version. Raises for other shapes."""
    return Info(
        name=text(info.get("Name", "")),
        architecture=docker_architecture(text(info["Architecture"])),
        version=text(version["Version"]),
        api=text(version["ApiVersion"]),
        kernel=text(info["KernelVersion"]),
        system=text(info["OperatingSystem"]),
        cpus=count(info["NCPU"]),
        memory=count(info["MemTotal"]),
        memory_limit=bool(info.get("MemoryLimit")),
        cgroup=count(int(text(str(info.get("CgroupVersion") or 1)))),
        runtimes=tuple(sorted(map(text, mapping(info.get("Runtimes"))))),
        root=text(info["DockerRootDir"]),
        programs=text(version.get("Arch", "")),
    )
