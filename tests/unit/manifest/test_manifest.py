"""A manifest's reader tells a person everything that is wrong with a file, and where."""

import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field, field_validator

from bench.manifests import reader


class Board(reader.Section):
    host: str
    kind: Literal["jetson", "raspberry"]
    threads: int = Field(1, ge=1, le=8)

    @field_validator("host")
    @classmethod
    def no_spaces(cls, host: str) -> str:
        if " " in host:
            raise ValueError("a host name has no spaces")
        return host


class Boards(reader.Manifest):
    boards: dict[str, Board] = Field(default_factory=dict)
    any: Any = None


class Mixed(reader.Manifest):
    options: dict[str, int | bool | dict[str, int]]


def problems(text: str) -> list[str]:
    with pytest.raises(reader.ManifestError) as caught:
        reader.parse(text, Boards, "boards.yaml")
    return str(caught.value).split("\n")


THREE_MISTAKES = """\
schema: 1
boards:
  pi4:
    host: pi4.local
    kind: r4
  tx2:
    hots: tx2.local
    kind: jetson
    threads: 64
"""


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("fast", "options.a: must be a valid integer, a valid boolean or a valid mapping, not 'fast'"),
        ("{b: [1]}", "options.a.b: must be a valid integer, not a list"),
    ],
)
def test_a_value_of_none_of_several_types_is_one_problem(value: str, told: str) -> None:
    with pytest.raises(reader.ManifestError) as caught:
        reader.parse(f"options:\n  a: {value}\n", Mixed, "m.yaml")
    assert str(caught.value).splitlines() == [f"m.yaml:2: {told}"]


def test_three_mistakes_in_one_file_are_all_told_with_line_and_allowed_values():
    assert problems(THREE_MISTAKES) == [
        "boards.yaml:5: boards.pi4.kind: unknown value 'r4' (allowed: jetson, raspberry)",
        "boards.yaml:6: boards.tx2.host: required, but missing",
        "boards.yaml:7: boards.tx2.hots: unknown key (did you mean host? allowed: host, kind, threads)",
        "boards.yaml:9: boards.tx2.threads: must be less than or equal to 8, not 64",
    ]


def test_a_correct_file_becomes_an_immutable_model(tmp_path):
    path = tmp_path / "boards.yaml"
    path.write_text("boards: {pi4: {host: pi4.local, kind: raspberry}}\n")
    boards = reader.load(path, Boards)
    assert boards.boards["pi4"].threads == 1
    with pytest.raises(Exception, match="frozen"):
        boards.boards["pi4"].threads = 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "boards.yaml: the file is empty"),
        ("# only a comment\n", "boards.yaml: the file is empty"),
        ("- a\n", "boards.yaml:1: must be a valid mapping, not a list"),
        ("boards:\n\tpi4: 1\n", "boards.yaml:2: a tab in the indentation; use spaces"),
        ("boards: [\n", "boards.yaml:2: not valid YAML: did not find expected node content"),
        ("any: 1\n---\nany: 2\n", "boards.yaml:2: not valid YAML: a second document begins here"),
        ("any: &a [*a]\n", "boards.yaml:1: not valid YAML: aliases grow without end"),
        ("any: *nothing\n", "boards.yaml:1: not valid YAML: found undefined alias"),
        ("any: !!python/object/apply:os.system [ls]\n", "boards.yaml:1: not valid YAML: the tag !!python"),
        ("any: !!int word\n", "boards.yaml:1: not valid YAML: 'word' is no !!int"),
        ("? {a: 1}\n: b\n", "boards.yaml:1: not valid YAML: a key must be plain text"),
        ("any: \x07\n", "boards.yaml:1: not valid YAML: control characters are not allowed"),
        ("schema: 2\n", "boards.yaml:1: schema: schema 2 is newer than this version reads (up to 1)"),
        ("schema: one\n", "boards.yaml:1: schema: must be a whole number from 1 to 1, not 'one'"),
        ("true: 1\n", "boards.yaml:1: true: unknown key (allowed: any, boards)"),
        ("boards: {a: {kind: jetson,\n host: a b}}", "boards.yaml:2: boards.a.host: a host name has no"),
        ("boards: {a: }\n", "boards.yaml:1: boards.a: must be a valid mapping, not empty"),
    ],
)  # fmt: skip
def test_unusable_text_is_one_clear_line(text, expected):
    (problem,) = problems(text)
    assert problem.startswith(expected)


@pytest.mark.parametrize("text", ["[" * 100_000, "{a: " * 9_000, "[" * 60, "\n" + "- " * 9_000])
def test_nesting_without_end_is_refused_before_it_overflows_the_stack(text):
    (problem,) = problems(f"any: {text}")
    assert problem.endswith("not valid YAML: nested too deeply")


def test_nesting_by_aliases_is_nesting():
    lines = ["any:", "  - &a0 [1]", *(f"  - &a{n} [*a{n - 1}]" for n in range(1, 2_000))]
    assert problems("\n".join(lines))[0].endswith("nested too deeply")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("!!python/object/apply:os.system [id]", "the tag !!python/object/apply:os.system cannot be used"),
        ("!!binary aGk=", "the tag !!binary cannot be used here; known: !!null, !!bool, !!int"),
        ("!!set {a: 1}", "the tag !!set cannot be used"),
        ("!!bool x", "'x' is no !!bool"),
        ("{!!int x: 1}", "'x' is no !!int"),
        ("!!str [a]", "the tag !!str cannot be used"),
        ("9" * 5_000, "any: a number of 5000 digits"),
        ("0x" + "f" * 9_000, "any: a number of 9002 digits"),
        ("1e999", "any: 1e999 is out of any range"),
        ("{" + "9" * 500 + ": 1}", "a key is a number of 500 digits"),
        ("[" + "1," * 300_000 + "1]", "more than 200000 values"),
        ("{<<: 1}", "`<<` takes a mapping or a list of mappings"),
    ],
)
def test_odd_tags_and_numbers_without_measure_are_one_line(value, expected):
    (problem,) = problems(f"any: {value}")
    assert problem.startswith(f"boards.yaml:1: not valid YAML: {expected}")


def test_merges_of_merges_cannot_fill_the_memory():
    lines = ["any:", "  a0: &a0 {x: 1, y: 2}"]
    lines += [f"  a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 30)]
    assert reader.parse("\n".join(lines), Boards).any["a29"] == {"x": 1, "y": 2}


def test_a_fifo_a_device_and_a_file_without_end_are_refused_and_a_link_of_the_owner_is_followed(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "big").write_text("any: " + "x" * 4_000_000)
    for path, message in (("fifo", "is a FIFO"), ("/dev/zero", "is a device"), ("big", "larger than 4 MB")):
        with pytest.raises(reader.ManifestError, match=f"{path}: {message}"):
            reader.load(tmp_path / path, Boards)
    (tmp_path / "real").write_text("any: 1")
    (tmp_path / "link").symlink_to("real")
    assert reader.load(tmp_path / "link", Boards).any == 1


def test_a_key_that_stands_twice_is_told_together_with_the_other_mistakes():
    assert problems("any: 1\nany: 2\nbords: 3\n") == [
        "boards.yaml:2: any: this key occurs twice, first on line 1",
        "boards.yaml:3: bords: unknown key (did you mean boards? allowed: any, boards)",
    ]


def test_a_small_file_of_aliases_cannot_fill_the_memory():
    lines = ["any:", "  - &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"  - &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert problems("\n".join(lines))[0].endswith("aliases grow without end")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, "no such file"),
        (b"any: 1\nboards: \xff\n", ":2: not UTF-8: byte 0xff; save the file as UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, raw, expected):
    path = tmp_path / "boards.yaml"
    if raw is not None:
        path.write_bytes(raw)
    with pytest.raises(reader.ManifestError) as caught:
        reader.load(path, Boards)
    assert str(path) in str(caught.value)
    assert expected in str(caught.value)


def test_a_folder_in_place_of_a_file_is_told(tmp_path):
    with pytest.raises(reader.ManifestError, match="is a folder, not a regular file"):
        reader.load(tmp_path, Boards)


def test_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path):
    path = tmp_path / "boards.yaml"
    path.write_bytes(b"\xef\xbb\xbfboards:\r\n  pi4:\r\n    host: h\r\n    kind: jetson\r\n")
    assert reader.load(path, Boards).boards["pi4"].host == "h"


@pytest.mark.parametrize(
    ("scalar", "value"),
    [
        *[(text, text) for text in ("on", "no", "12:30", "2026-11-22", "010")],
        *[("1e-3", 1e-3), ("-7", -7), ("0x10", 16), ("true", True), ("~", None), (".5", 0.5), ("'5'", "5")],
    ],
)
def test_scalars_mean_what_they_look_like(scalar, value):
    assert reader.parse(f"any: {scalar}", Boards).any == value


def test_merge_keys_bring_defaults_that_the_mapping_may_override():
    text = "any: {base: &base {a: 1, b: 2}, more: {<<: *base, b: 3}}"
    assert reader.parse(text, Boards).any["more"] == {"a": 1, "b": 3}


def test_checks_across_files_place_their_problem_on_the_key_or_its_nearest_parent():
    source = reader.read_text("boards:\n  pi4:\n    kind: jetson\n", "f.yaml")
    assert str(source.problem(("boards", "pi4", "kind"), "no")) == "f.yaml:3: boards.pi4.kind: no"
    assert str(source.problem(("boards", "pi4", "image"), "no")) == "f.yaml:2: boards.pi4.image: no"


def test_the_json_schema_names_every_key_for_editors():
    schema = reader.json_schema(Boards)
    assert set(schema["properties"]) == {"schema", "boards", "any"}
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["Board"]["properties"]["kind"]["enum"] == ["jetson", "raspberry"]


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**28), 10**28)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


# PyYAML writes YAML 1.1, to which `0E0` and `1.5e3` are text that needs no quotes; in 1.2's core schema they
# are numbers. A writer of 1.2 would quote them.
NUMBER = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")


class Writer(yaml.SafeDumper):
    def represent_str(self, data):
        style = '"' if NUMBER.fullmatch(data) else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


Writer.add_representer(str, Writer.represent_str)


@given(plain)
@example({"0E0": "1.5e3"})
def test_whatever_a_yaml_writer_wrote_comes_back(data):
    text = yaml.dump({"any": data}, Dumper=Writer)
    assert reader.parse(text, Boards).any == data


@given(st.text(max_size=60))
def test_no_text_makes_the_reader_fail_otherwise_than_with_a_manifest_error(text):
    with suppress(reader.ManifestError):
        reader.parse(text, Boards)


def test_reading_manifests_imports_neither_torch_nor_numpy():
    code = "import sys; sys.modules['torch'] = sys.modules['numpy'] = None; import bench.manifests.reader"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3]).returncode == 0
