"""Records parsed and checked in one pass by msgspec: nearly all are sound, and those are all that it accepts.

Its types are made from the demands of the schema. Whatever it does not accept goes to `quick_json` and to the
schema, which alone refuse. What it accepts they would accept too: nothing is deeper than its type, no whole
number is beyond 62 bits, and as no text holds a quote, each key that appeared twice, or that the schema does
not know, leaves two quotes less where the record is written again.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal, NotRequired, TypedDict, Union

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

from bench.record import files, job_fields, loads, record_fields, schema, sound
from bench.record.types import Json
from orchestrate.analysis import quick_json

SHARED = 64  # models and environments kept, which many records of a run have in common
SHARED_BYTES = 16384  # one is of 0.3 to 3 kB, and takes up to 25 times as much when it is parsed


def parse(data: bytes) -> Json | None:
    """Return the record of a single stream in `data`; None where others have to judge it."""
    if b"\\" in data or len(data) > files.MAX_NODES:
        return None
    decode, encode = _coders()
    try:
        parsed = decode(data)
        if encode(parsed).count(b'"') != data.count(b'"'):
            return None
        record = _plain(parsed)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None
    return None if schema.contradictions(record, decode=None) else record


def _plain(parsed: Any) -> Json:
    """As dicts; equal models and environments are one object each."""
    record, job = _fields(parsed), _fields(parsed.job)
    job["model"] = _part(bytes(parsed.job.model), job_fields.model)
    record.update(job=job, environment=_part(bytes(parsed.environment), record_fields.environment))
    return record


def _fields(parsed: Any) -> Json:
    return {key: value for key, value in msgspec.structs.asdict(parsed).items() if value is not UNSET}


def _part(data: bytes, check: sound.Check) -> Json:
    """A value that others may share, parsed and checked; ValueError where it is not sound."""
    return (_kept if len(data) <= SHARED_BYTES else _parsed)(data, check)


def _parsed(data: bytes, check: sound.Check) -> Json:
    """It is parsed inside two objects, the most that it is in: their depth counts too."""
    value: Json = quick_json.parse(b'{"":{"":' + data + b"}}", "")[""][""]
    if not sound.passes(check, value):
        raise ValueError("not sound")
    return value


_kept = lru_cache(maxsize=SHARED)(_parsed)


@lru_cache(maxsize=1)
def _coders() -> tuple[Callable[[bytes], Any], Callable[[Any], bytes]]:
    kind = loads.KINDS[loads.SINGLE]
    job = _struct(job_fields.job, {"model": Raw})
    header = {"schema": LITERAL[schema.VERSION], "kind": LITERAL[kind]}
    record = _struct(schema.KINDS[kind], {**header, "job": job, "environment": Raw})
    return msgspec.json.Decoder(record).decode, msgspec.json.Encoder().encode


# Types made while running, for which the type checker has no words.
ANNOTATED: Any = Annotated
DICT: Any = dict
LIST: Any = list
LITERAL: Any = Literal
TYPED_DICT: Any = TypedDict
UNION: Any = Union
NOTHING: Any = ANNOTATED[str, Meta(min_length=1, max_length=0)]


def _struct(check: sound.Check, types: Mapping[str, Any]) -> Any:
    """An object some of whose fields have a type of their own: only a struct may leave a field unparsed."""
    known = sound.demand(check)
    assert isinstance(known, sound.Object)
    required = {f.key: type_of(f.check) for f in known.fields if f.required and f.key not in types}
    optional = [(f.key, UNION[type_of(f.check), UnsetType], UNSET) for f in known.fields if not f.required]
    return msgspec.defstruct("Sound", [*types.items(), *required.items(), *optional])


def type_of(check: sound.Check) -> Any:
    """The type of what surely passes `check`: of nothing where no type can express it."""
    known = sound.demand(check)
    return _TYPES[type(known)](known) if type(known) in _TYPES else NOTHING


def _number(known: sound.Number) -> Any:
    whole = ANNOTATED[int, Meta(ge=known.least, le=known.most)]
    return whole if known.integer else UNION[whole, _fraction(known)]


def _fraction(known: sound.Number) -> Any:
    """The ends of all that is in range are no floats: those next to them are the first out of range."""
    low, high = float(known.least), float(known.most)
    above = Meta(ge=low) if low == known.least else Meta(gt=low)
    below = Meta(le=high) if high == known.most else Meta(lt=high)
    return ANNOTATED[float, above, below]


def _object(known: sound.Object) -> Any:
    types = {f.key: type_of(f.check) if f.required else NotRequired[type_of(f.check)] for f in known.fields}
    return TYPED_DICT("Sound", types)


def _anything(known: sound.Anything) -> Any:
    """What is flat, or flat inside one list or object: deeper is rare, and for others to judge."""
    text = ANNOTATED[str, Meta(max_length=known.longest)]
    flat = UNION[type_of(record_fields.number_or_null), bool, text]
    return UNION[flat, DICT[text, flat], LIST[flat]]


def _listing(known: sound.Listing) -> Any:
    return ANNOTATED[LIST[type_of(known.inner)], Meta(min_length=known.least, max_length=known.most)]


_TYPES: Mapping[type, Callable[[Any], Any]] = {
    sound.Anything: _anything,
    sound.Boolean: lambda known: bool,
    sound.Choice: lambda known: LITERAL[known.allowed],
    sound.Listing: _listing,
    sound.Mapping: lambda known: DICT[str, type_of(known.inner)],
    sound.Matching: lambda known: ANNOTATED[str, Meta(pattern=rf"\A(?:{known.pattern.pattern})")],
    sound.Nullable: lambda known: UNION[type_of(known.inner), None],
    sound.Number: _number,
    sound.Object: _object,
    sound.Text: lambda known: ANNOTATED[str, Meta(max_length=known.longest)],
}
