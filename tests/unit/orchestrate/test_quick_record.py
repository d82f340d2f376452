"""What is parsed and checked in one pass is what the schema accepts, value for value; it judges the rest."""

import json
import random
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench.record import checks, files, schema, sound
from orchestrate.analysis import quick_record, reading
from tests import synthetic
from tests.conftest import ROOT
from tests.fuzz import mutate
from tests.places import changed, places
from tests.unit.orchestrate.test_quick_json import PLACED
from tests.unit.record.test_sound import KINDS

SAMPLES = (ROOT / "tests/records/v1-ok.json", ROOT / "tests/records/v1-invalid.json")


def known(path: Path) -> Any:
    """A record of today: its figures are not the device's any more."""
    return {**json.loads(path.read_text()), "figures": {}}


RECORDS = [known(path) for path in SAMPLES]


def accepted(data: bytes) -> str | None:
    """What is accepted at once, after it was compared with what the schema says."""
    found = quick_record.parse(data)
    if found is None:
        return None
    wanted = schema.check_document(files.parse_json(data, "it"), "it", "record", decode=None)
    assert json.dumps(found, sort_keys=True) == json.dumps(wanted, sort_keys=True)
    return str(found["status"])


def test_records_are_accepted_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = synthetic.write(synthetic.Study(architectures=("vgg11",), ratios=(0.5,)), tmp_path)
    (run / "bench-a/records/real.json").write_text(json.dumps(RECORDS[0]))
    monkeypatch.setattr(schema, "check_document", lambda *_, **__: pytest.fail("slow"))
    with reading.begun([run]) as jobs:
        found = list(jobs)
    assert [type(job).__name__ for job in found] == ["MeasuredJob"] * 3


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in (1, 2))])
def test_spoilt_records_are_accepted_only_by_both(seed: int) -> None:
    rng, kinds = random.Random(seed), set()
    for _ in range(500):
        record = rng.choice(RECORDS)
        kinds.add(accepted(json.dumps(mutate.document(record, rng)).encode()))
        kinds.add(accepted(mutate.data(json.dumps(record).encode(), rng)))
    assert None in kinds
    assert "ok" in kinds


@pytest.fixture(scope="module")
def holed() -> list[bytes]:
    """A record with "@" in place of each of its values."""
    return [json.dumps(changed(RECORDS[0], path, "@")).encode() for path in [(), *places(RECORDS[0])]]


@pytest.mark.parametrize("text", PLACED)
def test_an_odd_value_anywhere_is_accepted_only_by_both(text: str, holed: list[bytes]) -> None:
    odd = text.encode("utf-8", "surrogateescape")
    for data in holed:
        accepted(data.replace(b'"@"', odd))


@pytest.mark.parametrize(
    "where",
    [b'{"process":', b'"environment": {', b'"model": {', b'"job": {', b'"latency": {', b'"samples": {', b"{"],
)
def test_a_key_that_is_there_twice_is_never_accepted(where: bytes) -> None:
    data = json.dumps(RECORDS[0]).encode()
    place = data.index(where) + where.index(b"{") + 1
    key = data[place : data.index(b":", place)]
    twice = data[:place] + key + b":1," + data[place:]
    assert accepted(data) == "ok"
    assert accepted(twice) is None
    with pytest.raises(files.BadFileError, match="appears twice"):
        files.parse_json(twice, "it")


def test_a_key_that_the_schema_does_not_know_is_for_the_schema_to_judge() -> None:
    data = json.dumps({**RECORDS[0], "later": 1}).encode()
    assert quick_record.parse(data) is None
    assert schema.check_document(files.parse_json(data, "it"), "it", "record", decode=None)


def test_an_environment_is_as_deep_as_in_its_file() -> None:
    for depth in (files.MAX_DEPTH - 4, files.MAX_DEPTH + 1):
        deep = json.loads("[" * depth + "]" * depth)
        data = json.dumps(changed(RECORDS[0], ("environment", "kernel"), deep)).encode()
        assert (accepted(data) is None) == (depth > files.MAX_DEPTH)


def test_a_contradiction_is_for_the_schema_to_name() -> None:
    assert accepted(json.dumps(changed(RECORDS[0], ("validity", "valid"), False)).encode()) is None


def test_a_large_environment_is_not_kept_for_others() -> None:
    large = {**RECORDS[0]["environment"], "cpu": {"flags": "x" * quick_record.SHARED_BYTES}}
    data = json.dumps({**RECORDS[0], "environment": large}).encode()
    first, second = (quick_record.parse(data) for _ in range(2))
    assert first == second
    assert first is not None
    assert second is not None
    assert first["environment"] is not second["environment"]


def test_equal_models_and_environments_are_one_object() -> None:
    first, second = (quick_record.parse(json.dumps(RECORDS[0]).encode()) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first["environment"] is second["environment"]
    assert first["job"]["model"] is second["job"]["model"]


@pytest.mark.parametrize(("check", "good", "bad"), KINDS)
def test_the_type_of_a_check_accepts_nothing_else(check: Any, good: list[Any], bad: list[Any]) -> None:
    decode = msgspec.json.Decoder(quick_record.type_of(check)).decode
    for value in bad:
        try:
            data = json.dumps(value, allow_nan=False).encode()
        except (TypeError, ValueError):  # what no JSON holds
            continue
        if not isinstance(value, dict) or all(isinstance(key, str) for key in value):
            with pytest.raises(msgspec.MsgspecError):
                decode(data)
    for value in good:
        if isinstance(sound.demand(check), sound.Anything) or (isinstance(value, dict) and "c" in value):
            continue
        assert decode(json.dumps(value).encode()) == value


def test_what_no_type_says_is_never_accepted_but_for_null_where_that_may_be() -> None:
    of_null = quick_record.type_of(checks.nullable(checks.inner_path))
    assert msgspec.json.decode(b"null", type=of_null) is None
    decode = msgspec.json.Decoder(quick_record.type_of(checks.inner_path)).decode
    for other in (b"null", b'"models/a.onnx"', b'""', b"1", b"{}", b"[]", b"true"):
        with pytest.raises(msgspec.MsgspecError):
            decode(other)
