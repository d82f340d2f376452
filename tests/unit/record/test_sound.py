"""What is accepted at once is what the checks, value by value, find nothing wrong with."""

import importlib
import json
import random
import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from bench.record import checks, schema, sound
from tests import synthetic
from tests.conftest import ROOT
from tests.fuzz import mutate

PARTS = ("sound", "checks", "job_fields", "record_fields", "schema")
RECORDS = [json.loads(path.read_text()) for path in sorted((ROOT / "tests/records").glob("*.json"))]


KINDS = [
    (checks.number(0), [0, 0.5, 10**15], [-1, True, "1", None, float("nan"), float("inf"), 2**62, 2.0**62]),
    (checks.number(), [-0.5, 2**62 - 1, 1 - 2**62], [2.0**62, -(2.0**62), -(2**62)]),
    (checks.number(1, integer=True, maximum=9), [1, 9], [0, 10, 1.0, True, 2**70]),
    (checks.nullable(checks.name), [None, "", "x" * 200], ["x" * 201, 1, []]),
    (checks.text, ["x" * 100_000], ["x" * 100_001, b"x", None]),
    (checks.boolean, [True, False], [0, 1, None, "true"]),
    (checks.choice("a", "b"), ["a"], ["c", None, 1, ["a"]]),
    (checks.choice(1), [1], [True, 1.0, "1", {}]),
    (checks.listing(checks.count, 1, 3), [[1], [1, 2, 3]], [[], [1, 2, 3, 4], [-1], {}, None]),
    (checks.mapping(checks.count), [{}, {"a": 1}], [{"a": -1}, [], None]),
    (checks.identifier, ["a.b-c_1"], [".a", "a b", "", 1, "a\n", "x" * 201]),
    (checks.anything, [None, 1.5, "x", {"a": [1, {"b": "y"}]}, {}, []],
     ["x" * 100_001, {"a": ["x" * 100_001]}, {"x" * 100_001: 1}, {1: 2}]),
    (checks.sha256, ["0" * 64], ["0" * 63, "A" * 64, "0" * 64 + "\n", 0]),
    (checks.fields({"a": checks.count}, {"b": checks.text}), [{"a": 1}, {"a": 1, "b": "", "c": None}],
     [{}, {"b": ""}, {"a": 1, "b": None}, {"a": -1}, [], None]),
]  # fmt: skip


@pytest.fixture(scope="module")
def by_value() -> Iterator[ModuleType]:
    """A second copy of the schema, which accepts no object at once."""
    names = [f"bench.record.{part}" for part in PARTS]
    kept = {name: sys.modules.pop(name) for name in names}
    package = importlib.import_module("bench.record")
    try:
        importlib.import_module("bench.record.sound").of_fields = lambda fields: lambda value: False
        yield importlib.import_module("bench.record.schema")
    finally:
        sys.modules.update(kept)
        for part in PARTS:
            setattr(package, part, kept[f"bench.record.{part}"])


@pytest.mark.parametrize("count", [500, pytest.param(5000, marks=pytest.mark.slow)])
def test_a_spoilt_document_has_the_same_problems(by_value: ModuleType, count: int) -> None:
    rng, kinds = random.Random(13), set()
    for _ in range(count):
        document = mutate.document(rng.choice(RECORDS), rng)
        wanted = by_value.problems(document, None)
        assert [tuple(each) for each in schema.problems(document, None)] == [tuple(each) for each in wanted]
        kinds.add(bool(wanted))
    assert kinds == {True, False}


@pytest.mark.parametrize(("check", "good", "bad"), KINDS)
def test_each_kind_of_check_is_written_as_what_it_demands(
    check: Any, good: list[Any], bad: list[Any]
) -> None:
    at_once = sound.function(check)
    assert [bool(at_once(value)) for value in good] == [True] * len(good)
    assert [bool(at_once(value)) for value in bad] == [False] * len(bad)
    assert [sound.passes(check, value) for value in good + bad] == [True] * len(good) + [False] * len(bad)


def test_a_record_is_accepted_at_once(tmp_path: Any) -> None:
    made = synthetic.write(synthetic.Study(architectures=("vgg11",), ratios=(0.5,)), tmp_path)
    for path in made.glob("*/records/*.json"):
        assert sound.function(schema.KINDS["orbitbench.record"])(json.loads(path.read_text()))


def test_a_field_that_may_be_anything_must_still_be_there() -> None:
    found: list[checks.Problem] = []
    checks.fields({"any": lambda value, path, problems: None}, {})({}, "", found)
    assert [problem.reason for problem in found] == ["lacks `any`"]
