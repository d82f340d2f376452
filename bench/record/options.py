"""The options that a backend declares: what each may be, and in which precisions it may be used."""

import re
from typing import Any, Mapping, NamedTuple, Optional, Sequence, Tuple

from bench.record import session_entries
from bench.record.checks import escapes

Unfit = Mapping[str, Tuple[str, ...]]
Option = NamedTuple(
    "Option",
    [
        ("kind", str),  # flag | integer | text | path | choice | texts (a mapping of text to plain values)
        ("help", str),
        ("choices", Tuple[str, ...]),  # of a choice: its values; of texts: the keys that it may have
        ("precisions", Tuple[str, ...]),  # in which it can be used; empty: in all
        ("unfit", Unfit),  # value -> precisions: with it such a file may be computed in another one
        ("entries", Mapping[str, session_entries.Entry]),  # of texts: what the value of each key may be
    ],
)


def option(
    kind: str,
    help: str,
    *choices: str,
    precisions: Tuple[str, ...] = (),
    unfit: Optional[Unfit] = None,
    entries: Optional[Mapping[str, session_entries.Entry]] = None,
) -> Option:
    """Return an option of a backend; `choices`: values of a choice, keys of texts (none: any)."""
    return Option(kind, help, choices or tuple(entries or ()), precisions, unfit or {}, entries or {})


def problem(key: str, given: Option, options: Mapping[str, Any]) -> Optional[str]:
    """Return what is wrong with the value of option `key` among `options`; None where nothing is."""
    value = options[key]
    wanted = _wanted(given, value)
    if wanted:
        return "option {} is {!r}, must be {}".format(key, value, wanted)
    if given.kind != "texts":
        return None
    unknown = [each for each in value if given.choices and each not in given.choices]
    if unknown:
        message = "option {} has an unknown entry {!r} (known: {})"
        return message.format(key, unknown[0], ", ".join(given.choices))
    found = (_of_entry(key, each, given.entries[each], options) for each in value if each in given.entries)
    return next(filter(None, found), None)


def _of_entry(key: str, name: str, entry: session_entries.Entry, options: Mapping[str, Any]) -> Optional[str]:
    value = options[key][name]
    if not re.match("(?:{})\\Z".format(entry.pattern), session_entries.text(value)):
        return "option {}: {} is {!r}, must be {}".format(key, name, value, entry.wanted)
    if entry.option in options:
        return "option {}: {} is set by option {} too: give one of them".format(key, name, entry.option)
    return None


def unperformed(key: str, given: Option, value: Any, precisions: Sequence[str]) -> Optional[str]:
    """Return which of the precisions the option does not run; None where it runs them all."""
    refused = [each for each in precisions if given.precisions and each not in given.precisions]
    if refused:
        return "option {} does not run {} (allowed: {})".format(key, refused[0], ", ".join(given.precisions))
    settings = [(key, value, given.unfit)]
    if isinstance(value, dict):
        entries = [(name, given.entries[name]) for name in value if name in given.entries]
        settings += [(name, value[name], entry.unfit) for name, entry in entries]
    for name, each, unfit in settings:
        labels = unfit.get(session_entries.text(each), unfit.get("", ()))
        for label in labels:
            if label in precisions:
                return "with {}: {} a file that is {} may be computed in another precision".format(
                    name, each, label
                )
    return None


def _wanted(given: Option, value: object) -> Optional[str]:
    """What the option takes, where that is not `value`."""
    if given.kind == "flag":
        return None if isinstance(value, bool) else "true or false"
    if given.kind == "integer":
        return None if type(value) is int and value >= 0 else "a whole number, 0 or more"
    if given.kind == "choice":
        return None if value in given.choices else "one of " + ", ".join(given.choices)
    if given.kind == "texts":
        return (
            None
            if isinstance(value, dict) and all(map(_plain, value.values()))
            else "a mapping of plain values"
        )
    if given.kind == "path":
        inside = isinstance(value, str) and value and not escapes(value)
        return None if inside else "a path inside the bundle"
    return None if isinstance(value, str) else "text"


def _plain(value: object) -> bool:
    return isinstance(value, (str, int, float, bool))
