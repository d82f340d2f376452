"""Threads, precisions, processes and accuracies from the command line: for one run, stated in its plan."""

from pathlib import Path

import pytest

from orchestrate.errors import BadInput
from orchestrate.execution import own_words, settings
from orchestrate.runs import plan
from tests.unit.orchestrate import sample

OWN = {**sample.model("onnx-net-0123abcd"), "architecture": None}


def test_every_thread_count_and_precision_is_a_job_and_the_processes_are_those_asked_for() -> None:
    device = sample.device(backend="tensorrt", measure={"processes": 9, "max_seconds": 1})
    swept = own_words.sweep("1,2,4", "fp32,int8", 5).devices({"local": device})["local"]
    jobs = plan.jobs_of([sample.model("a")], swept)
    assert [(job["precision"], job["threads"]) for job in jobs] == [
        (precision, threads) for precision in ("fp32", "int8") for threads in (1, 2, 4)
    ]
    assert {job["measure"]["processes"] for job in jobs} == {5}
    assert device.threads == [1]


def test_a_swept_run_resumes_under_the_devices_yaml_that_it_was_planned_with(tmp_path: Path) -> None:
    known = {"local": sample.device()}
    planned = plan.plan(sample.bundle("a"), known, "1", own_words.sweep("1,2", None, 2).devices(known))
    assert plan.problems(plan.for_run(planned, sample.NAME, "")) == []
    run = sample.run(tmp_path, "a")
    run.plan = plan.for_run(planned, run.name, "")
    run.devices["local"].__dict__["planned"] = {
        job["id"]: job for job in plan.job_list(planned, run.name, "local")["jobs"]
    }
    assert settings.differences(run, "local", sample.device()) == {}
    assert "threads" in settings.differences(run, "local", sample.device(threads=[8]))


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (("x", None, None), "--threads x: give whole numbers up to 256"),
        (("1,,2", None, None), "a value is missing"),
        (("257", None, None), "--threads 257"),
        ((None, "int9", None), "--precision int9 (did you mean int8?): known: fp16, fp32, int8"),
        ((None, None, 0), "--processes 0: give a whole number from 1 to 100"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named_with_what_is_allowed(given: tuple[str, str, int], expected: str) -> None:
    with pytest.raises(BadInput) as caught:
        own_words.sweep(*given)
    assert expected in str(caught.value)


def test_a_stated_accuracy_belongs_to_the_file_that_is_named() -> None:
    (model,) = own_words.with_accuracy([OWN], ["91.2"])
    assert model["accuracy"] == {"value": 91.2, "source": "stated"}
    other = {**OWN, "id": "onnx-other-0123abcd"}
    models = own_words.with_accuracy([OWN, other], ["other=70"])
    assert [model.get("accuracy") for model in models] == [None, {"value": 70.0, "source": "stated"}]
    for text, expected in (
        ("70", "of which file? --accuracy FILE=70; files: net, other"),
        ("nett=70", "no file is called 'nett' (did you mean net?); files: net, other"),
        ("net=700", "give a percentage"),
        ("net=nan", "give a percentage"),
    ):
        with pytest.raises(BadInput) as caught:
            own_words.with_accuracy([OWN, other], [text])
        assert expected in str(caught.value)


def test_a_file_is_called_what_the_user_says() -> None:
    (model,) = own_words.with_names([OWN], ["detector"])
    assert model == {**OWN, "id": "onnx-detector-0123abcd"}
    other = {**OWN, "id": "onnx-other-0123abcd"}
    models = own_words.with_names([OWN, other, sample.model("a")], ["other=b.2"])
    assert [model["id"] for model in models] == ["onnx-net-0123abcd", "onnx-b.2-0123abcd", "a"]
    for text, expected in (
        ("b", "of which file? --name FILE=b; files: net, other"),
        ("net=a/b", "--name net=a/b: give letters, digits"),
        ("net=other", "two files would be called other"),
    ):
        with pytest.raises(BadInput) as caught:
            own_words.with_names([OWN, other], [text])
        assert expected in str(caught.value)


def test_two_files_get_no_one_name_though_their_contents_differ() -> None:
    other = {**OWN, "id": "onnx-other-4567abcd"}
    with pytest.raises(BadInput, match="two files would be called same"):
        own_words.with_names([OWN, other], ["net=same", "other=same"])
    swapped = own_words.with_names([OWN, other], ["net=other", "other=net"])
    assert [model["id"] for model in swapped] == ["onnx-other-0123abcd", "onnx-net-4567abcd"]


def test_a_name_and_an_accuracy_are_of_every_batch_of_a_file() -> None:
    eight = {**OWN, "id": "onnx-net-b8-4567abcd", "batch": 8}
    models = own_words.with_names(own_words.with_accuracy([OWN, eight], ["91"]), ["detector"])
    assert [model["id"] for model in models] == ["onnx-detector-0123abcd", "onnx-detector-b8-4567abcd"]
    assert {model["accuracy"]["value"] for model in models} == {91.0}


@pytest.mark.parametrize(("option", "text"), [("--accuracy", "a=91"), ("--name", "a=b")])
def test_what_is_said_of_one_of_two_files_of_one_name_is_refused(option: str, text: str) -> None:
    twin = {**OWN, "id": OWN["id"][:-8] + "fedcba98"}
    change = own_words.with_accuracy if option == "--accuracy" else own_words.with_names
    named = text.replace("a", OWN["id"].split("-")[1], 1)
    with pytest.raises(BadInput, match=f"{option} {named}: two files are called"):
        change([OWN, twin], [named])
