"""An engine that means harm: it speaks HTTP on a unix socket, and what it answers is up to a test."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.performance.engine_stub import IMAGE, INFO, VERSION

Answer = Callable[[socket.socket], None]
CONTAINER = {
    "Id": "1" * 64,
    "Name": "/orbitbench",
    "Created": "2026-01-01T00:00:00Z",
    "Config": {"Labels": {}, "Tty": False},
    "State": {"Status": "exited", "ExitCode": 0},
}
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class HostileEngine:
    """Answers each path that ends with a key of `answers` as told, other paths as a good engine does."""

    def __init__(self, folder: Path, answers: dict[str, Answer]) -> None:
        self.path = folder / "e.sock"
        self.answers = answers
        self.listener = socket.socket(socket.AF_UNIX)
        self.ended = threading.Event()

    @property
    def host(self) -> str:
        return f"unix://{self.path}"

    def __enter__(self) -> "HostileEngine":
        self.listener.bind(str(self.path))
        self.listener.listen(64)
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.listener.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as requests:
            while line := requests.readline():
                while requests.readline().strip():
                    pass
                path = line.split()[1].decode().partition("?")[0]
                chosen = next((self.answers[key] for key in self.answers if path.endswith(key)), good(path))
                chosen(connection)


def good(path: str) -> Answer:
    """A good engine's answer."""
    ends = {"/version": VERSION, "/info": INFO, "/containers/json": [], "/images/json": [], "/volumes": {}}
    found: Any = next((ends[end] for end in ends if path.endswith(end)), None)
    if found is None:
        found = IMAGE if "/images/" in path else CONTAINER
    return plain(found)


def plain(value: Any, status: str = "200 OK", **headers: str) -> Answer:
    """One JSON value; bytes as they are."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nContent-Type: application/json\r\n"
    head += "".join(f"{name.replace('_', '-')}: {text}\r\n" for name, text in headers.items())
    return lambda connection: connection.sendall(head.encode() + b"\r\n" + body)


def endless(piece: bytes, head: bytes = CHUNKED) -> Answer:
    """One HTTP chunk after another, each the same, for ever."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        block = b"%x\r\n%b\r\n" % (len(piece), piece)
        while True:
            connection.sendall(block)

    return answer


def claims(beginning: bytes, filler: bytes = b"x" * 65536) -> Answer:
    """Some bytes, then filler for ever."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(beginning)
        while True:
            connection.sendall(filler)

    return answer


def dribble(
    engine_ended: threading.Event, head: bytes = b"", body: bytes = b"H", seconds: float = 0.2
) -> Answer:
    """A head at once, then a byte every now and then, so that no single read ever waits long."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(head)
        for byte in iter(lambda: body, b""):
            if engine_ended.wait(seconds):
                return
            connection.sendall(byte)

    return answer
