"""Files that are written whole or not at all, and files of strangers read within bounds."""

import binascii
import errno
import hashlib
import json
import math
import os
import re
import stat
from collections import Counter
from typing import Any, Dict, List, NoReturn, Tuple

MAX_BYTES = 32 * 1000 * 1000  # of a JSON file; a record with three 24,576-sample processes has 0.3 MB
MAX_NODES = 2 * 1000 * 1000  # values of a JSON file: an empty object is 2 bytes there and 64 in memory
MAX_DEPTH = 40
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b'"[]{}'))
_ONE_KIND = bytes.maketrans(b"[]{}", b"()()")
_DIGITS_ALIKE = bytes.maketrans(b"123456789", b"000000000")
_CAREFUL = sum((os.O_RDONLY, os.O_NOFOLLOW, os.O_NONBLOCK, os.O_CLOEXEC))  # flags of distinct bits
_NEW = sum((os.O_WRONLY, os.O_CREAT, os.O_EXCL, os.O_CLOEXEC))
MAX_DIGITS = 30  # of a whole number: Python 3.6 needs minutes for millions of them


class BadFileError(ValueError):
    """A file that cannot be used. The text is one line: which file, where in it, and why."""


def write_bytes(path: str, data: bytes) -> None:
    """Replace `path` by `data`, or leave it as it was: temporary file, fsync, rename, fsync of the folder."""
    folder = os.path.dirname(os.path.abspath(path))
    temporary = os.path.join(folder, ".tmp-" + binascii.hexlify(os.urandom(8)).decode("ascii"))
    # Not mkstemp, whose files are private: the user's umask decides who else may read.
    handle = os.open(temporary, _NEW, 0o666)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
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


def write_json(path: str, value: object) -> None:
    """Write `value` as JSON, atomically. ValueError for NaN or infinity, which JSON does not have."""
    write_bytes(path, (json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n").encode("utf-8"))


def sha256_of(path: str) -> str:
    """Return the SHA-256 of a file, as 64 hexadecimal digits: it ties a figure to what it was measured on."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def read_bytes(path: str, limit: int, links: bool = False) -> bytes:
    """Return the content of a regular file of at most `limit` bytes; BadFileError for anything else.

    A FIFO would be waited for without end, a device never ends, and a link may lead to either, or out of the
    folder that was asked for: none of them is read. links: follow them, for a path that its owner gave.
    """
    try:
        handle = os.open(path, _CAREFUL - os.O_NOFOLLOW if links else _CAREFUL)
    except OSError as error:
        link = error.errno == errno.ELOOP
        reason = "is a link, not a regular file" if link else "cannot be read: {}".format(error.strerror)
        raise BadFileError("{}: {}".format(path, reason)) from None
    try:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise BadFileError("{}: is {}, not a regular file".format(path, _kind(status.st_mode)))
        data = _up_to(handle, status.st_size, limit) if status.st_size <= limit else b""
    finally:
        os.close(handle)
    if max(len(data), status.st_size) > limit:
        raise BadFileError("{}: larger than {:g} MB".format(path, limit / 1e6))
    return data


def _up_to(handle: int, expected: int, limit: int) -> bytes:
    """What can be read, one byte beyond `limit` at most; at once where there is as much as expected."""
    data = os.read(handle, expected + 1)
    while len(data) != expected and len(data) <= limit:
        more = os.read(handle, limit + 1 - len(data))
        if not more:
            break
        data += more
    return data


def _kind(mode: int) -> str:
    return "a folder" if stat.S_ISDIR(mode) else "a FIFO" if stat.S_ISFIFO(mode) else "a device or socket"


def read_json(path: str) -> Any:
    """Return the JSON value in a regular file; BadFileError for what `parse_json` refuses."""
    return parse_json(read_bytes(path, MAX_BYTES), path)


def parse_json(data: bytes, path: str) -> Any:
    """Return the JSON value of `data`; `path` names it in messages.

    BadFileError for what is not JSON, too large, too deep, has too many values, holds NaN or an infinity, a
    key twice, an endless number, or text that is not Unicode.
    """
    if len(data) > MAX_BYTES:
        raise BadFileError("{}: larger than {:g} MB".format(path, MAX_BYTES / 1e6))
    if len(data) > MAX_NODES and data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_NODES:
        raise BadFileError("{}: more than {} values".format(path, MAX_NODES))
    long = b"0" * MAX_DIGITS in data.translate(_DIGITS_ALIKE)
    try:
        value = (_careful if long else _quick).decode(data.decode("utf-8"))
        if b"\\" in data and (
            b"\\ud" in data or b"\\uD" in data
        ):  # half of a surrogate pair can be written so
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise BadFileError("{}: nested deeper than {} levels".format(path, MAX_DEPTH)) from None
    except UnicodeEncodeError:
        raise BadFileError("{}: not JSON: half of a surrogate pair is not text".format(path)) from None
    except ValueError as error:  # also a JSONDecodeError and a UnicodeDecodeError
        raise BadFileError("{}: not JSON: {}".format(path, error)) from None
    if too_deep(data):
        raise BadFileError("{}: nested deeper than {} levels".format(path, MAX_DEPTH))
    return value


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError("a number of {} digits".format(len(text)))
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError("{} is out of any range".format(text[:MAX_DIGITS]))
    return value


def _refuse(constant: str) -> NoReturn:
    raise ValueError("{} is not a JSON number".format(constant))


def _unique(pairs: List[Tuple[str, object]]) -> Dict[str, object]:
    value = dict(pairs)
    if len(value) != len(pairs):
        twice, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise ValueError("key {!r} appears twice".format(twice[:60]))
    return value


def too_deep(data: bytes) -> bool:
    """Whether the lists and objects of sound JSON are nested beyond MAX_DEPTH."""
    if b"\\" in data:
        data = _TEXT.sub(b"", data)
    # Nearly every text is now nothing but two quotes. Where text follows text, the two become one.
    brackets = _TEXT.sub(b"", data.translate(_ONE_KIND, _NO_BRACKETS).replace(b'""', b""))
    for _ in range(MAX_DEPTH):
        if not brackets:
            break
        brackets = brackets.replace(b"()", b"")
    return bool(brackets)


_quick = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_float, parse_constant=_refuse)
_careful = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_float, parse_constant=_refuse
)
