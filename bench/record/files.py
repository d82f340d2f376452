"""Files that are written whole or not at all, and JSON read with suspicion."""

import json
import os
import tempfile
from typing import Any, Dict, List, Tuple

MAX_BYTES = 64 * 1000 * 1000  # of a JSON file; a record with three 24,576-sample processes has 0.3 MB
MAX_DEPTH = 40


class BadFileError(ValueError):
    """A file that cannot be used. The text is one line: which file, where in it, and why."""


def write_bytes(path: str, data: bytes) -> None:
    """Replace `path` by `data`, or leave it as it was: temporary file, fsync, rename, fsync of the folder."""
    folder = os.path.dirname(os.path.abspath(path))
    handle, temporary = tempfile.mkstemp(prefix=".tmp-", dir=folder)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError:  # some network file systems cannot; the rename itself is still atomic
        pass
    finally:
        os.close(handle)


def write_json(path: str, value: Any) -> None:
    """Write `value` as JSON, atomically. ValueError for NaN or infinity, which JSON does not have."""
    write_bytes(path, (json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n").encode("utf-8"))


def read_json(path: str) -> Any:
    """The JSON value in `path`; BadFileError for what is too large, too deep, not JSON, or holds NaN or a
    key twice."""
    try:
        with open(path, "rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadFileError("{}: cannot be read: {}".format(path, error.strerror)) from error
    if len(data) > MAX_BYTES:
        raise BadFileError("{}: larger than {} MB".format(path, MAX_BYTES // 1000000))
    try:
        value = json.loads(data.decode("utf-8"), parse_constant=_refuse, object_pairs_hook=_unique)
    except RecursionError:
        raise BadFileError("{}: nested deeper than {} levels".format(path, MAX_DEPTH)) from None
    except ValueError as error:  # also a JSONDecodeError and a UnicodeDecodeError
        raise BadFileError("{}: not JSON: {}".format(path, error)) from error
    if _deeper_than(value, MAX_DEPTH):
        raise BadFileError("{}: nested deeper than {} levels".format(path, MAX_DEPTH))
    return value


def _refuse(constant: str) -> Any:
    raise ValueError("{} is not a JSON number".format(constant))


def _unique(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError("key {!r} appears twice".format(next(k for k in keys if keys.count(k) > 1)))
    return value


def _deeper_than(value: Any, limit: int) -> bool:
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return limit == 0 or any(_deeper_than(c, limit - 1) for c in children if isinstance(c, (dict, list)))
