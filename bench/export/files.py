"""Large files from the cache into a bundle, and their hashes."""

import os
import shutil
from pathlib import Path

from bench.record.files import write_bytes


def write(path: Path, data: bytes) -> None:
    """Put `data` at `path`, whole or not at all, in a folder that is made where it lacks."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(str(path), data)


def place(source: Path, path: Path) -> None:
    """Put the contents of `source` at `path`, by a hard link where the file system allows one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    try:
        try:
            os.link(source, temporary)
        except OSError:
            shutil.copyfile(source, temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)  # renaming a link onto its own file leaves it
