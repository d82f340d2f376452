"""Following a container's output without being fooled by a stream that ends quietly."""

import contextlib
import queue
import threading
from collections.abc import Iterable, Iterator

from orchestrate.engine.bounded import lines
from orchestrate.engine.container import LOCK, Board
from orchestrate.engine.errors import BadArchive, LinkBroken

QUEUE_LINES = 100
LOG_BYTES = 256 << 20  # of one container's output: the engine keeps 64 MB (spec), so more is not ours
SILENT_HEARTBEATS = 5  # after so many without a line, ask the engine whether it is still there


class _Reader(threading.Thread):
    """Reads a stream into a bounded queue, as reading has no other way to give up waiting."""

    def __init__(self, stream: Iterable[bytes], skip: int) -> None:
        super().__init__(name="orbitbench-follow", daemon=True)
        self.queue: queue.Queue[bytes | BaseException | None] = queue.Queue(QUEUE_LINES)
        self._stream = stream
        self._skip = skip
        self._stopped = threading.Event()

    def run(self) -> None:
        try:
            for number, line in enumerate(lines(_at_most(LOG_BYTES, self._stream))):
                if number >= self._skip and not self._put(line):
                    return
        except Exception as error:
            self._put(error)
        self._put(None)

    def _put(self, item: bytes | BaseException | None) -> bool:
        while not self._stopped.is_set():
            with contextlib.suppress(queue.Full):
                self.queue.put(item, timeout=0.5)
                return True
        return False

    def stop(self) -> None:
        self._stopped.set()


def _at_most(limit: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        limit -= len(chunk)
        if limit < 0:
            raise ValueError(f"more than {LOG_BYTES} bytes")
        yield chunk


def follow(
    board: Board, name: str = LOCK, *, seen: int = 0, heartbeat: float = 2.0
) -> Iterator[bytes | None]:
    """Yield lines of a container's standard output from number `seen` on.

    None after each `heartbeat` seconds of silence. Ends when the container has ended. Raises LinkBroken when
    the stream ended before it, which is how a lost link looks: connect again and go on with the number of
    lines seen.
    """
    with board.engine.errors():
        stream = board.engine.client.api.logs(name, stdout=True, stderr=False, stream=True, follow=True)
    reader = _Reader(stream, seen)
    reader.start()
    try:
        yield from _items(board, name, reader, heartbeat)
    finally:
        reader.stop()
        with contextlib.suppress(Exception):  # closing a broken stream fails in as many ways as it broke
            stream.close()


def _items(board: Board, name: str, reader: _Reader, heartbeat: float) -> Iterator[bytes | None]:
    silent = 0
    while True:
        try:
            item = reader.queue.get(timeout=heartbeat)
        except queue.Empty:
            silent += 1
            if silent % SILENT_HEARTBEATS == 0:
                board.state(name)  # raises when nobody answers any more
            yield None
            continue
        silent = 0
        if item is None:
            break
        if isinstance(item, ValueError):
            raise BadArchive(board.host, f"its container wrote {item}")
        if isinstance(item, BaseException):
            with board.engine.errors():
                raise item
            continue
        yield item
    if board.state(name).running:
        raise LinkBroken(board.host, "its container's output ended before the container did")
