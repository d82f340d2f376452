"""A real image registry (Debian's docker-registry) that tests start, stop, and whose files they can spoil."""

import contextlib
import shutil
import socket
import subprocess
import time
from pathlib import Path

from tests.conftest import PATIENCE

CONFIG = """\
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {folder}/data}}, delete: {{enabled: true}}}}
http: {{addr: '{address}:{port}'}}
"""


def missing() -> str:
    """Why no registry can run here; empty when one can."""
    return "" if shutil.which("docker-registry") else "needs the Debian package docker-registry"


class Registry:
    """One store of images, served on each of `addresses` at the same port. A context manager."""

    def __init__(self, folder: Path, *addresses: str) -> None:
        self.folder, self.addresses = folder, addresses
        self.processes: list[subprocess.Popen[bytes]] = []
        with contextlib.closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]

    def __enter__(self) -> "Registry":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Serve; returns when every address answers."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for address in self.addresses:
            config = self.folder / f"{address}.yml"
            config.write_text(CONFIG.format(folder=self.folder, address=address, port=self.port))
            with (self.folder / "log").open("ab") as log:
                command = ["docker-registry", "serve", str(config)]
                self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        end = time.monotonic() + PATIENCE
        while not all(self._answers(address) for address in self.addresses):
            if time.monotonic() > end:
                raise TimeoutError((self.folder / "log").read_text()[-2000:])
            time.sleep(0.05)

    def stop(self) -> None:
        """Kill it, as a power cut would."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()

    def spoil(self, digest: str) -> bytes:
        """Change a byte of what the registry keeps under `digest`; what was there before."""
        path = self.folder / f"data/docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
        before = path.read_bytes()
        path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
        return before

    def mend(self, digest: str, content: bytes) -> None:
        """Undo `spoil`."""
        path = self.folder / f"data/docker/registry/v2/blobs/sha256/{digest[7:9]}/{digest[7:]}/data"
        path.write_bytes(content)

    def _answers(self, address: str) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((address, self.port), 1) as connection:
            connection.sendall(b"GET /v2/ HTTP/1.0\r\n\r\n")
            return b" 200 " in connection.recv(64)
        return False
