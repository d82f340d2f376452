"""YAML text to plain data, with the line of every key and all mistakes of syntax."""

import re
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import yaml

from bench.manifests.problems import KeyPath, ManifestError, Problem, dotted

MAX_NODES = 200_000  # aliases of aliases grow without limit in a file of ten lines
MAX_DEPTH = 50


class Parsed(NamedTuple):
    """Plain data, and the line on which each key path stands."""

    file: str
    data: Any
    lines: dict[KeyPath, int]
    problems: list[Problem]  # keys that stand twice


def read_file(path: Path | str) -> Parsed:
    """Parse the YAML file at `path` without checking it against a model."""
    name = str(path)
    try:
        raw = Path(path).read_bytes()
    except FileNotFoundError:
        raise ManifestError([Problem(name, None, "", "no such file")]) from None
    except OSError as error:
        raise ManifestError([Problem(name, None, "", f"cannot be read: {error.strerror}")]) from None
    try:
        return read_text(raw.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8: byte 0x{raw[error.start]:02x}; save the file as UTF-8"
        raise ManifestError([Problem(name, line, "", message)]) from None


def read_text(text: str, name: str = "<text>") -> Parsed:
    """Parse YAML text; raises ManifestError for wrong syntax and an empty document."""
    try:
        _refuse_deep_nesting(text)
        loader = _Loader(text)
        root = loader.get_single_node()
        if root is None:
            raise ManifestError([Problem(name, None, "", "the file is empty")])
        reader = _Reader(name, loader)
        data = reader.value(root, ())
    except yaml.YAMLError as error:
        raise ManifestError(_syntax_problems(text, name, error)) from None
    return Parsed(name, data, reader.lines, reader.problems)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """SafeLoader with the scalars of YAML 1.2: what only looks like a date, a time or a yes stays text."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)|0x[0-9a-fA-F]+", list("-+0123456789")),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*)([eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
    ),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)


class _Reader:
    """Turns YAML nodes into plain data, noting the line of every key path and collecting mistakes."""

    def __init__(self, name: str, loader: Any) -> None:
        self.name, self.loader = name, loader
        self.lines: dict[KeyPath, int] = {}
        self.problems: list[Problem] = []
        self._open: set[int] = set()

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(self.lines) > MAX_NODES or id(node) in self._open:
            raise yaml.MarkedYAMLError(problem="aliases grow without end", problem_mark=node.start_mark)
        self._open.add(id(node))
        try:
            return self._build(node, path)
        finally:
            self._open.remove(id(node))

    def _build(self, node: yaml.Node, path: KeyPath) -> Any:
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        try:
            return self.loader.construct_object(node)
        except ValueError as error:  # such as !!int of a word
            raise yaml.MarkedYAMLError(problem=str(error), problem_mark=node.start_mark) from None

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[Any, Any]:
        self._report_duplicates(node, path)
        self.loader.flatten_mapping(node)  # resolves `<<: *defaults`
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self._key(key_node)
            self.lines[*path, key] = key_node.start_mark.line + 1
            result[key] = self.value(value_node, (*path, key))
        return result

    def _report_duplicates(self, node: yaml.MappingNode, path: KeyPath) -> None:
        first: dict[Any, int] = {}
        for key_node, _ in node.value:
            key, line = self._key(key_node), key_node.start_mark.line + 1
            if key in first and key != "<<":
                message = f"this key stands twice, first on line {first[key]}"
                self.problems.append(Problem(self.name, line, dotted((*path, key)), message))
            first.setdefault(key, line)

    def _key(self, node: yaml.Node) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key must be plain text", problem_mark=node.start_mark)
        return (
            node.value
            if node.tag.endswith((":merge", ":null", ":bool"))
            else self.loader.construct_object(node)
        )


def _refuse_deep_nesting(text: str) -> None:
    depth = 0
    for event in yaml.parse(
        text, _Loader
    ):  # events come one by one: composing nodes would overflow the stack
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=event.start_mark)  # type: ignore[arg-type]


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
