"""Docker's client as a careful reader: whatever an engine sends, an answer is bounded in bytes and time.

The SDK reads each answer whole, asks for blocks as long as an engine announces, and starts its timeout again
with every byte. Here a timeout is for a whole answer, and nothing is held beyond a few megabytes.
"""

import json
import socket
import struct
import time
from collections.abc import Iterable, Iterator
from typing import Any

import docker
import requests
import urllib3
from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnection, UnixHTTPConnectionPool

from orchestrate.engine.errors import BadAnswer

ANSWER_BYTES = 4 << 20  # JSON of this length may take thirty times as much memory
LINE_BYTES = 1 << 20
CHUNK = 64 << 10
SLOWEST = 1000  # bytes a second that a stream must bring, from the end of its timeout on
SILENCE = 1800  # seconds that an engine may be silent in a transfer: slow cards take minutes to unpack
FRAME = struct.Struct(">BxxxL")  # before each piece of a container's output: which one, and its length


class _Socket(socket.socket):
    """A connection whose timeout is the time for a whole answer; what a stream brings buys it more."""

    deadline: float | None = None
    streams = False
    patient = False  # a transfer: the timeout is for silence, and anything that comes starts it again

    def settimeout(self, value: float | None) -> None:
        """Count from now: urllib3 sets it once a request, before it reads the answer."""
        super().settimeout(value)
        self.deadline = None if value is None else time.monotonic() + value
        self.streams = False

    def recv_into(self, *arguments: Any) -> int:
        """As a socket's; TimeoutError where the answer has taken its time."""
        if self.deadline is None or self.patient:
            return super().recv_into(*arguments)
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        super().settimeout(left)
        count = super().recv_into(*arguments)
        if self.streams:
            self.deadline += count / SLOWEST
        return count


class _Connection(UnixHTTPConnection):  # type: ignore[misc]
    patient = False

    def connect(self) -> None:
        self.sock = _Socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.patient = self.patient
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.unix_socket)


class _Pool(UnixHTTPConnectionPool):  # type: ignore[misc]
    patient = False

    def _new_conn(self) -> _Connection:
        made = _Connection(self.base_url, self.socket_path, self.timeout)
        made.patient = self.patient
        return made


class _Adapter(UnixHTTPAdapter):  # type: ignore[misc]
    patient = False

    def get_connection(self, url: str, proxies: object = None) -> urllib3.HTTPConnectionPool:
        with self.pools.lock:
            pool: urllib3.HTTPConnectionPool | None = self.pools.get(url)
            if pool is None:
                pool = _Pool(url, self.socket_path, self.timeout, maxsize=self.max_pool_size)
                pool.patient = self.patient
                self.pools[url] = pool
            return pool


class BoundedClient(docker.APIClient):  # type: ignore[misc]
    """The SDK's low-level client with its reading replaced. Raises BadAnswer.

    patient: its timeout is for an engine's silence, not for a whole answer.
    """

    def __init__(self, host: str, patient: bool = False, **options: object) -> None:
        self.host, self.patient = host, patient
        super().__init__(**options)

    def mount(self, prefix: str, adapter: object) -> None:
        """Take connections of our own for the socket."""
        if isinstance(adapter, UnixHTTPAdapter):
            path, size = f"http+unix://{adapter.socket_path}", adapter.max_pool_size
            adapter = _Adapter(path, adapter.timeout, max_pool_size=size)
            adapter.patient = self.patient
        super().mount(prefix, adapter)

    def send(self, request: requests.PreparedRequest, **options: object) -> requests.Response:
        """Read the answer, if it is no stream, up to a limit; follow no redirection."""
        streams = options.get("stream", False)
        if self.patient and options.get("timeout") is None:  # the SDK sets none for a pull and a load
            options["timeout"] = self.timeout
        options = {**options, "stream": True, "allow_redirects": False}
        response: requests.Response = super().send(request, **options)
        if response.headers.get("Content-Encoding", "identity") != "identity":  # a few bytes may become all
            response.close()
            raise BadAnswer(self.host, "its engine sent a compressed answer, which nobody had asked for")
        if not streams or not response.ok:
            vars(response).update(_content=self._whole(response), _content_consumed=True)
        return response

    def _whole(self, response: requests.Response) -> bytes:
        body = bytearray()
        for chunk in response.raw.stream(CHUNK, decode_content=False):
            body += chunk
            if len(body) > ANSWER_BYTES:
                response.close()
                raise BadAnswer(self.host, f"its engine answered with more than {ANSWER_BYTES} bytes")
        return bytes(body)

    # The SDK's three ways to read a stream.

    def _stream_raw_result(
        self, response: requests.Response, chunk_size: int = CHUNK, decode: bool = True
    ) -> Iterator[bytes]:
        """Bytes as they come; a stream that hardly moves ends with its timeout."""
        self._raise_for_status(response)
        connection = getattr(self._get_raw_response_socket(response), "_sock", None)
        if isinstance(connection, _Socket):
            connection.streams = True
        yield from response.raw.stream(min(max(chunk_size, CHUNK), ANSWER_BYTES), decode_content=False)

    def _multiplexed_response_stream_helper(self, response: requests.Response) -> Iterator[bytes]:
        """A container's output, which may be silent for hours: pieces of what its frames hold."""
        self._disable_socket_timeout(self._get_raw_response_socket(response))
        yield from unframed(response.raw.stream(CHUNK, decode_content=False))

    def _stream_helper(self, response: requests.Response, decode: bool = False) -> Iterator[object]:
        """Lines of a pull, push, load or build; `decode`: the JSON objects that they are."""
        try:
            for line in lines(response.raw.stream(CHUNK, decode_content=False)):
                if line.strip():
                    yield _event(line) if decode else line
        except ValueError as error:
            raise BadAnswer(self.host, f"its engine sent {error}") from None


def lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield whole lines, without their ends, of a stream cut anywhere; the last may lack its newline.

    Raises ValueError for a line of more than LINE_BYTES.
    """
    rest = bytearray()
    for chunk in chunks:
        first, *more = chunk.split(b"\n")
        rest += first
        for part in more:
            yield bytes(rest)
            rest = bytearray(part)
        if len(rest) > LINE_BYTES:
            raise ValueError(f"a line of more than {LINE_BYTES} bytes")
    if rest:
        yield bytes(rest)


def unframed(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what the frames of a container's output hold, in pieces as they come: a frame may claim any
    length."""
    header, left = bytearray(), 0
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            if left:
                yield bytes(rest[:left])
                left, rest = left - len(rest[:left]), rest[left:]
                continue
            missing = FRAME.size - len(header)
            header += rest[:missing]
            rest = rest[missing:]
            if len(header) == FRAME.size:
                left = FRAME.unpack(header)[1]
                header.clear()


def _event(line: bytes) -> dict[str, object]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("a line that is no JSON") from None
    if not isinstance(event, dict):
        raise ValueError("a line that is no JSON object")
    return event
