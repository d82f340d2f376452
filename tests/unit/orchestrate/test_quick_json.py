"""The quick parser of records reads what `bench.record.files` reads, and refuses what it refuses, alike."""

import json
import random
from typing import Any

import pytest

from bench.record import files
from orchestrate.analysis import quick_json
from tests.conftest import ROOT
from tests.fuzz import mutate

RECORD = (ROOT / "tests/records/v1-ok.json").read_bytes()
PLACED = (  # each in the place of a value
    *(
        "1e999",
        "-1e999",
        "NaN",
        "Infinity",
        "9" * 18,
        "9" * 19,
        "9" * 20,
        "-" + "9" * 20,
        "9" * 31,
        "-0",
        "1.0",
    ),
    *("9" * 25 + ".5", "0." + "0" * 25 + "1", "5e-324", "1e-400", "01", "1.", ".5", "+1", "1e5", "1E-7"),
    *(
        '"\\ud800"',
        '"\\u00e9"',
        '"\\""',
        '"\x7f"',
        '"\t"',
        '"é"',
        '"\udce9"',
        "[1,]",
        "{}{}",
        "[" * 41 + "]" * 41,
    ),
    *('{"a": 1, "a": 1}', '{"a": {"b": 1, "c": [2], "b": null}}', "[" * 39 + "]" * 39, "[" * 38 + "]" * 38),
    *('{"a":' * depth + "1" + "}" * depth for depth in (41, 300, 1000, 5000)),
    *(
        '"' + "9" * 30 + '"',
        "{'a': 1}",
        "nul",
        "tru e",
        "[1 2]",
        '{"a" 1}',
        "18446744073709551616",
        "  7\r\n",
    ),
)


def answer(parse: Any, data: bytes) -> tuple[str, str]:
    try:
        return "read", repr(parse(data, "it"))
    except files.BadFileError as error:
        return "refused", str(error)


@pytest.mark.parametrize("text", PLACED)
@pytest.mark.parametrize(
    "around", ['{"x": %s}', '{"x":%s,"y":[-1.5e-05,%s]}', "[%s]", "%s", '\n{ "n": [\t%s ]}\n']
)
def test_a_value_anywhere_is_read_or_refused_alike(text: str, around: str) -> None:
    data = around.replace("%s", text).encode("utf-8", "surrogateescape")
    assert answer(quick_json.parse, data) == answer(files.parse_json, data)


def test_spoilt_records_are_read_or_refused_alike() -> None:
    rng, kinds = random.Random(13), set()
    for _ in range(1500):
        data = mutate.data(RECORD, rng)
        kinds.add(answer(files.parse_json, data)[0])
        assert answer(quick_json.parse, data) == answer(files.parse_json, data)
    assert kinds == {"read", "refused"}


def test_a_record_is_not_left_to_the_slow_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "parse_json", lambda *_: pytest.fail("slow"))
    assert quick_json.parse(RECORD, "it") == json.loads(RECORD)
