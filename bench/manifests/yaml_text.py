"""YAML text to plain data, with the line of every key and all mistakes of syntax."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import yaml

from bench.manifests.problems import KeyPath, ManifestError, Problem, dotted
from bench.record.files import MAX_DIGITS, BadFileError, read_bytes

MAX_BYTES = 4_000_000  # our largest manifest has 12 kB
MAX_NODES = 200_000  # aliases of aliases grow without limit in a file of ten lines
MAX_DEPTH = 50
TOO_DEEP = "nested too deeply"
_CORE = "tag:yaml.org,2002:"


class Parsed(NamedTuple):
    """Plain data, and the line of each key path."""

    file: str
    data: object
    lines: dict[KeyPath, int]
    problems: list[Problem]  # keys that occur twice


def read_file(path: Path | str) -> Parsed:
    """Parse the YAML file at `path` without checking it against a model."""
    name = str(path)
    try:
        raw = read_bytes(name, MAX_BYTES, links=True)
    except BadFileError as error:
        reason = str(error).removeprefix(f"{name}: ")
        absent = reason.endswith("No such file or directory")
        raise ManifestError([Problem(name, None, "", "no such file" if absent else reason)]) from None
    try:
        return read_text(raw.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8: byte 0x{raw[error.start]:02x}; save the file as UTF-8"
        raise ManifestError([Problem(name, line, "", message)]) from None


def read_text(text: str, name: str = "<text>") -> Parsed:
    """Parse YAML text; raises ManifestError for wrong syntax and an empty document."""
    try:
        _refuse_bombs(text)
        root = _Loader(text).get_single_node()
        if root is None:
            raise ManifestError([Problem(name, None, "", "the file is empty")])
        reader = _Reader(name)
        data = reader.value(root, ())
    except yaml.YAMLError as error:
        raise ManifestError(_syntax_problems(text, name, error)) from None
    return Parsed(name, data, reader.lines, reader.problems)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """SafeLoader with the scalars of YAML 1.2: what only looks like a date, a time or a yes stays text."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


# YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema), but no octal and no infinity: tag,
# what it looks like, its first characters, and how it becomes a value.
_SCALARS: tuple[tuple[str, str, list[str], Callable[[str], object]], ...] = (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""], lambda _: None),
    (
        "bool",
        r"true|True|TRUE|false|False|FALSE",
        list("tTfF"),
        lambda text: text in ("true", "True", "TRUE"),
    ),
    ("int", r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+", list("-+0123456789"), lambda text: _integer(text)),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+",
        list("-+.0123456789"),
        lambda text: _float(text),
    ),
    ("str", r"(?s:.*)", [], str),
)
_MERGE = f"{_CORE}merge"
_VALUES = {_CORE + tag: (re.compile(f"(?:{pattern})\\Z"), make) for tag, pattern, _, make in _SCALARS}
for _tag, _pattern, _first, _ in _SCALARS[:-1]:
    _Loader.add_implicit_resolver(_CORE + _tag, re.compile(f"(?:{_pattern})\\Z"), _first)
_Loader.add_implicit_resolver(_MERGE, re.compile(r"<<\Z"), ["<"])


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text, 16 if text[:2] == "0x" else 10)


def _float(text: str) -> float:
    if math.isinf(value := float(text)):
        raise ValueError(f"{text[:MAX_DIGITS]} is out of any range")
    return value


Pairs = list[tuple[yaml.Node, yaml.Node]]


class _Reader:
    """Turns YAML nodes into plain data, noting the line of every key path and collecting mistakes."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self._open: set[int] = set()
        self._merged: dict[int, Pairs] = {}  # by node: what it holds once `<<` is resolved

    def value(self, node: yaml.Node, path: KeyPath) -> object:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(self.lines) > MAX_NODES or id(node) in self._open:
            raise _wrong("aliases grow without end", node)
        if len(path) > MAX_DEPTH:
            raise _wrong(TOO_DEEP, node)  # by aliases of aliases, which no event showed
        self._open.add(id(node))
        try:
            return self._build(node, path)
        finally:
            self._open.remove(id(node))

    def _build(self, node: yaml.Node, path: KeyPath) -> object:
        if isinstance(node, yaml.MappingNode) and node.tag == _CORE + "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == _CORE + "seq":
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        try:
            return _scalar(node)
        except ValueError as error:
            raise _wrong(f"{dotted(path)}: {error}" if path else str(error), node) from None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[object, object]:
        self._report_duplicates(node, path)
        result: dict[object, object] = {}
        for key_node, value_node in self._pairs(node):
            key = _key(key_node)
            self.lines[*path, key] = key_node.start_mark.line + 1
            result[key] = self.value(value_node, (*path, key))
        return result

    def _pairs(self, node: yaml.Node) -> Pairs:
        """Keys and values, after those that `<<: *defaults` brings and that the mapping does not have itself.

        Every key once: mappings that merge others which merge others would grow without limit.
        """
        if not isinstance(node, yaml.MappingNode):
            raise _wrong("`<<` takes a mapping or a list of mappings", node)
        if id(node) not in self._merged:
            self._merged[id(node)] = []  # of a mapping that merges itself
            own = [pair for pair in node.value if pair[0].tag != _MERGE]
            known = {_key(key) for key, _ in own}
            brought: dict[object, tuple[yaml.Node, yaml.Node]] = {}
            for _, source in (pair for pair in node.value if pair[0].tag == _MERGE):
                for each in source.value if isinstance(source, yaml.SequenceNode) else [source]:
                    for pair in self._pairs(each):
                        if _key(pair[0]) not in known:
                            brought.setdefault(_key(pair[0]), pair)
            self._merged[id(node)] = [*brought.values(), *own]
        return self._merged[id(node)]

    def _report_duplicates(self, node: yaml.MappingNode, path: KeyPath) -> None:
        first: dict[object, int] = {}
        for key_node, _ in node.value:
            key, line = _key(key_node), key_node.start_mark.line + 1
            if key in first and key != "<<":
                message = f"this key occurs twice, first on line {first[key]}"
                self.problems.append(Problem(self.name, line, dotted((*path, key)), message))
            first.setdefault(key, line)


def _wrong(problem: str, at: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)


def _scalar(node: yaml.Node) -> object:
    """The value of a scalar; an error for a tag that plain data has no use for, or that does not fit.

    ValueError for a number out of any range.
    """
    short = node.tag.replace(_CORE, "!!")[:60]
    if not isinstance(node, yaml.ScalarNode) or node.tag not in _VALUES:
        known = ", ".join(tag.replace(_CORE, "!!") for tag in (*_VALUES, _CORE + "map", _CORE + "seq"))
        raise _wrong(f"the tag {short} cannot be used here; known: {known}", node)
    pattern, make = _VALUES[node.tag]
    if not pattern.match(node.value):
        raise _wrong(f"{node.value[:60]!r} is no {short}", node)
    return make(node.value)


def _key(node: yaml.Node) -> Any:
    if not isinstance(node, yaml.ScalarNode):
        raise _wrong("a key must be plain text", node)
    try:
        return node.value if node.tag.endswith((":merge", ":null", ":bool")) else _scalar(node)
    except ValueError as error:
        raise _wrong(f"a key is {error}", node) from None


def _refuse_bombs(text: str) -> None:
    """An error for text with too many values or levels: its nodes would take all memory or stack."""
    if len(text) > MAX_BYTES:
        raise yaml.MarkedYAMLError(problem=f"larger than {MAX_BYTES / 1e6:g} MB")
    depth = count = 0
    try:
        for event in yaml.parse(text, _Loader):  # events come one by one
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            count += isinstance(event, yaml.NodeEvent)
            if depth > MAX_DEPTH:
                raise _wrong(TOO_DEEP, event)
            if count > MAX_NODES:
                raise _wrong(f"more than {MAX_NODES} values", event)
    except yaml.YAMLError as error:
        # libyaml reads ahead of its events and has a limit of its own, whose words change with its version.
        mark = getattr(error, "problem_mark", None)
        if mark is None or getattr(error, "problem", "") == TOO_DEEP or not _opened(text) > MAX_DEPTH:
            raise
        raise yaml.MarkedYAMLError(problem=TOO_DEEP, problem_mark=mark) from None


def _opened(text: str) -> int:
    """How many brackets are open at once, at most; text in quotes is not distinguished from the rest."""
    depth = deepest = 0
    for bracket in re.findall(r"[\[\]{}]", text):
        depth = max(0, depth + (1 if bracket in "[{" else -1))
        deepest = max(deepest, depth)
    return deepest


def _syntax_problems(text: str, name: str, error: yaml.YAMLError) -> list[Problem]:
    tabs = [n for n, line in enumerate(text.split("\n"), 1) if re.match(r" *\t\s*\S", line)]
    if tabs:
        return [Problem(name, n, "", "a tab in the indentation; use spaces") for n in tabs]
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or getattr(error, "reason", None) or "cannot be parsed"
    if "single document" in str(error):
        what = "a second document begins here; a manifest is one document"
    line = mark.line + 1 if mark else text.count("\n", 0, getattr(error, "position", 0)) + 1
    return [Problem(name, line, "", f"not valid YAML: {what}")]
