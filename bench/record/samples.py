"""Series of durations, packed for JSON: 24,576 samples in some 60 kB of text rather than a quarter of a
megabyte.

Integer nanoseconds -> differences of neighbours -> zig-zag (0, -1, 1, -2 ... become 0, 1, 2, 3 ...) -> 7 bits
a byte, least significant first, the high bit means that more follow (varint) -> zlib -> base64.
"""

import base64
import binascii
import zlib
from typing import Iterable, List

from bench.record.measured import Series

ENCODING = "delta-zlib-base64"
MAX_SAMPLES = 1000 * 1000
_MAX_VARINT = 10  # bytes of a 64-bit value
_ENDS = bytes(bytearray(range(128)))  # the last byte of a varint is one of these
_LIMIT = 2**62  # ns: a century and more; larger is not a duration


def encode(nanoseconds: Iterable[int]) -> Series:
    """Pack integer nanoseconds, which may be negative and in any order. ValueError beyond 2^62."""
    packed, previous, count = bytearray(), 0, 0
    for value in nanoseconds:
        if not -_LIMIT < value < _LIMIT:
            raise ValueError("{} ns is not a duration".format(value))
        _append(packed, value - previous)
        previous, count = value, count + 1
    data = base64.b64encode(zlib.compress(bytes(packed), 9)).decode("ascii")
    return {"n": count, "unit": "ns", "encoding": ENCODING, "data": data}


def _append(packed: bytearray, difference: int) -> None:
    rest = difference * 2 if difference >= 0 else -difference * 2 - 1
    while rest > 0x7F:
        packed.append(rest & 0x7F | 0x80)
        rest >>= 7
    packed.append(rest)


def decode(series: Series) -> List[int]:
    """Decode a series to integer nanoseconds. ValueError, in one line, for anything that `encode` cannot have
    made."""
    values = _unpack(unpack(series))
    if any(not -_LIMIT < value < _LIMIT for value in values):
        raise ValueError("series holds what is not a duration")
    return values


def unpack(series: Series) -> bytes:
    """Return the varints of a series, as many as its `n` states and no more than that may need; ValueError as
    `decode`."""
    check_header(series)
    count = series["n"]
    try:
        compressed = base64.b64decode(series["data"].encode("ascii"), validate=True)
        inflater = zlib.decompressobj()
        packed = inflater.decompress(compressed, max(1, count * _MAX_VARINT))  # bounds a zip bomb
        whole = inflater.eof and not inflater.unused_data
    except (binascii.Error, UnicodeEncodeError, zlib.error) as error:
        raise ValueError("series is damaged: {}".format(error)) from None
    found = len(packed) - len(packed.translate(None, _ENDS))
    if not whole or found != count:
        raise ValueError("series states n = {} but holds {} samples".format(count, found))
    return packed


def check_header(series: object) -> None:
    """ValueError where a series is not an object with a known unit, encoding and count."""
    if not sound_header(series):
        _refuse_header(series)


def sound_header(series: object) -> bool:
    """Return whether a series surely has what `check_header` demands, as nearly all have."""
    if not isinstance(series, dict) or series.get("unit") != "ns" or series.get("encoding") != ENCODING:
        return False
    count = series.get("n")
    return type(count) is int and 0 <= count <= MAX_SAMPLES and type(series.get("data")) is str


def _refuse_header(series: object) -> None:
    if not isinstance(series, dict) or not isinstance(series.get("data"), str):
        raise ValueError("series is not an object with `data`")
    for key, expected in (("unit", "ns"), ("encoding", ENCODING)):
        if series.get(key) != expected:
            found = repr(series.get(key))[:60]
            raise ValueError("series has {} {}, known is {!r}".format(key, found, expected))
    count = series.get("n")
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MAX_SAMPLES:
        raise ValueError("series has n = {}, allowed is 0 to {}".format(repr(count)[:60], MAX_SAMPLES))


def _unpack(packed: bytes) -> List[int]:
    values, previous, rest, shift = [], 0, 0, 0
    for byte in packed:
        rest |= (byte & 0x7F) << shift
        shift += 7
        if byte & 0x80:
            if shift >= 7 * _MAX_VARINT:
                raise ValueError("series is damaged: a value longer than 64 bits")
            continue
        previous += (rest >> 1) ^ -(rest & 1)
        values.append(previous)
        rest, shift = 0, 0
    if shift:
        raise ValueError("series is damaged: it ends inside a value")
    return values


def seconds(series: Series) -> List[float]:
    """Decode the samples of a series to seconds."""
    return [value * 1e-9 for value in decode(series)]
