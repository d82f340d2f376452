"""Records, job lists and bundles: real files of every version load, and what is wrong is named with its
place."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.record import samples, schema
from bench.record.files import BadFileError
from tests.conftest import ROOT

RECORDS = sorted((ROOT / "tests" / "records").glob("*.json"))
OK, FAILED, INVALID = (
    json.loads((ROOT / f"tests/records/v1-{n}.json").read_text()) for n in ("ok", "failed", "invalid")
)
SHA = "0" * 64
MODEL = {"id": "m", "file": "models/m.onnx", "sha256": SHA}
JOB = {
    "id": "m--null-fp32-t1",
    "model": MODEL,
    "backend": "null",
    "precision": "fp32",
    "threads": 1,
    "batch": 1,
}
JOBS = {
    "schema": 1,
    "kind": "orbitbench.jobs",
    "run": "r",
    "device": "local",
    "bundle": "../b",
    "seed": 1,
    "jobs": [JOB],
}
BUNDLE = {"schema": 1, "kind": "orbitbench.bundle", "models": [MODEL]}

PROCESS = {"process": 0, "samples": {"n": 1_000_000, "unit": "ns", "encoding": samples.ENCODING, "data": ""}}


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with one place set, deep inside: `latency.processes.0.samples`."""
    made = copy.deepcopy(document)
    place, *keys = made, *path.split(".")
    for key in keys[:-1]:
        place = place[int(key)] if isinstance(place, list) else place[key]
    last: Any = int(keys[-1]) if isinstance(place, list) else keys[-1]
    place[last] = value
    return made


def said(document: Any) -> str:
    return "; ".join(f"{p.path} {p.reason}" for p in schema.problems(document))


@pytest.mark.parametrize("path", RECORDS, ids=lambda p: p.stem)
def test_every_record_that_was_ever_written_still_loads_with_its_samples(path: Path) -> None:
    record = schema.load(str(path), "record")
    assert record["schema"] == schema.VERSION
    if record["status"] == "ok":
        counts = [len(samples.seconds(p["samples"])) for p in record["latency"]["processes"]]
        assert sum(counts) == record["figures"]["latency"]["n"]  # version 1 held figures once; now ignored


@pytest.mark.parametrize("document", [OK, FAILED, INVALID, JOBS, BUNDLE])
def test_a_sound_document_has_no_problems(document: dict[str, Any]) -> None:
    assert said(document) == ""


@pytest.mark.parametrize(
    ("document", "path", "value", "message"),
    [
        (OK, "status", "fine", "status is 'fine', known: ok, failed, skipped"),
        (OK, "latency.unit", "ms", "latency.unit is 'ms', known: s"),
        (OK, "latency.processes.0.samples.n", 3, "latency.processes[0].samples series states n = 3"),
        (OK, "memory.rungs.0.rss", -1, "memory.rungs[0].rss is -1, must be at least 0"),
        (OK, "memory.rungs.0.uss", 2**40, "memory.rungs[0].uss is above its rss"),
        (OK, "memory.rungs.0.pss", 2**40, "memory.rungs[0].pss is above its rss"),
        (OK, "memory.rungs.0.rung", "top", "memory.rungs[0].rung is 'top', known: start"),
        (OK, "job.threads", True, "job.threads must be a whole number, is True"),
        (OK, "job.threads", 1.5, "job.threads must be a whole number, is 1.5"),
        (OK, "run", "../../etc", "run is '../../etc'; allowed:"),
        (OK, "device", ".hidden", "device is '.hidden'; allowed:"),
        (OK, "validity.reasons", [{"code": "odd", "message": ""}], "validity.reasons[0].code is 'odd'"),
        (OK, "error", {"kind": "x", "message": "", "advice": ""}, "error must be null exactly when"),
        (OK, "environment", 7, "environment must be an object, is a number"),
        (JOBS, "jobs.0.model.file", "../x", "jobs[0].model.file is '../x', must be a path inside"),
        (JOBS, "jobs.0.model.file", "/etc/passwd", "jobs[0].model.file is '/etc/passwd'"),
        (JOBS, "jobs.0.model.sha256", "abc", "jobs[0].model.sha256 is 'abc', must be 64"),
        (JOBS, "jobs.0.id", "a b", "jobs[0].id is 'a b'; allowed:"),
        (JOBS, "jobs", [JOB, JOB], "jobs[1].id is the same as that of jobs[0]"),
        (JOBS, "seed", 1e300, "seed must be a whole number"),
        (JOBS, "seed", 2**70, "out of any range"),
        (BUNDLE, "models.0.widths", [0], "models[0].widths[0] is 0, must be at least 1"),
        (BUNDLE, "kind", "x", "kind is 'x', known"),
        (BUNDLE, "kind", ["x"], "kind is a list, known"),
        (OK, "sensors.0.power", -0.5, "sensors[0].power is -0.5, must be at least 0"),
        (OK, "job.model.accuracy", {"value": 7, "source": "guessed"}, "'guessed', known: published, trained"),
        (OK, "accuracy", {"value": 7, "source": "trained"}, "accuracy.source is 'trained', known: measured"),
        (OK, "sensors.0.load", "high", "sensors[0].load must be a number"),
        (OK, "figures.latency.p50", [], "figures.latency.p50 must be a number"),
        (OK, "accuracy", {"value": 101, "source": "measured"}, "accuracy.value is 101, must be at most 100"),
        (OK, "environment.kernel", "x" * 100_001, "environment.kernel is longer than 100000"),
        (OK, "latency.processes.0.samples", samples.encode([5, 0, 7]), "a duration that is not above 0"),
        (OK, "latency.processes.0.samples", samples.encode([]), "although it holds no samples"),
        (OK, "latency.processes", [PROCESS] * 9, "latency has 9000000 samples, at most 8000000"),
    ],
)
def test_a_mistake_is_named_with_its_place(
    document: dict[str, Any], path: str, value: Any, message: str
) -> None:
    assert message in said(changed(document, path, value))


def test_a_file_of_a_million_mistakes_names_a_hundred() -> None:
    rungs = [{"process": "?", "rung": "?"}] * 90_000
    assert len(schema.problems(changed(OK, "memory.rungs", rungs))) == 100


def test_a_record_with_a_field_that_only_job_lists_have_is_not_read_as_one() -> None:
    assert said({**OK, "jobs": 7}) == ""


def test_a_reader_may_leave_the_samples_packed() -> None:
    broken = changed(OK, "latency.processes.0.samples.n", 3)
    assert schema.problems(broken, decode=None) == []


def test_all_mistakes_are_told_at_once() -> None:
    document = changed(changed(OK, "device", ""), "latency.unit", "h")
    assert len(schema.problems(document)) == 2


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"environment.emulated": "qemu-user"}, "its CPU is emulated (qemu-user)"),
        ({"environment.fake": True}, "computes nothing"),
        ({"job.backend": "null"}, "its backend null computes nothing"),
        ({"output_check": {"max_abs_error": 1, "tolerance": 0, "ok": False}}, "its output is wrong"),
        (
            {"validity.reasons": [{"code": "throttled", "message": "hot"}]},
            "gives reasons against itself (throttled)",
        ),
        ({"latency.processes": []}, "it holds no samples"),
    ],
)
def test_an_invalid_record_cannot_pass_as_valid(changes: dict[str, Any], why: str) -> None:
    document = OK
    for path, value in changes.items():
        document = changed(document, path, value)
    assert why in said(document)
    assert OK["validity"]["valid"] is True


def test_a_failed_record_cannot_claim_to_be_valid_nor_an_invalid_one_keep_its_reasons_to_itself() -> None:
    assert "although its status is failed" in said(changed(FAILED, "validity.valid", True))
    assert "is empty although the record is not valid" in said(changed(OK, "validity.valid", False))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": 2, "kind": "orbitbench.record"}', "has schema version 2, this Orbitbench knows up to 1"),
        ('{"schema": 0, "kind": "orbitbench.record"}', "schema version 0 is unknown"),
        ('{"schema": "1"}', "has no integer `schema`"),
        ("[1]", "has no integer `schema`"),
        ("7", "has no integer `schema`"),
        ('{"schema": 1, "kind": "orbitbench.bundle", "models": []}', "is 'orbitbench.bundle', expected"),
    ],
)
def test_a_file_of_another_version_or_kind_is_refused_by_name(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(BadFileError, match="a\\.json") as caught:
        schema.load(str(tmp_path / "a.json"), "record")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_older_version_is_upgraded_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(schema.UPGRADES, ("k", -1), lambda d: {**d, "schema": 0, "first": True})
    monkeypatch.setitem(schema.UPGRADES, ("k", 0), lambda d: {**d, "schema": 1, "second": d["first"]})
    old = {"schema": -1, "kind": "k"}
    assert schema.upgrade(old, "x") == {"schema": 1, "kind": "k", "first": True, "second": True}
    assert old == {"schema": -1, "kind": "k"}


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def places(value: Any, path: str = "") -> list[str]:
    """Every path in a document."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else []
    below = [p for key, inner in items for p in places(inner, f"{path}.{key}" if path else str(key))]
    return ([path] if path else []) + below


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([OK, FAILED, JOBS, BUNDLE]), st.data(), json_values)
def test_nonsense_in_any_place_is_found_or_harmless_and_never_an_exception(
    document: dict[str, Any], data: st.DataObject, value: Any
) -> None:
    path = data.draw(st.sampled_from(places(document)))
    try:
        broken = changed(document, path, value)
    except (KeyError, ValueError, IndexError):
        return  # a key with a dot in it
    assert isinstance(schema.problems(broken), list)
