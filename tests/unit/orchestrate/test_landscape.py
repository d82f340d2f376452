"""Which networks a cost landscape is asked about, what is believed of the answer, and what the page gets."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from bench.cost.profile import save_profile
from orchestrate.analysis import landscape
from orchestrate.analysis.frame import Frame
from orchestrate.analysis.landscape import Landscape
from orchestrate.errors import OrbitError
from orchestrate.execution import predictions
from tests.unit.cost.synthetic_profile import profile

RUNNING = {"device": "pi4", "backend": "onnxruntime", "precision": "fp32", "threads": 4}
ENVIRONMENT = {"versions": {"onnxruntime": "1.2"}, "cpu": {"identity": {"model name": "A CPU"}}}
ANSWER = {
    **RUNNING, "profile": "pi", "version": "1.2", "cpu": "A CPU", "emulated": None, "architecture": "vgg11",
    "dataset": "cifar10", "layer": "conv5", "share": 0.2, "block": 8, "channels": [8, 9, 16],
    "seconds": [0.001, 0.0015, 0.0016], "networks": [{"model": "device-0.5", "channels": 16}],
}  # fmt: skip


def row(method: str, ratio: float = 0.5, ratio_of: str = "params", **other: Any) -> dict:
    predicted = {**RUNNING, "profile": "pi"}
    return {
        **RUNNING, "processor": "cpu", "batch": 1, "setup": "", "model": f"{method}-{ratio:g}",
        "architecture": "vgg11",
        "dataset": "cifar10", "method": method, "align": 1, "ratio": ratio, "ratio_of": ratio_of,
        "widths": (8, 16), "source": source(predicted), **other,
    }  # fmt: skip


def source(predicted: dict, version: str = "1.2") -> SimpleNamespace:
    environment = {**ENVIRONMENT, "versions": {"onnxruntime": version}}
    return SimpleNamespace(model={"predicted": predicted}, options={}, environment=environment)


def asked(*rows: dict) -> list[landscape.Question]:
    return landscape.questions(Frame.of_rows(rows))


def test_the_target_with_the_most_methods_is_asked_about_and_the_device_method_is_its_base() -> None:
    rows = [row("uniform", 0.75), row("neuralscale"), row("uniform"), row("device")]
    [question] = asked(*rows)
    assert question.profile == "pi"
    assert [each["id"] for each in question.networks()] == ["device-0.5", "neuralscale-0.5", "uniform-0.5"]
    assert question.networks()[0]["widths"] == [8, 16]


def test_of_equal_targets_that_of_latency_is_the_more_telling() -> None:
    [question] = asked(row("uniform"), row("uniform", 0.3, "latency"), row("uniform", 0.9, "macs"))
    assert question.rows[0]["ratio_of"] == "latency"


def test_a_stranger_s_thousand_methods_are_cut() -> None:
    [question] = asked(*(row(f"m{n}") for n in range(landscape.MOST_NETWORKS + 5)))
    assert len(question.networks()) == landscape.MOST_NETWORKS


def test_architectures_and_devices_have_a_question_each() -> None:
    tx2 = source({**RUNNING, "device": "tx2", "profile": "tx2"})
    rows = [row("uniform"), row("uniform", architecture="resnet50"), row("uniform", device="tx2", source=tx2)]
    assert [(q.profile, q.rows[0]["architecture"]) for q in asked(*rows)] == [
        ("pi", "vgg11"), ("pi", "resnet50"), ("tx2", "vgg11"),
    ]  # fmt: skip


def test_nothing_is_asked_where_no_profile_of_the_device_predicted() -> None:
    assert asked(row("uniform", device="tx2"), row("uniform", source=SimpleNamespace(model={}))) == []


def test_a_network_lies_on_the_curve_at_its_width() -> None:
    questions = asked(row("device"), row("uniform"))
    found = landscape.frames([(questions[0], Landscape.model_validate(ANSWER))])
    assert found["landscape"].keys(["channels", "seconds"]) == [(8, 0.001), (9, 0.0015), (16, 0.0016)]
    [mark] = found["landscape_networks"].rows()
    assert (mark["method"], mark["channels"], mark["seconds"], mark["base"]) == (
        "device", 16, 0.0016, "device-0.5",
    )  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"device": "tx2"},
        {"threads": 1},
        {"emulated": "qemu"},
        {"version": "1.3"},
        {"cpu": "Another"},
        {"setup": {"power mode": "MAXN"}},
    ],
)
def test_a_profile_of_elsewhere_or_of_an_emulator_shows_nothing(wrong: dict) -> None:
    [question] = asked(row("device"))
    found = landscape.frames([(question, Landscape.model_validate({**ANSWER, **wrong}))])
    assert len(found["landscape"]) == len(found["landscape_networks"]) == 0
    assert list(found["landscape"].names) == landscape.CURVE


def test_a_network_measured_with_another_library_than_the_base_is_not_on_its_curve() -> None:
    predicted = {**RUNNING, "profile": "pi"}
    [question] = asked(row("device"), row("uniform", source=source(predicted, version="1.1")))
    networks = [{"model": name, "channels": 16} for name in ("device-0.5", "uniform-0.5")]
    found = landscape.frames([(question, Landscape.model_validate({**ANSWER, "networks": networks}))])
    assert found["landscape_networks"].keys(["method"]) == [("device",)]


def test_a_profile_made_anew_since_it_predicted_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Records and their predictions are of version 1.2.2; the profile of that name is of 1.2.3 by now."""
    made = profile()
    save_profile(made, tmp_path / "manifests" / "profiles" / "made-up.yaml")
    monkeypatch.chdir(tmp_path)
    where = made.environment.model_dump(include={*RUNNING})
    questions = []
    for version in ("1.2.2", "1.2.3"):
        seen = source({**where, "profile": "made-up"}, version=version)
        seen.environment["cpu"] = {"identity": {"model name": made.environment.cpu}}
        questions += asked(row("device", **where, widths=(16, 32, 33, 64, 64, 64, 64, 64), source=seen))
    answered = predictions.landscapes(questions)
    assert [found.version for _, found in answered] == ["1.2.3"] * 2
    assert [len(landscape.frames([each])["landscape"]) > 0 for each in answered] == [False, True]
    told = "profile made-up is of version 1.2.3, not 1.2.2 on nowhere: no cost landscape of it"
    assert capsys.readouterr().err.splitlines() == [told]


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": [0.1]},
        {"seconds": [0.1, float("nan"), 0.1]},
        {"channels": [8, 16, 9]},
        {"channels": [0, 9, 16]},
        {"networks": [{"model": "device-0.5", "channels": 10}]},
        {"threads": "4"},
        {"more": 1},
    ],
)
def test_an_answer_that_is_none_is_refused(wrong: dict) -> None:
    text = json.dumps([{**ANSWER, **wrong}])
    with pytest.raises(ValidationError):
        TypeAdapter(list[Landscape]).validate_json(text)


def test_nonsense_is_named() -> None:
    with pytest.raises(OrbitError, match=r"nonsense: 0\.threads"):
        predictions._landscapes(json.dumps([{**ANSWER, "threads": "4"}]))


@pytest.mark.parametrize("stranger", ["nobody-has-this", "../../etc/passwd.yaml", "made.yaml"])
def test_a_profile_that_is_not_known_here_is_a_line_and_no_error(
    stranger: str, capsys: pytest.CaptureFixture[str]
) -> None:
    [question] = asked(row("device"))
    assert predictions.landscapes([question._replace(profile=stranger)]) == []
    assert f"no profile '{stranger}' here, so no cost landscape of it; known: " in capsys.readouterr().err
