"""What surely passes a check, as one Python function for a whole object.

A report reads thousands of records of hundreds of values, nearly all of them sound. A check that is a call a
value takes three times as long as comparisons in a row, so those are written out once for each object that
the schema describes, and compiled. Whatever they do not accept is left to the checks, which alone refuse.
"""

from typing import Any, Callable, Dict, List, NamedTuple

Names = Dict[str, Any]
Write = Callable[[Names], str]  # what it needs goes into the names; the answer is an expression about `v`
_WRITERS = {}  # type: Dict[Callable[..., None], Write]
Field = NamedTuple("Field", [("key", str), ("check", Callable[..., None]), ("required", bool)])


class _Absent:
    """In place of a field that an object does not have."""


def declare(check: Callable[..., None], write: Write) -> None:
    """Declare that `write` returns an expression which is true only of what passes `check`."""
    _WRITERS[check] = write


def test(check: Callable[..., None], names: Names) -> str:
    """Return an expression that is true only of a `v` which passes `check`; `names` gets what it calls."""
    if check in _WRITERS:
        return _WRITERS[check](names)
    return "{}({}, v)".format(named(passes, names), named(check, names))


def named(value: Any, names: Names) -> str:
    """Return a name for a value in an expression."""
    name = "n{}".format(len(names))
    names[name] = value
    return name


def passes(check: Callable[..., None], value: Any) -> bool:
    """Return whether a check finds nothing wrong."""
    problems: List[Any] = []
    check(value, "", problems)
    return not problems


def function(check: Callable[..., None]) -> Callable[[Any], bool]:
    """Return `test` as a function of the value."""
    names: Names = {}
    return _compiled(["return " + test(check, names)], names)


def of_fields(fields: List[Field]) -> Callable[[Any], bool]:
    """Return a function that is true only of an object that lacks no field and whose fields pass."""
    names: Names = {}
    absent = named(_Absent, names)
    lines = ["if type(v) is not dict: return False", "get = v.get"]
    for key, check, required in fields:
        whether = "v is not {} and ({})" if required else "v is {} or {}"
        lines += [
            "v = get({!r}, {})".format(key, absent),
            "if not ({}): return False".format(whether.format(absent, test(check, names))),
        ]
    return _compiled([*lines, "return True"], names)


def _compiled(lines: List[str], names: Names) -> Callable[[Any], bool]:
    source = "def sound(v):\n" + "".join("    {}\n".format(line) for line in lines)
    exec(source, names)  # noqa: S102 - of the schema's own keys and limits alone, as namedtuple's are
    made: Callable[[Any], bool] = names["sound"]
    return made
