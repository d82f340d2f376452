"""What an image's files are, to compare two images by content."""

import subprocess
import tarfile
from hashlib import sha256
from typing import NamedTuple

from tests.service.board import Board


class Entry(NamedTuple):
    """One file: everything but its times, which say when it was built."""

    kind: bytes
    mode: int
    owner: tuple[int, int]
    size: int
    content: str  # hash, or a link's target


Tree = dict[str, Entry]
MADE_BY_THE_ENGINE = (".dockerenv", "etc/hosts", "etc/hostname", "etc/resolv.conf", "etc/mtab", "dev/")


def of_image(board: Board, image: str) -> Tree:
    """Name -> entry of every file of an image, as a container of it would see them."""
    name = board.docker("create", image, "none").strip()
    command = ["/usr/bin/docker", "-H", board.docker_host, "export", name]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            with tarfile.open(fileobj=process.stdout, mode="r|") as archive:
                return {
                    entry.name: _entry(archive, entry)
                    for entry in archive
                    if not entry.name.startswith(MADE_BY_THE_ENGINE)
                }
    finally:
        board.docker("rm", "-f", name)


def _entry(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> Entry:
    content = entry.linkname
    if entry.isreg():
        stream = archive.extractfile(entry)
        assert stream is not None
        content = sha256(stream.read()).hexdigest()
    return Entry(entry.type, entry.mode & 0o7777, (entry.uid, entry.gid), entry.size, content)


def differences(one: Tree, other: Tree) -> list[str]:
    """A line for every file that only one has, or that differs."""
    lines = [f"only in one: {name}" for name in sorted(one.keys() ^ other.keys())]
    changed = sorted(name for name in one.keys() & other.keys() if one[name] != other[name])
    return lines + [f"{name}: {one[name]} / {other[name]}" for name in changed]
