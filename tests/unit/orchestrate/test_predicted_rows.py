"""Predictions stand beside measurements of the profile's own device and runtime, and of no other."""

import math
from types import SimpleNamespace

import pytest

from orchestrate.analysis import memory, predicted
from orchestrate.analysis.frame import Frame
from orchestrate.report import predicted_rows

PREDICTED = {
    "profile": "pi", "device": "pi4", "backend": "onnxruntime", "precision": "fp32", "threads": 4,
    "latency": {"value": 0.011, "low": 0.010, "high": 0.012},
    "memory": {"value": 5e7, "low": 4e7, "high": 6e7},
}  # fmt: skip


ENVIRONMENT = {
    "versions": {"onnxruntime": "1.33.0"},
    "cpu": {"identity": {"model name": "A CPU"}},
    "board": {"power_mode": "10W"},
}
OPTIONS = {"graph_level": "disabled"}
SETUP = {"power mode": "10W", "option graph_level": "disabled"}


def job(predicted: dict | None, device: str = "pi4", batch: int = 1) -> dict:
    named = {"model": "m", "architecture": "vgg11", "method": "device", "align": 1}
    run = {"device": device, "processor": "cpu", "backend": "onnxruntime", "precision": "fp32"}
    run |= {"threads": 4, "batch": batch, "setup": ""}
    latency = {"latency": 0.010, "latency_low": 0.0098, "latency_high": 0.0102}
    source = SimpleNamespace(
        model={"predicted": predicted} if predicted else {}, options=OPTIONS, environment=ENVIRONMENT
    )
    return {**named, **run, **latency, memory.PROCESS: 4e7, "source": source}


def test_a_prediction_is_of_its_own_device_only() -> None:
    found = predicted_rows.frame(Frame.of_rows([job(PREDICTED), job(PREDICTED, "xavier"), job(None)]))
    assert len(found) == 1
    [row] = found.rows()
    assert row["device"] == "pi4"
    assert row["error"] == pytest.approx(0.1)
    assert row["memory_error"] == pytest.approx(0.25)
    assert (row["predicted_low"], row["predicted_high"]) == (0.010, 0.012)


def test_without_predictions_the_frame_is_empty_but_has_its_columns() -> None:
    found = predicted_rows.frame(Frame.of_rows([job(None)]))
    assert (len(found), found.names) == (0, predicted_rows.COLUMNS)


def test_a_prediction_of_one_image_is_not_compared_with_a_batch() -> None:
    assert len(predicted_rows.frame(Frame.of_rows([job(PREDICTED, batch=8)]))) == 0


def test_memory_that_the_profile_does_not_know_is_not_compared() -> None:
    [row] = predicted_rows.frame(Frame.of_rows([job({**PREDICTED, "memory": None})])).rows()
    assert row["error"] == pytest.approx(0.1)
    assert math.isnan(row["memory_error"])


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ({"version": "1.33.0", "cpu": "A CPU"}, None),
        (
            {"version": "1.32.0"},
            "profile pi is of version 1.32.0, not 1.33.0 on pi4: 2 predictions not compared",
        ),
        ({"cpu": "Another"}, "profile pi is of cpu Another, not A CPU on pi4: 2 predictions not compared"),
        ({"emulated": "qemu"}, "profile pi is of an emulated CPU on pi4: 2 predictions not compared"),
        (
            {"setup": {**SETUP, "power mode": "MAXN"}},
            "profile pi is of power mode MAXN, not 10W on pi4: 2 predictions not compared",
        ),
        (
            {"setup": {"power mode": "10W"}},
            "profile pi is of option graph_level default, not disabled on pi4: 2 predictions not compared",
        ),
    ],
)
def test_a_profile_of_another_environment_is_named_and_not_compared(where: dict, told: str | None) -> None:
    table = Frame.of_rows([job({**PREDICTED, "setup": SETUP, **where})] * 2)
    assert len(predicted_rows.frame(table)) == (0 if told else 2)
    assert predicted.elsewhere(table) == ((told,) if told else ())


def test_a_profile_that_does_not_know_its_setup_is_compared_and_named() -> None:
    table = Frame.of_rows([job(PREDICTED)])
    assert len(predicted_rows.frame(table)) == 1
    [line] = predicted.elsewhere(table)
    assert line == (
        "profile pi was made without its backend options and power mode: these are not compared: 1 prediction"
    )
