"""A local socket that is a board's engine socket: one ssh process per board, which ends with this one."""

import atexit
import itertools
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from orchestrate.engine import sockets, ssh
from orchestrate.engine.child_output import Messages
from orchestrate.engine.errors import SshFailed, UnreachableHost

SOCKET_PATH_BYTES = 90  # the kernel allows 107 (103 on macOS), ssh adds a random suffix while it binds
# Sockets, pid files and logs of this process's tunnels. A tiny process waits for our end, however it comes,
# and then stops the ssh processes that are left: they have no terminal whose end would stop them.
JANITOR = 'read -r _; cd "$1" && for f in *.pid; do [ -e "$f" ] && kill "$(cat "$f")"; done; rm -rf "$1"'
_folder: tuple[int, Path] | None = None
_folder_lock = threading.Lock()
_numbers = itertools.count(1)


def tunnels_folder() -> Path:
    """Return a folder of mode 0700, the same for the life of this process, with a path short enough for
    sockets."""
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

    def __init__(self, host: str, *, remote: str = sockets.USUAL, reverse: Sequence[str] = ()) -> None:
        self.host = ssh.checked_host(host)
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
        """What ssh has printed so far."""
        return self._messages.text() if self._messages else ""

    def open(self, timeout: float = 2.0 * ssh.CONNECT_SECONDS) -> None:
        """Connect; return when the socket is there. Raises what `ssh.explain` finds, or UnreachableHost."""
        self.close()
        self._spawn()
        end = time.monotonic() + timeout
        listening = False
        while not listening:
            listening = self.socket.exists()
            if not listening and not self.alive:
                error = ssh.explain(self.host, self.log)
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
        return ssh.command(self.host, *options)
