"""The system's OpenSSH client: one tunnel a board, and single commands.

The user's configuration, agent, jump hosts and known hosts apply. What we insist on: known host keys only, no
question is ever asked, no password tried, a dead link noticed within 12 s.
"""

import atexit
import itertools
import os
import re
import shlex
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from orchestrate.devices import SSH_HOST
from orchestrate.engine import sockets
from orchestrate.engine.child_output import OUTPUT_BYTES, Messages, both_outputs
from orchestrate.engine.errors import (
    AuthRefused,
    BadAnswer,
    BadHost,
    CommandHung,
    EngineError,
    ForwardingForbidden,
    HostKeyChanged,
    HostKeyUnknown,
    LinkBroken,
    SshFailed,
    UnreachableHost,
)

CONNECT_SECONDS = 10
ALIVE_SECONDS, ALIVE_COUNT = 3, 3  # a silent peer is given up after (1 + 3) x 3 s at most
OWN_CODE = '"$@"; code=$?; [ "$code" -ne 255 ] || code=254; exit "$code"'
DOCKER_SOCKET = sockets.USUAL
SOCKET_PATH_BYTES = 90  # the kernel allows 107 (103 on macOS), ssh adds a random suffix while it binds


def checked_host(host: str) -> str:
    """`host` if ssh may be given it. Raises BadHost."""
    if not re.fullmatch(SSH_HOST, host):
        raise BadHost(repr(host), "not a host", "write NAME, USER@NAME or ssh://USER@NAME:PORT")
    return host


def command(host: str, *options: str, remote: Sequence[str] = ()) -> list[str]:
    """The argument list of an ssh call; `remote` is quoted, word by word, for the shell at the other end."""
    settings = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "ConnectTimeout": str(CONNECT_SECONDS),
        "ServerAliveInterval": str(ALIVE_SECONDS),
        "ServerAliveCountMax": str(ALIVE_COUNT),
        "ControlMaster": "no",
        "ControlPath": "none",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "PermitLocalCommand": "no",
        "RemoteCommand": "none",
        "LogLevel": "INFO",
    }
    config = os.environ.get("ORBITBENCH_SSH_CONFIG")
    call = ["ssh", "-T", *(["-F", config] if config else [])]
    for name, value in settings.items():
        call += ["-o", f"{name}={value}"]
    return [*call, *options, "--", checked_host(host), *([shlex.join(remote)] if remote else [])]


class Output(NamedTuple):
    """What a remote command left."""

    code: int
    out: str
    err: str


def run(host: str, remote: Sequence[str], *, timeout: float = 30, stdin: bytes = b"") -> Output:
    """Run `remote` (an argument list) on `host`. Raises what `explain` makes of a failing ssh, or LinkBroken.

    Exit code 255 is ssh's own word for its failures: a command that ends with it (nvpmodel does) gives 254.
    """
    call = command(host, "-o", "ClearAllForwardings=yes", remote=["sh", "-c", OWN_CODE, "sh", *remote])
    done = _run(host, call, remote, timeout, stdin)
    if done.code == 255:
        raise explain(host, done.err)
    return done


def run_here(words: Sequence[str], *, timeout: float = 30, stdin: bytes = b"") -> Output:
    """The same for this machine."""
    return _run("this machine", words, words, timeout, stdin)


def _run(host: str, call: Sequence[str], words: Sequence[str], timeout: float, stdin: bytes) -> Output:
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        try:
            process = subprocess.Popen(
                call, stdin=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except FileNotFoundError:
            raise SshFailed(host, f"no program {call[0]} on this machine") from None
    with process:
        try:
            out, err = both_outputs(process, time.monotonic() + timeout)
        except TimeoutError:
            raise CommandHung(host, f"`{shlex.join(words)[:80]}` did not end within {timeout:g} s") from None
        except OverflowError:
            what = f"`{shlex.join(words)[:80]}` there printed more than {OUTPUT_BYTES} bytes"
            raise BadAnswer(host, what) from None
        finally:
            process.kill()
    return Output(process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))


# What OpenSSH says (stable since 7.x) -> what it means, what to do.
MEANINGS: list[tuple[str, type[EngineError], str, str]] = [
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED",
        HostKeyChanged,
        "its host key is not the one in known_hosts: another machine answers, or it was set up again",
        "only if you know why, run `ssh-keygen -R {name}` and connect once by hand",
    ),
    (
        r"Host key verification failed|No .* host key is known",
        HostKeyUnknown,
        "its host key is not known here",
        "connect once by hand (`ssh {host}`) and compare the fingerprint",
    ),
    (
        r"remote port forwarding failed",
        ForwardingForbidden,
        "its sshd lends it no port of this machine, or another program there has that port",
        "set `AllowTcpForwarding yes` in its /etc/ssh/sshd_config and restart sshd",
    ),
    (
        r"Permission denied|Too many authentication failures",
        AuthRefused,
        "it refuses our keys ({last})",
        "copy your key there with `ssh-copy-id {host}`, or name it in ~/.ssh/config",
    ),
    (
        r"Could not resolve hostname|Name or service not known",
        UnreachableHost,
        "no such name",
        "check `host` in devices.yaml, or add it to ~/.ssh/config",
    ),
    (
        r"Connection refused",
        UnreachableHost,
        "nothing listens on its ssh port",
        "is sshd running there?",
    ),
    (
        r"timed out|No route to host|Network is unreachable|Host is down",
        UnreachableHost,
        "no answer ({last})",
        "is it switched on and on this network?",
    ),
    (
        r"Connection (closed|reset)|Broken pipe|kex_exchange_identification|not responding|lost connection",
        LinkBroken,
        "the connection ended ({last})",
        "",
    ),
]


def explain(host: str, stderr: str) -> EngineError:
    """The typed error for what ssh wrote before it gave up."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    last = lines[-1][:200] if lines else "ssh ended without a word"
    name = host.removeprefix("ssh://").rpartition("@")[2]
    for pattern, kind, what, advice in MEANINGS:
        if re.search(pattern, stderr):
            return kind(host, what.format(last=last), advice.format(host=host, name=name))
    return SshFailed(host, last, f"try `ssh {host}` by hand")


# Sockets, pid files and logs of this process's tunnels. A tiny process waits for our end, however it comes,
# and then stops the ssh processes that are left: they have no terminal whose end would tell them.
JANITOR = 'read -r _; cd "$1" && for f in *.pid; do [ -e "$f" ] && kill "$(cat "$f")"; done; rm -rf "$1"'
_folder: tuple[int, Path] | None = None
_folder_lock = threading.Lock()
_numbers = itertools.count(1)


def tunnels_folder() -> Path:
    """A folder of mode 0700, the same for the life of this process, with a path short enough for sockets."""
    global _folder
    with _folder_lock:
        if _folder is None or _folder[0] != os.getpid():
            path = Path(tempfile.mkdtemp(prefix="orbitbench-"))
            if len(os.fsencode(path)) > SOCKET_PATH_BYTES - 16:
                path.rmdir()
                path = Path(tempfile.mkdtemp(prefix="orbitbench-", dir="/tmp"))
            _start_janitor(path)
            _folder = os.getpid(), path
        return _folder[1]


def _start_janitor(folder: Path) -> None:
    null = subprocess.DEVNULL
    janitor = subprocess.Popen(
        ["/bin/sh", "-c", JANITOR, "orbitbench-janitor", str(folder)],
        stdin=subprocess.PIPE,
        stdout=null,
        stderr=null,
        env={"PATH": "/usr/bin:/bin"},
        start_new_session=True,
    )

    @atexit.register
    def dismiss() -> None:
        assert janitor.stdin
        janitor.stdin.close()
        janitor.wait(5)


class Tunnel:
    """A local unix socket that is a board's engine socket, for as long as `alive`.

    reverse: what `ssh -R` takes, for boards that fetch from us. A context manager, or `open` and `close`.
    """

    def __init__(self, host: str, *, remote: str = DOCKER_SOCKET, reverse: Sequence[str] = ()) -> None:
        self.host = checked_host(host)
        self.remote = remote
        self.reverse = tuple(reverse)
        self._process: subprocess.Popen[bytes] | None = None
        self._messages: Messages | None = None
        self._base = tunnels_folder() / str(next(_numbers))

    def __enter__(self) -> "Tunnel":
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def socket(self) -> Path:
        """Where the engine is, while the tunnel is open."""
        return self._base.with_suffix(".sock")

    @property
    def alive(self) -> bool:
        """Does ssh run? It ends within 12 s of a dead link."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """What ssh has said so far."""
        return self._messages.text() if self._messages else ""

    def open(self, timeout: float = 2.0 * CONNECT_SECONDS) -> None:
        """Connect; return when the socket is there. Raises what `explain` says, or UnreachableHost."""
        self.close()
        self._spawn()
        end = time.monotonic() + timeout
        listening = False
        while not listening:
            listening = self.socket.exists()
            if not listening and not self.alive:
                error = explain(self.host, self.log)
                self.close()
                raise error
            if time.monotonic() > end:
                self.close()
                raise UnreachableHost(self.host, f"ssh did not connect within {timeout:g} s")
            time.sleep(0.01)

    def _spawn(self) -> None:
        call, self._messages = self._command(), Messages()
        try:
            self._process = subprocess.Popen(
                call,
                stdin=subprocess.DEVNULL,
                stdout=self._messages.handle,
                stderr=self._messages.handle,
                start_new_session=True,  # Ctrl-C is for us; and no terminal, no question
            )
        except FileNotFoundError:
            self.close()
            raise SshFailed(self.host, f"no program {call[0]} on this machine") from None
        finally:
            self._messages.close()
        self._base.with_suffix(".pid").write_text(str(self._process.pid))

    def close(self) -> None:
        """End ssh, and remove the socket."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(2)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
        for suffix in (".pid", ".sock"):
            self._base.with_suffix(suffix).unlink(missing_ok=True)

    def _command(self) -> list[str]:
        options = ["-N", "-o", "ExitOnForwardFailure=yes", "-o", "StreamLocalBindUnlink=yes"]
        options += ["-o", "StreamLocalBindMask=0177", "-L", f"{self.socket}:{self.remote}"]
        for forward in self.reverse:
            options += ["-R", forward]
        return command(self.host, *options)
