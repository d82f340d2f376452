"""Folders in which runs are made, beside the finished ones: they go when their makers end, however they end.

A maker holds the kernel's lock on its folder, and so do the children that it hands the descriptor to. What
SIGKILL or a power cut leaves is locked by nobody: the next run into the same results folder removes it.
"""

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = ".new-"


@contextmanager
def draft(results: Path) -> Iterator[tuple[Path, int]]:
    """A new folder in `results`, and the descriptor that holds it; what is not moved away in time goes.

    So does `results` itself where it is made here and nothing stays in it.
    """
    made = [place for place in (results, *results.parents) if not place.exists()]
    results.mkdir(parents=True, exist_ok=True)
    remove_abandoned(results)
    path, handle = _new(results)
    try:
        yield path, handle
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)
        with suppress(OSError):  # not empty: there is a run in it
            for place in made:
                place.rmdir()


def remove_abandoned(results: Path) -> None:
    """Remove the folders whose makers are dead."""
    for path in results.glob(f"{PREFIX}*"):
        with suppress(OSError):  # held, or gone since, or on a file system that cannot lock folders
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(handle)


def _new(results: Path) -> tuple[Path, int]:
    while True:
        path = results / f"{PREFIX}{secrets.token_hex(4)}"
        path.mkdir()  # not mkdtemp, whose folders are private: the umask decides who may read a run
        with suppress(FileNotFoundError):  # another run swept it before it was held
            handle = os.open(path, os.O_RDONLY)
            with suppress(OSError):  # where folders cannot be locked nobody sweeps either
                fcntl.flock(handle, fcntl.LOCK_EX)
            if path.exists():
                return path, handle
            os.close(handle)
