"""Whether data from a file has the structure that its reader relies on, before anything of it is used."""

import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Many:
    """A list of any length, each item like `each`."""

    each: object


@dataclass(frozen=True)
class Some:
    """An object that may lack keys of `of`, and has no others."""

    of: Mapping[Any, object]


@dataclass(frozen=True)
class Least:
    """An object that has the keys of `of`, and perhaps others."""

    of: Mapping[Any, object]


def mismatch(found: object, like: object, at: str = "it") -> str | None:
    """Return the first place where `found` differs in structure from `like`, in words; None where it does
    not.

    In `like` a type stands for its values (`object` for any, a float is finite, an int no bool), a range for
    its numbers, a tuple for alternatives, a tensor for one of its type and shape; objects and lists for the
    same keys and lengths, inside alike; anything else for itself.
    """
    if isinstance(like, tuple):
        problems = [mismatch(found, each, at) for each in like]
        return None if None in problems else problems[-1]
    if isinstance(like, dict | Some | Least):
        return _keyed(found, like, at)
    if isinstance(like, list | Many):
        return _listed(found, like, at)
    return None if _fits(found, like) else f"{at} is {_short(found)}"


def _keyed(found: object, like: dict[Any, object] | Some | Least, at: str) -> str | None:
    if not isinstance(found, dict):
        return f"{at} is {_short(found)}, not an object"
    wanted = like if isinstance(like, dict) else like.of
    if not isinstance(like, Least) and (unknown := [key for key in found if key not in wanted]):
        return f"{at} has {_short(unknown[0])}"
    if not isinstance(like, Some) and (missing := [key for key in wanted if key not in found]):
        return f"{at} has no {_short(missing[0])}"
    both = [key for key in wanted if key in found]
    return next(filter(None, (mismatch(found[key], wanted[key], _short(key)) for key in both)), None)


def _listed(found: object, like: list[object] | Many, at: str) -> str | None:
    if not isinstance(found, list):
        return f"{at} is {_short(found)}, not a list"
    wanted = [like.each] * len(found) if isinstance(like, Many) else like
    if len(found) != len(wanted):
        return f"{at} has {len(found)} items, not {len(wanted)}"
    pairs = enumerate(zip(found, wanted, strict=True))
    return next(filter(None, (mismatch(a, b, f"{at}[{n}]") for n, (a, b) in pairs)), None)


def _fits(found: object, like: object) -> bool:
    if isinstance(like, range):
        return type(found) is int and found in like
    if isinstance(like, type):
        finite = not isinstance(found, float) or like is not float or math.isfinite(found)
        return (like is object or type(found) is like) and finite
    if hasattr(like, "dtype"):
        return all(getattr(found, name, None) == getattr(like, name) for name in ("dtype", "shape", "layout"))
    numbers = {type(found), type(like)} <= {int, float}
    return (numbers or type(found) is type(like)) and bool(found == like)


def _short(value: object) -> str:
    if hasattr(value, "dtype"):
        return f"a tensor of {value.dtype} {list(getattr(value, 'shape', ()))}"
    return reprlib.repr(value)[:60]
