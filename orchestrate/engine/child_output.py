"""What the programs that we start print: a board decides how much that is, so it is bounded."""

import os
import selectors
import subprocess
import threading
import time

OUTPUT_BYTES = 8 << 20  # of one command
LOG_BYTES = 64 << 10  # that are kept of what a long-lived program prints, half of them from its beginning


def both_outputs(process: subprocess.Popen[bytes], end: float) -> tuple[bytes, bytes]:
    """Return the standard output and error, whole, once the process has ended.

    Raises TimeoutError after `end` (of time.monotonic), OverflowError past OUTPUT_BYTES.
    """
    assert process.stdout
    assert process.stderr
    found = {process.stdout: bytearray(), process.stderr: bytearray()}
    with selectors.DefaultSelector() as selector:
        for pipe in found:
            selector.register(pipe, selectors.EVENT_READ)
        while selector.get_map():
            ready = selector.select(max(0.0, end - time.monotonic()))
            if time.monotonic() > end:
                raise TimeoutError
            for key, _ in ready:
                chunk = os.read(key.fd, 1 << 16)
                found[key.fileobj] += chunk  # type: ignore[index]
                if not chunk:
                    selector.unregister(key.fileobj)
            if sum(map(len, found.values())) > OUTPUT_BYTES:
                raise OverflowError
    try:
        process.wait(max(0.0, end - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise TimeoutError from None
    return bytes(found[process.stdout]), bytes(found[process.stderr])


class Messages:
    """What processes write into `handle`, read in the background; of a long text the middle is lost."""

    def __init__(self) -> None:
        reading, self.handle = os.pipe()
        self._first, self._last = bytearray(), bytearray()
        self._reader = threading.Thread(
            target=self._read, args=[reading], name="orbitbench-messages", daemon=True
        )
        self._reader.start()

    def _read(self, handle: int) -> None:
        with os.fdopen(handle, "rb", buffering=0) as pipe:
            while chunk := pipe.read(1 << 16):
                room = max(0, LOG_BYTES // 2 - len(self._first))
                self._first += chunk[:room]
                self._last = (self._last + chunk[room:])[-LOG_BYTES // 2 :]

    def close(self) -> None:
        """Give up our end for writing: reading ends with the processes that have the others."""
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1

    def text(self) -> str:
        """Return what is kept; waits a moment for the last words of processes that have ended."""
        if self.handle < 0:
            self._reader.join(0.2)
        return (self._first + self._last).decode(errors="replace")
