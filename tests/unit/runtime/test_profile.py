"""A profile comes from a process of its own: no figure of the record does, and none is lost if it fails."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.record import onnx_graph, schema
from bench.record.record_fields import MOST_LAYERS
from bench.runtime.backends import onnxruntime_profile
from bench.runtime.backends.base import Event
from bench.runtime.measure import profile
from bench.runtime.supervise import job_list
from bench.runtime.supervise.scheduler import Scheduler
from bench.runtime.supervise.store import Store
from tests import models

WATCHED = {**models.QUICK, "profile": True}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Backend -> the record of one model, by the real runtime; the events it printed in `events`."""
    folder = tmp_path_factory.mktemp("profile")
    model = models.cnn(folder / "bundle/models/cnn.onnx")
    jobs = [models.job(folder / "bundle", model, backend=name) for name in ("onnxruntime", "null")]
    loaded = job_list.load(
        str(models.job_list(folder / "jobs.json", folder / "bundle", jobs, measure=WATCHED))
    )
    events: list[dict[str, Any]] = []
    store = Store(str(folder / "out"))
    assert Scheduler(loaded, store, events.append).run() == 0
    found = {job["backend"]: schema.load(store.record_path(job), "record") for job in loaded.jobs}
    return {**found, "events": {"all": events, "left": sorted(p.name for p in (folder / "out").iterdir())}}


def test_the_record_says_where_the_time_goes(records: dict[str, Any]) -> None:
    found = records["onnxruntime"]["profile"]
    assert found["source"] == "onnxruntime"
    assert found["error"] is None
    assert found["runs"] >= profile.LEAST * (1 - profile.WARM)
    assert sum(layer["operator"] == "Conv" for layer in found["layers"]) == 2
    assert sum(layer["seconds"] for layer in found["layers"]) > 0
    assert all(layer["bytes"] for layer in found["layers"])


def test_no_figure_of_the_record_comes_from_that_process(records: dict[str, Any]) -> None:
    record, timed = records["onnxruntime"], {0, 1}
    assert {process["process"] for process in record["latency"]["processes"]} == timed
    assert {rung["process"] for rung in record["memory"]["rungs"]} == timed
    assert {span["process"] for span in record["environment"]["spans"]} == timed
    assert {reading["process"] for reading in record["sensors"]} <= timed


def test_it_is_the_last_step_and_leaves_no_trace(records: dict[str, Any]) -> None:
    steps = [event for event in records["events"]["all"] if event["event"] == "process"]
    assert [event["process"] for event in steps if event["job"].startswith("cnn--onnx")][-1] == 2
    assert records["events"]["left"] == ["parts", "records"]


def test_a_backend_without_a_profiler_is_measured_all_the_same(records: dict[str, Any]) -> None:
    record = records["null"]
    assert record["status"] == "ok"
    assert len(record["latency"]["processes"]) == 2
    assert record["profile"]["error"]["kind"] == "no_profiler"
    assert record["profile"]["layers"] == []


def test_without_the_wish_there_is_none(tmp_path: Path) -> None:
    model = models.mlp(tmp_path / "bundle/models/mlp.onnx", 16)
    path = models.job_list(
        tmp_path / "jobs.json", tmp_path / "bundle", [models.job(tmp_path / "bundle", model)]
    )
    loaded = job_list.load(str(path))
    assert [step.process for step in job_list.order(loaded.jobs, 1)] == [0, 1]
    assert "profile" not in loaded.jobs[0]["measure"]


# -- the table ----------------------------------------------------------------------------------------------
def event(name: str, seconds: float, macs: int | None = None) -> Event:
    return Event(name, "Conv", seconds, macs, None)


def test_the_middle_half_counts_so_that_one_disturbed_inference_moves_nothing() -> None:
    inferences = [[event("a", 1.0, 5)] for _ in range(7)] + [[event("a", 99.0, 5)]]
    (layer,) = profile.table("x", inferences)["layers"]
    assert (layer["seconds"], layer["macs"], layer["calls"]) == (1.0, 5, 1)


def test_a_node_that_runs_twice_in_an_inference_is_one_row() -> None:
    (layer,) = profile.table("x", [[event("a", 1.0, 5), event("a", 2.0, 6)]] * 4)["layers"]
    assert (layer["seconds"], layer["macs"], layer["calls"]) == (3.0, 11, 2)


def test_more_layers_than_a_record_may_hold_end_in_one_sum() -> None:
    many = [event(f"n{i}", 1e-6 * (i % 50 + 1)) for i in range(MOST_LAYERS + 500)]
    made = profile.table("x", [many] * 4)
    assert len(made["layers"]) == MOST_LAYERS
    assert made["others"]["count"] == 500
    total = sum(layer["seconds"] for layer in made["layers"]) + made["others"]["seconds"]
    assert total == pytest.approx(sum(each.seconds for each in many))


def test_names_of_a_stranger_are_cut_to_what_a_record_holds() -> None:
    (layer,) = profile.table("x", [[event("n" * 999, 1.0)]] * 4)["layers"]
    assert len(layer["name"]) == 200


def test_a_name_without_operator_finds_it_in_the_graph() -> None:
    known = {"/0/Conv": "Conv", "/1/Relu": "Relu"}
    found = profile.named(Event("/0/Conv + /1/Relu", "", 1.0, None, None), known, {})
    assert found.operator == "Conv + Relu"


def test_a_fused_node_called_after_its_tensor_is_named_as_its_convolution() -> None:
    """Else the same layer of two networks would have two names, as their channels suit the library."""
    conv = onnx_graph.Node("Conv", ["x", "w"], ["c"], {}, "/0/Conv")
    clip = onnx_graph.Node("Clip", ["c", "", "six"], ["/1/Clip_output_0"], {}, "/1/Clip")
    made_by = {"c": conv, "/1/Clip_output_0": clip}
    operators = {"/0/Conv": "Conv", "/1/Clip": "Clip"}
    for name in ("/1/Clip_output_0", "c", "/0/Conv"):
        assert profile.named(event(name, 1.0), operators, made_by).name == "/0/Conv"
    assert profile.named(event("ReorderOutput_3", 1.0), operators, made_by).name == "ReorderOutput_3"


# -- onnxruntime's trace ------------------------------------------------------------------------------------
def node(name: str, ts: int, dur: int, **args: Any) -> dict[str, Any]:
    about = {"op_name": name, "activation_size": "1", "parameter_size": "2", "output_size": "3", **args}
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": dur, "tid": 1, "args": about}


def read(tmp_path: Path, *events: dict[str, Any], runs: int = 1) -> list[list[Event]]:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps(events))
    return onnxruntime_profile.read(str(path), runs)


def span(ts: int, dur: int) -> dict[str, Any]:
    return {"cat": "Session", "name": "model_run", "ts": ts, "dur": dur, "args": {}}


def test_a_loops_time_is_not_counted_again_for_what_runs_in_it(tmp_path: Path) -> None:
    loop = [node("Loop", 10, 100), node("Sin", 20, 30), node("Sin", 60, 40), node("Add", 111, 9)]
    (found,) = read(tmp_path, *loop, span(5, 200))
    assert [(e.name, round(e.seconds * 1e6)) for e in found] == [
        ("Loop", 30), ("Sin", 30), ("Sin", 40), ("Add", 9),
    ]  # fmt: skip


def test_only_the_last_inferences_count(tmp_path: Path) -> None:
    events = [node("A", 1, 5), span(0, 10), node("A", 21, 6), span(20, 10), node("A", 41, 7), span(40, 10)]
    found = read(tmp_path, *events, runs=2)
    assert [[round(e.seconds * 1e6) for e in each] for each in found] == [[6], [7]]


SHAPES = {
    "Conv": ([[1, 3, 8, 8], [16, 3, 3, 3]], [1, 16, 8, 8], 16 * 27 * 64),
    "FusedMatMul": ([[1, 20]], [1, 10], 200),
    "Gemm": ([[4, 20], [20, 10]], [4, 10], 800),
    "Relu": ([[1, 20]], [1, 20], None),
}


@pytest.mark.parametrize("operator", SHAPES)
def test_multiplications_follow_from_the_shapes_in_the_trace(tmp_path: Path, operator: str) -> None:
    inputs, output, macs = SHAPES[operator]
    told = {"input_type_shape": [{"float": s} for s in inputs], "output_type_shape": [{"float": output}]}
    ((event,),) = read(tmp_path, node(operator, 1, 5, **told), span(0, 10))
    assert (event.macs, event.bytes) == (macs, 6)


def test_a_release_that_tells_no_shapes_leaves_them_unknown(tmp_path: Path) -> None:
    ((event,),) = read(tmp_path, node("Conv", 1, 5, activation_size=None), span(0, 10))
    assert (event.macs, event.bytes) == (None, None)
