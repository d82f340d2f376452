"""Paths that a command is to write to: tried at its start, not after hours of work."""

import re
from pathlib import Path
from tempfile import TemporaryFile

from bench.errors import InputError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def folder(option: str, path: Path) -> Path:
    """Make the folder `path` and try to write there; InputError names the `option` that names it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):  # permissions alone do not show it: root, /proc, read-only file systems
            return path
    except FileExistsError:
        raise InputError(f"{option} {path}: this is a file; give a folder") from None
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise InputError(f"{option} {path}: cannot be written: {reason}; choose another folder") from None


def file(option: str, path: Path) -> Path:
    """Try that the file `path` can be written; InputError names the `option` that names it."""
    if path.is_dir():
        raise InputError(f"{option} {path}: this is a folder; give a file")
    folder(option, path.parent)
    return path


def manifest(option: str, path: Path) -> Path:
    """Try that the file `path` can be written, and has a name by which it will be found: NAME.yaml."""
    named = NAME.fullmatch(path.stem) and path.suffix == ".yaml"
    if not named and not path.is_dir():
        raise InputError(
            f"{option} {path}: call it NAME.yaml, NAME of letters, digits and . _ -, at most 100"
        )
    return file(option, path)


def existing(option: str, path: Path) -> Path:
    """Return the folder `path`, which is only read; InputError where it is missing, or a file."""
    if not path.is_dir():
        reason = "this is a file; give a folder" if path.exists() else "no such folder; check the path"
        raise InputError(f"{option} {path}: {reason}")
    return path
