"""Predictions stand beside measurements of the profile's own device and runtime, and of no other."""

from types import SimpleNamespace

import pytest

from orchestrate.analysis import memory
from orchestrate.analysis.frame import Frame
from orchestrate.report import predicted_rows

PREDICTED = {
    "profile": "pi", "device": "pi4", "backend": "onnxruntime", "precision": "fp32", "threads": 4,
    "latency": {"value": 0.011, "low": 0.010, "high": 0.012},
    "memory": {"value": 5e7, "low": 4e7, "high": 6e7},
}  # fmt: skip


def job(predicted: dict | None, device: str = "pi4") -> dict:
    named = {"model": "m", "architecture": "vgg11", "method": "device", "align": 1}
    run = {"device": device, "processor": "cpu", "backend": "onnxruntime", "precision": "fp32"}
    run |= {"threads": 4, "batch": 1}
    latency = {"latency": 0.010, "latency_low": 0.0098, "latency_high": 0.0102}
    source = SimpleNamespace(model={"predicted": predicted} if predicted else {})
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
