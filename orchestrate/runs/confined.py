"""Files below one folder whose content may be a stranger's: a colleague's run, an unpacked archive, our own.

Names are relative and validated, no link is followed at any step, files are regular and of bounded size. What
breaks this is an UnsafeFile, in one line; what is merely missing is a FileNotFoundError, as everywhere.
"""

import errno
import fcntl
import hashlib
import io
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast

from orchestrate.console import first_line
from orchestrate.errors import OrbitError, StoreFailed

MAX_BYTES = 64_000_000  # of a file that is read into memory: a job list, a record
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
PLAIN = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a FIFO must not hang us before it is refused


class UnsafeFile(StoreFailed):
    """A name that leaves its folder, a link, a FIFO or device, or a file too large."""

    exit_code = 2

    def __init__(self, path: Path, what: str) -> None:
        super().__init__(f"{first_line(path)}: {what}; a run's folder holds plain files and folders only")


@dataclass(frozen=True)
class File:
    """A file that was found to be as it should, to be opened when its turn comes. `size` in bytes."""

    folder: "Folder"
    name: str
    size: int

    def open(self, mode: Literal["rb"]) -> BinaryIO:
        """Open it for reading."""
        return self.folder.open(self.name)

    def __str__(self) -> str:
        return str(self.folder.path(self.name))


class Folder:
    """A folder that may be entered; `root` itself was named by the user and may be a link.

    Every `name` is relative to it, with `/` between its parts.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Return where `name` lies, for messages and for programs of ours that checked it first."""
        return self.root.joinpath(*self._parts(name))

    def open(self, name: str, flags: int = os.O_RDONLY) -> io.BufferedRandom:
        """Open a regular file; with O_CREAT its mode is the user's umask's."""
        with self._parent(name) as (folder, last), self._refusals(name):
            handle = os.open(last, flags | PLAIN, 0o666, dir_fd=folder)
        status = os.fstat(handle)
        shared = status.st_nlink > 1 and flags & os.O_ACCMODE != os.O_RDONLY
        if not stat.S_ISREG(status.st_mode) or shared:
            os.close(handle)
            raise UnsafeFile(self.path(name), "has a second name" if shared else "is not a plain file")
        mode = {os.O_RDONLY: "rb", os.O_WRONLY: "wb", os.O_RDWR: "r+b"}[flags & os.O_ACCMODE]
        return cast(io.BufferedRandom, os.fdopen(handle, mode))  # of its methods those that `flags` allow

    def read(self, name: str, limit: int = MAX_BYTES) -> bytes:
        """Return the content of a file of at most `limit` bytes."""
        with self.open(name) as file:
            data = file.read(limit + 1)
        if len(data) > limit:
            raise UnsafeFile(self.path(name), f"is larger than {limit / 1e6:g} MB")
        return data

    def is_locked(self, name: str) -> bool:
        """Return whether another process holds a lock on the file `name`, which need not exist."""
        try:
            with self.open(name) as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except FileNotFoundError:
            return False
        except BlockingIOError:
            return True
        return False

    def end(self, name: str, limit: int = 1_000_000) -> bytes:
        """Return the last `limit` bytes of a file, of however large a one; empty where there is none."""
        try:
            with self.open(name) as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - limit))
                return file.read(limit)
        except FileNotFoundError:
            return b""

    def checked(self, name: str, sha256: str) -> File:
        """Return the file `name` if it has that SHA-256; OrbitError where it is missing or another."""
        try:
            with self.open(name) as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
                size = file.tell()
        except FileNotFoundError:
            raise OrbitError(f"{first_line(self.path(name))} is missing: begin a new run") from None
        if found != sha256:
            wrong = "its SHA-256 is not that of the job list"
            raise OrbitError(f"{first_line(self.path(name))}: {wrong}: begin a new run")
        return File(self, name, size)

    def write(self, name: str, data: bytes) -> None:
        """Replace a file whole or not at all; a link in its place is replaced, not followed."""
        with self._parent(name) as (folder, last):
            temporary = f".tmp-{secrets.token_hex(8)}"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | PLAIN
            try:
                with os.fdopen(os.open(temporary, flags, 0o666, dir_fd=folder), "wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, last, src_dir_fd=folder, dst_dir_fd=folder)
            except BaseException:
                with suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=folder)
                raise
            with suppress(OSError):  # some network file systems cannot; the rename itself is still atomic
                os.fsync(folder)

    def create(self, name: str) -> io.BufferedRandom:
        """Return a new, empty file in place of an old one, for a log that is written as it comes."""
        self.remove(name)
        return self.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL)

    def is_file(self, name: str) -> bool:
        """Return whether there is a file; UnsafeFile where something else has its name."""
        with suppress(FileNotFoundError):
            self.open(name).close()
            return True
        return False

    def names(self, name: str = "") -> list[str]:
        """Return what a folder holds (by default this one); empty where there is none."""
        parts = self._parts(name) if name else []
        with suppress(FileNotFoundError), self._folder(parts, name) as handle:
            return sorted(os.listdir(handle))
        return []

    def make(self, name: str) -> None:
        """Make a folder and those above it, where they are missing."""
        parts = self._parts(name)
        for depth in range(1, len(parts) + 1):
            with self._folder(parts[: depth - 1], name) as above, suppress(FileExistsError):
                os.mkdir(parts[depth - 1], dir_fd=above)
        with self._folder(parts, name):
            """It is a folder, and not a link to one."""

    def link(self, name: str, second: str) -> None:
        """Give a file a second name."""
        with self._parent(name) as (here, last), self._parent(second) as (there, new):
            os.link(last, new, src_dir_fd=here, dst_dir_fd=there, follow_symlinks=False)

    def remove(self, name: str) -> None:
        """Remove a file or link, if it is there."""
        with suppress(FileNotFoundError), self._parent(name) as (folder, last):
            os.unlink(last, dir_fd=folder)

    def remove_tree(self, name: str) -> None:
        """Remove a folder with all in it, if it is there; a link goes, what it leads to stays."""
        with suppress(FileNotFoundError), self._parent(name) as (folder, last):
            if stat.S_ISDIR(os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode):
                shutil.rmtree(last, ignore_errors=True, dir_fd=folder)
            else:
                os.unlink(last, dir_fd=folder)

    def check_tree(self, name: str) -> None:
        """Refuse a folder that holds links or special files, before a program that follows them goes in."""
        for entry in self.names(name):
            inner = f"{name}/{entry}"
            with self._parent(inner) as (folder, last):
                mode = os.stat(last, dir_fd=folder, follow_symlinks=False).st_mode
            if stat.S_ISDIR(mode):
                self.check_tree(inner)
            elif not stat.S_ISREG(mode):
                raise UnsafeFile(self.path(inner), "is not a plain file")

    def _parts(self, name: str) -> list[str]:
        parts = name.split("/")
        if any(part in ("", ".", "..") or not part.isprintable() or len(part) > 255 for part in parts):
            raise UnsafeFile(self.root, f"{name[:100]!r} is not a name in it")
        return parts

    @contextmanager
    def _parent(self, name: str) -> Iterator[tuple[int, str]]:
        *above, last = self._parts(name)
        with self._folder(above, name) as handle:
            yield handle, last

    @contextmanager
    def _folder(self, parts: list[str], name: str) -> Iterator[int]:
        """A descriptor of the folder at `parts`, reached step by step."""
        handle = os.open(self.root, FOLDER)
        try:
            for part in parts:
                with self._refusals(name):
                    inner = os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=handle)
                os.close(handle)
                handle = inner
            yield handle
        finally:
            os.close(handle)

    @contextmanager
    def _refusals(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            kinds = {
                errno.ELOOP: "is a link",
                errno.ENOTDIR: "lies behind a link or a file",
                errno.ENXIO: "is not a plain file",
                errno.EISDIR: "is a folder",
            }
            if error.errno in kinds:
                raise UnsafeFile(self.path(name), kinds[error.errno]) from None
            raise
