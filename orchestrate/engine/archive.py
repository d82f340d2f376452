"""Files to and from a board, as the tar streams that an engine takes and gives.

What a board sends is believed only as far as it is plain files of bounded size below one folder.
"""

import contextlib
import io
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, Protocol, TypeVar

from orchestrate.console import first_line
from orchestrate.engine.errors import BadArchive
from orchestrate.errors import OrbitError


class Openable(Protocol):
    """A file that is more than a path; its text names it."""

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """Open it for reading."""


Source = Path | bytes | Openable
CHUNK = 256 * 1024
OVERHEAD = 64 * 1024  # tar headers and padding that one file may bring beyond its bytes
PLAIN = (tarfile.REGTYPE, tarfile.AREGTYPE)

Result = TypeVar("Result")


def stream(files: Mapping[str, Source], progress: Callable[[int], None] = lambda _: None) -> Iterator[bytes]:
    """Yield a tar archive of relative names -> local files or bytes, chunk by chunk; nothing is held in
    memory.

    Everything belongs to root and may be read by all. `progress` hears how many bytes have gone.
    """
    for folder in sorted(
        {parent for name in files for parent in PurePosixPath(name).parents} - {PurePosixPath(".")}
    ):
        entry = tarfile.TarInfo(str(folder))
        entry.type, entry.mode = tarfile.DIRTYPE, 0o755
        yield entry.tobuf(tarfile.PAX_FORMAT)
    for name, source in files.items():
        yield from _entry(name, source, progress)
    yield bytes(2 * tarfile.BLOCKSIZE)


def _entry(name: str, source: Source, progress: Callable[[int], None]) -> Iterator[bytes]:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o644
    with contextlib.ExitStack() as stack:
        with _local(source):
            file: BinaryIO = io.BytesIO(source) if isinstance(source, bytes) else source.open("rb")
            stack.enter_context(file)
            entry.size = file.seek(0, io.SEEK_END)
            file.seek(0)
        yield entry.tobuf(tarfile.PAX_FORMAT)
        left = entry.size
        while left:
            with _local(source):
                chunk = file.read(min(CHUNK, left))
            if not chunk:
                raise OrbitError(f"{source!s}: became shorter while it was sent")
            left -= len(chunk)
            yield chunk
            progress(len(chunk))
    yield bytes(-entry.size % tarfile.BLOCKSIZE)


@contextlib.contextmanager
def _local(source: Source) -> Iterator[None]:
    """Our own disk's errors must not be taken for the link's, which are tried again."""
    try:
        yield
    except OSError as error:
        raise OrbitError(f"{source!s}: {error.strerror}") from error


class _Limited(io.RawIOBase):
    """Chunks as a file that ends with an error after `limit` bytes."""

    def __init__(self, host: str, chunks: Iterable[bytes], limit: int) -> None:
        self._host = host
        self._chunks = iter(chunks)
        self._limit = limit
        self._left = limit
        self._rest = b""
        self.failure: Exception | None = None

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) < size and (chunk := self._next()):
            self._left -= len(chunk)
            if self._left < 0:
                raise BadArchive(self._host, f"it sent more than {self._limit} bytes")
            self._rest += chunk
        data, self._rest = self._rest[:size], self._rest[size:]
        return data

    def _next(self) -> bytes:
        try:
            return next(self._chunks, b"")
        except Exception as error:
            self.failure = error  # the link's, not the archive's
            raise


class _Header(tarfile.TarInfo):
    """A header whose own extensions (long names, pax records) are bounded before they are read."""

    def _proc_member(self, archive: tarfile.TarFile) -> tarfile.TarInfo:
        if self.type not in PLAIN and not 0 <= self.size <= OVERHEAD:
            raise tarfile.ReadError(f"a header of {self.size} bytes")
        return super()._proc_member(archive)  # type: ignore[misc, no-any-return]


def read(
    host: str, chunks: Iterable[bytes], *, file_limit: int, total_limit: int | None = None
) -> Iterator[tuple[str, bytes]]:
    """(relative name, content) of every file in the tar stream that the engine made of one file or folder.

    The first part of each path, the name of what was asked for, is dropped; a single file has the name "".
    Raises BadArchive for a file larger than `file_limit` bytes, more than `total_limit` in all (default: one
    file), links, devices, sparse files, and paths that would lead out of the folder.
    """
    limited = _Limited(host, chunks, (file_limit if total_limit is None else total_limit) + OVERHEAD)
    try:
        with _step(host, limited, lambda: _opened(limited)) as archive:
            while (entry := _step(host, limited, archive.next)) is not None:
                if not entry.isdir():
                    name = _checked_name(host, entry)
                    yield name, _step(host, limited, lambda: _content(host, archive, entry, file_limit))
    except tarfile.TarError as error:
        raise BadArchive(host, f"it sent a broken archive ({first_line(error)})") from error


def _opened(limited: _Limited) -> tarfile.TarFile:
    return tarfile.open(fileobj=limited, mode="r|", bufsize=CHUNK, tarinfo=_Header)


def _step(host: str, limited: _Limited, action: Callable[[], Result]) -> Result:
    """The result of `action`; whatever a malformed stream makes of tarfile becomes BadArchive."""
    try:
        return action()
    except Exception as error:
        if isinstance(error, BadArchive) or error is limited.failure:
            raise
        raise BadArchive(host, f"it sent a broken archive ({first_line(error)})") from error


def _checked_name(host: str, entry: tarfile.TarInfo) -> str:
    parts = PurePosixPath(entry.name).parts
    if entry.name.startswith("/") or ".." in parts or "\\" in entry.name or not entry.name.isprintable():
        raise BadArchive(host, f"it sent a file with the path {entry.name[:100]!r}")
    if entry.type not in PLAIN or entry.issparse():
        raise BadArchive(host, f"it sent {entry.name[:100]!r}, which is not a plain file")
    return "/".join(parts[1:])


def _content(host: str, archive: tarfile.TarFile, entry: tarfile.TarInfo, limit: int) -> bytes:
    if entry.size > limit:
        raise BadArchive(
            host, f"it sent {entry.name[:100]!r} of {entry.size} bytes; at most {limit} are expected"
        )
    file = archive.extractfile(entry)
    content = file.read() if file else b""
    if len(content) != entry.size:
        raise BadArchive(host, f"it sent only a part of {entry.name[:100]!r}")
    return content
