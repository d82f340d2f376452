"""A pydantic error in the words of the person who wrote the file."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from bench.manifests.problems import KeyPath, choices

_WRONG_TYPE = re.compile(r"must be (an? [\w ]+)(?:, unable [\w ]+)?, (not .+)", re.DOTALL)


def path_in_data(data: Any, loc: tuple[str | int, ...], kind: str) -> KeyPath:
    """Drop from pydantic's location what names a branch of a union instead of a key of the file."""
    path: list[str | int] = []
    for position, part in enumerate(loc):
        keys = data if isinstance(data, dict) else range(len(data)) if isinstance(data, list) else ()
        if part in keys:
            path.append(part)
            data = data[part]
        elif kind == "missing" and position == len(loc) - 1:
            path.append(part)
    return tuple(path)


def message(model: type[BaseModel], path: KeyPath, details: ErrorDetails) -> str:
    """Say what is wrong with the value at `path` of a file read as `model`."""
    kind, value, context = details["type"], details["input"], details.get("ctx", {})
    if kind == "missing":
        return "required, but missing"
    if kind == "extra_forbidden":
        allowed = sorted({name for found in _models_at(model, path[:-1]) for name in _keys(found)})
        return f"unknown key {choices(path[-1], allowed)}"
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        expected = str(context.get("expected") or context.get("expected_tags"))
        allowed = re.findall(r"'((?:[^'\\]|\\.)*)'", expected) or re.split(r", | or ", expected)
        return f"unknown value {context.get('tag', value)!r} {choices(context.get('tag', value), allowed)}"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("too_short", "too_long"):
        bound = details["msg"].partition(" should have ")[2].partition(" after ")[0]  # at least 2 items
        return f"must have {bound}, not {len(value)}"
    text = (
        re.sub(r" or instance of \w+", "", details["msg"])
        .replace("Input should be", "must be")
        .replace("dictionary", "mapping")
    )
    return text[:1].lower() + text[1:] + _instead(value)


def together(texts: Mapping[KeyPath, list[str]]) -> Iterator[tuple[KeyPath, str]]:
    """Yield each place with what is wrong there: a value that may be of several types is refused by each.

    Where something inside the value is wrong as well, its type was right.
    """
    for path, messages in texts.items():
        kinds = [found for text in messages if (found := _WRONG_TYPE.fullmatch(text))]
        if kinds and any(len(other) > len(path) and other[: len(path)] == path for other in texts):
            kinds = []
        yield from ((path, text) for text in messages if not _WRONG_TYPE.fullmatch(text))
        if len(kinds) == 1:
            yield path, kinds[0][0]
        elif kinds:
            *names, last = (found[1] for found in kinds)
            yield path, f"must be {', '.join(names)} or {last}, {kinds[0][2]}"


def _instead(value: object) -> str:
    if isinstance(value, (dict, list, tuple)):
        return f", not a {'mapping' if isinstance(value, dict) else 'list'}"
    return ", not empty" if value is None else f", not {value!r}"


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, info in model.model_fields.items():
        yield info.alias or name


def _models_at(annotation: Any, path: KeyPath) -> Iterator[type[BaseModel]]:
    """All models that the value at `path` could be an instance of, following lists, mappings and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        if not path:
            yield annotation
        for name, info in annotation.model_fields.items():
            if path and path[0] in (name, info.alias):
                yield from _models_at(info.annotation, path[1:])
        return
    consumed = get_origin(annotation) in (list, tuple, dict, set, frozenset)
    for argument in get_args(annotation)[1 if get_origin(annotation) is dict else 0 :]:
        if path or not consumed:
            yield from _models_at(argument, path[1:] if consumed else path)
