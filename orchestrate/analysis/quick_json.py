"""JSON of records by msgspec, in a fraction of the time; what is refused is `bench.record.files` to say.

msgspec knows nothing of keys that appear twice, of depth, nor of endless whole numbers. What may hold any of
it goes to the parser that the boards have too, as does all that msgspec itself does not read.
"""

from typing import Any

import msgspec

from bench.record import files

LONG = b"," + 19 * b"0"  # a whole number of 19 digits begins as `_STARTS` makes it: beyond are 64 bits
_STARTS = bytes.maketrans(b"123456789:[- \t\r\n", b"000000000,,,,,,,")


def parse(data: bytes, path: str) -> Any:
    """Return the JSON value of `data`; `path` names it in messages. BadFileError as `files.parse_json`."""
    if data[:1] != b"{" or b"\\" in data or len(data) > files.MAX_NODES or LONG in data.translate(_STARTS):
        return files.parse_json(data, path)
    try:
        value = msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return files.parse_json(data, path)
    # No text holds a quote, so each of a key that appeared twice and is gone leaves two quotes less.
    if files.too_deep(data) or msgspec.json.encode(value).count(b'"') != data.count(b'"'):
        return files.parse_json(data, path)
    return value
