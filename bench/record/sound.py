"""What surely passes a check: its demand as data, and as one Python function for a whole object.

A report reads thousands of records of hundreds of values, nearly all of them sound. A check that is a call a
value takes three times as long as comparisons in a row, so those are written out once for each object that
the schema describes, and compiled. Whatever they do not accept is left to the checks, which alone refuse.
A parser that checks types and ranges while it parses can be given the same demands.
"""

from typing import Any, Callable, Dict, List, NamedTuple, Pattern, Tuple, Union

Check = Callable[..., None]
Passes = Callable[[object], bool]
Names = Dict[str, Any]  # what an expression about `v` calls

Anything = NamedTuple("Anything", [("longest", int), ("sane", Passes)])  # with texts of so many characters
Boolean = NamedTuple("Boolean", [])
Choice = NamedTuple("Choice", [("allowed", Tuple[object, ...])])
Every = NamedTuple("Every", [("checks", Tuple[Check, ...])])
Listing = NamedTuple("Listing", [("inner", Check), ("least", int), ("most", int)])
Mapping = NamedTuple("Mapping", [("inner", Check)])
Matching = NamedTuple("Matching", [("pattern", Pattern[str])])  # text, from its first character on
Nullable = NamedTuple("Nullable", [("inner", Check)])
Number = NamedTuple("Number", [("least", float), ("most", float), ("integer", bool)])
Text = NamedTuple("Text", [("longest", int)])
Other = NamedTuple("Other", [("passes", Passes)])  # of which nothing else is known
Field = NamedTuple("Field", [("key", str), ("check", Check), ("required", bool)])
# compiled: called once the function is asked for, since a measuring process has no need of most
Object = NamedTuple("Object", [("fields", List[Field]), ("compiled", Callable[[], Passes])])
Demand = Union[
    Anything, Boolean, Choice, Every, Listing, Mapping, Matching, Nullable, Number, Object, Other, Text
]

_DEMANDS = {}  # type: Dict[Check, Demand]


class _Absent:
    """In place of a field that an object does not have."""


def declare(check: Check, known: Demand) -> None:
    """Declare that whatever meets the demand `known` passes `check`."""
    _DEMANDS[check] = known


def demand(check: Check) -> Demand:
    """Return what is known of what passes `check`."""
    return _DEMANDS[check] if check in _DEMANDS else Other(lambda value: passes(check, value))


def _test(check: Check, names: Names) -> str:
    """Return an expression that is true only of a `v` which passes `check`; `names` gets what it calls."""
    known = demand(check)
    return _WRITERS[type(known)](known, names)


def _number(known: Number, names: Names) -> str:
    kinds = "type(v) is int" if known.integer else "(type(v) is float or type(v) is int)"
    return "{} and {!r} <= v <= {!r}".format(kinds, known.least, known.most)


def _choice(known: Choice, names: Names) -> str:
    kinds = {type(each) for each in known.allowed}
    return "type(v) in {} and v in {}".format(_named(kinds, names), _named(known.allowed, names))


def _listing(known: Listing, names: Names) -> str:
    return "type(v) is list and {} <= len(v) <= {} and all(map({}, v))".format(
        known.least, known.most, _named(function(known.inner), names)
    )


def _mapping(known: Mapping, names: Names) -> str:
    inner = _named(function(known.inner), names)
    return "type(v) is dict and (not v or all(map({}, v.values())))".format(inner)


_WRITERS = {
    Anything: lambda known, names: "{}(v)".format(_named(known.sane, names)),
    Boolean: lambda known, names: "v is True or v is False",
    Choice: _choice,
    Every: lambda known, names: " and ".join("({})".format(_test(each, names)) for each in known.checks),
    Listing: _listing,
    Mapping: _mapping,
    Matching: lambda known, names: "type(v) is str and {}(v)".format(_named(known.pattern.match, names)),
    Nullable: lambda known, names: "v is None or ({})".format(_test(known.inner, names)),
    Number: _number,
    Object: lambda known, names: "{}(v)".format(_named(known.compiled(), names)),
    Other: lambda known, names: "{}(v)".format(_named(known.passes, names)),
    Text: lambda known, names: "type(v) is str and len(v) <= {}".format(known.longest),
}  # type: Dict[type, Callable[[Any, Names], str]]


def _named(value: object, names: Names) -> str:
    """Return a name for a value in an expression."""
    name = "n{}".format(len(names))
    names[name] = value
    return name


def passes(check: Check, value: object) -> bool:
    """Return whether a check finds nothing wrong."""
    problems: List[object] = []
    check(value, "", problems)
    return not problems


def function(check: Check) -> Passes:
    """Return what `_test` says as a function of the value."""
    names: Names = {}
    return _compiled(["return " + _test(check, names)], names)


def of_fields(fields: List[Field]) -> Passes:
    """Return a function that is true only of an object that lacks no field and whose fields pass."""
    names: Names = {}
    absent = _named(_Absent, names)
    lines = ["if type(v) is not dict: return False", "get = v.get"]
    for key, check, required in fields:
        whether = "v is not {} and ({})" if required else "v is {} or {}"
        lines += [
            "v = get({!r}, {})".format(key, absent),
            "if not ({}): return False".format(whether.format(absent, _test(check, names))),
        ]
    return _compiled([*lines, "return True"], names)


def _compiled(lines: List[str], names: Names) -> Passes:
    source = "def sound(v):\n" + "".join("    {}\n".format(line) for line in lines)
    exec(source, names)  # noqa: S102 - of the schema's own keys and limits alone, as namedtuple's are
    made: Passes = names["sound"]
    return made
