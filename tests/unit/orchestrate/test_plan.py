"""The plan: which jobs, under which names, and that it depends on nothing but its arguments."""

import hypothesis.strategies as st
from hypothesis import given, settings

from bench.record import schema
from bench.record.types import files_of
from orchestrate.runs import plan
from tests.unit.orchestrate import sample


def test_every_model_meets_every_precision_and_thread_count() -> None:
    device = sample.device(backend="tensorrt", precisions=["fp32", "int8"], threads=[1, 4])
    jobs = plan.jobs_of([sample.model("a"), sample.model("b")], device)
    assert len({job["id"] for job in jobs}) == 8
    assert jobs[0]["id"] == "a--tensorrt-fp32-t1"
    assert jobs[-1]["id"] == "b--tensorrt-int8-t4"


def test_the_job_list_is_one_that_the_runtime_accepts() -> None:
    planned = plan.plan(sample.bundle("a", "b"), {"local": sample.device(measure={"max_seconds": 9})}, "1")
    jobs = plan.job_list(planned, "20261122-191500-tiny", "local")
    assert schema.problems(jobs) == []
    assert jobs["measure"]["processes"] == 1
    assert jobs["jobs"][0]["measure"] == {"max_seconds": 9}


def test_the_hash_follows_the_content_and_not_the_clock_or_the_run() -> None:
    devices = {"local": sample.device()}
    same = plan.plan(sample.bundle("a"), devices, "1")
    assert same["hash"] == plan.plan(sample.bundle("a"), devices, "1")["hash"]
    changed = [
        plan.plan(sample.bundle("b"), devices, "1"),
        plan.plan(sample.bundle("a"), {"local": sample.device(threads=[2])}, "1"),
        plan.plan(sample.bundle("a"), {"other": sample.device()}, "1"),
        plan.plan(sample.bundle("a"), devices, "2"),
    ]
    assert len({same["hash"], *(other["hash"] for other in changed)}) == 5


@settings(deadline=None)  # a loaded machine is no fault of the plan
@given(st.sets(st.integers(0, 9)))
def test_a_reduced_list_keeps_the_order_and_everything_else(kept: set[int]) -> None:
    planned = plan.plan(sample.bundle(*"abcdefghij"), {"local": sample.device()}, "1")
    jobs = plan.job_list(planned, "run", "local")
    wanted = [jobs["jobs"][index]["id"] for index in kept]
    less = plan.restrict(jobs, wanted, {"model": "Pi"})
    assert less["jobs"] == [job for index, job in enumerate(jobs["jobs"]) if index in kept]
    assert {**less, "jobs": jobs["jobs"], "board": {}} == jobs
    assert less["board"] == {"model": "Pi"}


def test_a_board_is_sent_the_model_its_reference_and_its_test_set() -> None:
    reference, test_set = ({"file": f"reference/{name}.npz", "sha256": sample.SHA} for name in ("m", "test"))
    model = {**sample.model(), "reference": reference, "test_set": test_set}
    assert [part["file"] for part in files_of(model)] == [
        "models/m.onnx",
        reference["file"],
        test_set["file"],
    ]
    assert files_of({**sample.model(), "reference": None, "test_set": None}) == [
        {**sample.model(), "reference": None, "test_set": None}
    ]
