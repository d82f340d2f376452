"""The official archives: found or fetched, and never trusted without their checksum."""

import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from bench.data.errors import DataError
from bench.record.files import sha256_of

BLOCK = 1 << 20  # bytes
TIMEOUT = 60  # seconds without a byte


@dataclass(frozen=True)
class Archive:
    """A file as its authors publish it; its SHA-256 is pinned."""

    dataset: str
    file: str
    url: str
    sha256: str
    size: str

    def locate(self, root: Path | str | None) -> Path:
        """Return the verified archive. `root`: its folder, itself, or a URL, fetched into the data folder.

        Raises DataError with instructions where it is absent, and for a wrong checksum.
        """
        home = Path(os.environ.get("ORBITBENCH_DATA", "data"))
        if root is not None and "://" in str(root):
            path = home / self.file
            if not path.is_file():
                self._fetch(str(root), path)
        else:
            path = Path(root) if root is not None else home
            path = path / self.file if path.is_dir() else path
        if not path.is_file():
            raise DataError(self._instructions(path))
        self._verify(path, sha256_of(str(path)))
        return path

    def _instructions(self, path: Path) -> str:
        return (
            f"{self.dataset} is not here: {path} does not exist. Download {self.url} ({self.size}) into "
            f"{path.parent}/, or let it be fetched with --data {self.url}"
        )

    def _verify(self, path: Path, found: str) -> None:
        if found != self.sha256:
            raise DataError(
                f"{path} is not the official {self.file}: its SHA-256 is {found}, not {self.sha256}; "
                f"remove it and download {self.url}"
            )

    def _fetch(self, url: str, path: Path) -> None:
        if not url.startswith(("https://", "file:///")):
            raise DataError(f"{url}: give an https:// address")
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as source, partial.open("wb") as file:  # noqa: S310
                while block := source.read(BLOCK):
                    file.write(block)
                os.fsync(file.fileno())
            self._verify(Path(url), sha256_of(str(partial)))
            partial.replace(path)
        except (urllib.error.URLError, OSError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{url} cannot be fetched: {error}") from None
        finally:
            partial.unlink(missing_ok=True)
