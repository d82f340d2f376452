"""Checks of JSON values, as small functions put together: `check(value, path, problems)` appends what is
wrong.

Nothing raises and nothing is changed: all problems of a file are found at once, each with its path in the
file. A record has hundreds of values, a report thousands of records, and nearly all of them are sound: so
what is sound is accepted first (sound.py), and a path is written out only once there is something to report.
"""

import math
import re
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple, Union

from bench.record import sound

Problem = NamedTuple("Problem", [("path", str), ("reason", str)])
Path = Union[str, Tuple[Any, Union[str, int]]]  # text, or (the path of what holds it, its key or index)
Check = Callable[[object, Path, List[Problem]], None]

MAX_TEXT = 100 * 1000
MAX_NAME = 200
MAX_PROBLEMS = 100  # reported of one file; a hostile one has millions
MAX_INTEGER = 2**62
IDENTIFIER = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def report(problems: List[Problem], path: Path, reason: str) -> None:
    """Append a problem, up to MAX_PROBLEMS of them."""
    if len(problems) < MAX_PROBLEMS:
        problems.append(Problem(_dotted(path) or "the file", reason))


def _dotted(path: Path) -> str:
    """Return `memory.rungs[3].rss`; keys as they are shown in messages, since a stranger chose them."""
    steps = []
    while isinstance(path, tuple):
        path, step = path
        steps.append("[{}]".format(step) if isinstance(step, int) else "." + shown(step)[1:-1])
    inner = "".join(reversed(steps))
    return path + inner if path else inner[inner[:1] == "." :]


def _name(value: object) -> str:
    kinds = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")


def shown(value: object) -> str:
    """Return a value as text for a message, never longer than 60 characters."""
    if isinstance(value, (dict, list)) and value:
        return _name(value)
    text = repr(value[:61] if isinstance(value, str) else value)
    return text if len(text) <= 60 else text[:57] + "..."


def anything(value: object, path: Path, problems: List[Problem]) -> None:
    """Demand nothing but that every text in it is of a sane length."""
    if isinstance(value, str):
        text(value, path, problems)
    elif isinstance(value, dict):
        for key, element in value.items():
            text(key, path, problems)
            anything(element, (path, key), problems)
    elif isinstance(value, list):
        for index, element in enumerate(value):
            anything(element, (path, index), problems)


def _sane(value: object) -> bool:
    if isinstance(value, str):
        return len(value) <= MAX_TEXT
    if isinstance(value, dict):
        return all(map(_sane_key, value)) and all(map(_sane, value.values()))
    return not isinstance(value, list) or all(map(_sane, value))


def _sane_key(key: object) -> bool:
    return isinstance(key, str) and len(key) <= MAX_TEXT


sound.declare(anything, sound.Anything(MAX_TEXT, _sane))


def text(value: object, path: Path, problems: List[Problem]) -> None:
    """Demand text of a sane length."""
    if not isinstance(value, str):
        report(problems, path, "must be text, is {}".format(_name(value)))
    elif len(value) > MAX_TEXT:
        report(problems, path, "is longer than {} characters".format(MAX_TEXT))


def name(value: object, path: Path, problems: List[Problem]) -> None:
    """Demand text that is short enough for a table's cell."""
    before = len(problems)
    text(value, path, problems)
    if isinstance(value, str) and len(problems) == before and len(value) > MAX_NAME:
        report(problems, path, "is longer than {} characters".format(MAX_NAME))


def boolean(value: object, path: Path, problems: List[Problem]) -> None:
    """Demand true or false."""
    if not isinstance(value, bool):
        report(problems, path, "must be true or false, is {}".format(_name(value)))


sound.declare(text, sound.Text(MAX_TEXT))
sound.declare(name, sound.Text(MAX_NAME))
sound.declare(boolean, sound.Boolean())


def number(minimum: float = -math.inf, integer: bool = False, maximum: float = math.inf) -> Check:
    """Check for a finite number from `minimum` to `maximum`; whole where `integer`."""

    kind = "a whole number" if integer else "a number"
    wanted = (int,) if integer else (int, float)

    def check(value: Any, path: Path, problems: List[Problem]) -> None:
        if type(value) in wanted and -MAX_INTEGER < value < MAX_INTEGER and minimum <= value <= maximum:
            return
        if isinstance(value, bool) or not isinstance(value, wanted):
            report(problems, path, "must be {}, is {}".format(kind, shown(value)))
        elif not -MAX_INTEGER < value < MAX_INTEGER:  # also NaN and infinity
            report(problems, path, "is {}, out of any range".format(shown(value)))
        elif value < minimum:
            report(problems, path, "is {}, must be at least {:g}".format(shown(value), minimum))
        elif value > maximum:
            report(problems, path, "is {}, must be at most {:g}".format(shown(value), maximum))

    least, most = max(minimum, 1 - MAX_INTEGER), min(maximum, MAX_INTEGER - 1)
    sound.declare(check, sound.Number(least, most, integer))
    return check


count = size = number(0, integer=True)


def choice(*allowed: object) -> Check:
    """Check for one of some values."""

    kinds = {type(a) for a in allowed}

    def check(value: object, path: Path, problems: List[Problem]) -> None:
        if type(value) not in kinds or value not in allowed:
            known = ", ".join(str(a) for a in allowed)
            report(problems, path, "is {}, known: {}".format(shown(value), known))

    sound.declare(check, sound.Choice(allowed))
    return check


def nullable(inner: Check) -> Check:
    """Check for null, or for what `inner` demands."""

    def check(value: object, path: Path, problems: List[Problem]) -> None:
        if value is not None:
            inner(value, path, problems)

    sound.declare(check, sound.Nullable(inner))
    return check


def listing(inner: Check, least: int = 0, most: int = 100000) -> Check:
    """Check for a list whose every element passes `inner`."""

    def check(value: object, path: Path, problems: List[Problem]) -> None:
        if not isinstance(value, list):
            report(problems, path, "must be a list, is {}".format(_name(value)))
        elif not least <= len(value) <= most:
            report(problems, path, "has {} elements, allowed: {} to {}".format(len(value), least, most))
        else:
            for index, element in enumerate(value):
                inner(element, (path, index), problems)

    sound.declare(check, sound.Listing(inner, least, most))
    return check


def mapping(inner: Check) -> Check:
    """Check for an object with any keys whose every value passes `inner`."""

    def check(value: object, path: Path, problems: List[Problem]) -> None:
        if not isinstance(value, dict):
            report(problems, path, "must be an object, is {}".format(_name(value)))
            return
        for key, element in value.items():
            inner(element, (path, key), problems)

    sound.declare(check, sound.Mapping(inner))
    return check


def fields(required: Dict[str, Check], optional: Dict[str, Check]) -> Check:
    """Check for an object with these fields. Others pass: a later writer may know more than we do."""

    known = [sound.Field(key, each, True) for key, each in required.items()]
    known += [sound.Field(key, each, False) for key, each in optional.items()]
    compiled = []  # type: List[Callable[[object], bool]]

    def quickly() -> Callable[[object], bool]:
        """Compiled once it is asked for: a measuring process has no need of most."""
        if not compiled:
            compiled.append(sound.of_fields(known))
        return compiled[0]

    def check(value: object, path: Path, problems: List[Problem]) -> None:
        if quickly()(value):
            return
        if not isinstance(value, dict):
            report(problems, path, "must be an object, is {}".format(_name(value)))
            return
        for key in required:
            if key not in value:
                report(problems, path, "lacks `{}`".format(key))
        for key, inside, _ in known:
            if key in value:
                inside(value[key], (path, key), problems)

    sound.declare(check, sound.Object(known, quickly))
    return check


def identifier(value: object, path: Path, problems: List[Problem]) -> None:
    """Demand what may be a file's name: letters, digits, `.`, `_`, `-`, not beginning with a dot."""
    if not isinstance(value, str) or not IDENTIFIER.match(value):
        reason = "is {}; allowed: 1 to 200 of A-Z a-z 0-9 . _ - and no dot in front"
        report(problems, path, reason.format(shown(value)))


sound.declare(identifier, sound.Matching(IDENTIFIER))


def sha256(value: object, path: Path, problems: List[Problem]) -> None:
    """Demand 64 lower-case hexadecimal digits."""
    if not isinstance(value, str) or not _SHA256.match(value):
        report(problems, path, "is {}, must be 64 lower-case hexadecimal digits".format(shown(value)))


sound.declare(sha256, sound.Matching(_SHA256))


def escapes(relative: str) -> bool:
    """Return whether a relative path could leave the folder that it is relative to."""
    parts: Sequence[str] = relative.replace("\\", "/").split("/")
    return relative.startswith("/") or ".." in parts or "\0" in relative


def inner_path(value: object, path: Path, problems: List[Problem]) -> None:
    """Demand a relative path that stays inside its folder."""
    before = len(problems)
    text(value, path, problems)
    if isinstance(value, str) and len(problems) == before and (not value or escapes(value)):
        report(problems, path, "is {}, must be a path inside the folder".format(shown(value)))


sound.declare(
    inner_path,
    sound.Other(lambda v: type(v) is str and 0 < len(v) <= MAX_TEXT and not escapes(v)),
)
