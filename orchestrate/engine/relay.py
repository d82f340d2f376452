"""The way to an engine whose sshd forwards nothing: one `ssh ... docker system dial-stdio` per connection.

Slower than a tunnel (every connection takes an ssh login, 0.3 s and more), and it needs the docker command on
the board; otherwise the same local socket, the same options, the same bounded time to notice a dead link.
"""

import contextlib
import itertools
import socket as sockets
import subprocess
import threading
from pathlib import Path

from orchestrate.engine import ssh
from orchestrate.engine.child_output import Messages
from orchestrate.engine.sockets import USUAL
from orchestrate.engine.tunnel import tunnels_folder

_numbers = itertools.count(1)


class Relay:
    """A local unix socket; each connection to it becomes a process that speaks to the engine. As a Tunnel."""

    def __init__(self, host: str, socket: str = USUAL) -> None:
        self.host, self.remote = ssh.checked_host(host), socket
        self._base = tunnels_folder() / f"relay{next(_numbers)}"
        self._messages: Messages | None = None
        self._listener: sockets.socket | None = None
        self._children: list[subprocess.Popen[bytes]] = []

    @property
    def socket(self) -> Path:
        """Where the engine is, while the relay is open."""
        return self._base.with_suffix(".sock")

    @property
    def alive(self) -> bool:
        """Would a new connection be tried?"""
        return self._listener is not None

    @property
    def log(self) -> str:
        """What the ssh processes have printed so far."""
        return self._messages.text() if self._messages else ""

    def open(self) -> None:
        """Listen. Whether the board answers shows with the first connection."""
        self.close()
        self._messages = Messages()
        self._listener = sockets.socket(sockets.AF_UNIX)
        self._listener.bind(str(self.socket))
        self._listener.listen(64)
        threading.Thread(
            target=self._serve, args=[self._listener, self._messages], name="orbitbench-relay", daemon=True
        ).start()

    def close(self) -> None:
        """Stop listening, and end what is connected."""
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(sockets.SHUT_RDWR)  # wakes accept
            self._listener.close()
            self._listener = None
        for child in self._children:
            child.terminate()
        for child in self._children:
            child.wait()
        self._children.clear()
        self.socket.unlink(missing_ok=True)

    def _serve(self, listener: sockets.socket, messages: Messages) -> None:
        dial = ["docker", "-H", f"unix://{self.remote}", "system", "dial-stdio"]
        call = ssh.command(self.host, "-o", "ClearAllForwardings=yes", remote=dial)
        with contextlib.suppress(OSError), contextlib.closing(messages):
            while True:
                connection, _ = listener.accept()
                with connection:  # the child has its own handle, and ends when the other side does
                    self._children = [child for child in self._children if child.poll() is None]
                    ends = connection.fileno()
                    child = subprocess.Popen(
                        call, stdin=ends, stdout=ends, stderr=messages.handle, start_new_session=True
                    )
                    self._children.append(child)
