"""Predictions are judged by architecture: median error, share within 10 %, share inside the interval."""

import pytest

from orchestrate.analysis import prediction_error
from orchestrate.analysis.frame import Frame
from orchestrate.report import predicted_rows

RUNNING = {"device": "pi4", "processor": "cpu", "backend": "onnxruntime", "precision": "fp32", "threads": 4}


def network(architecture: str, predicted: float, half: float, device: str = "pi4") -> dict:
    """One that took 10 ms."""
    return {
        **RUNNING, "batch": 1, "setup": "", "device": device, "profile": "pi", "architecture": architecture,
        "latency": 0.010, "predicted": predicted, "predicted_low": predicted - half,
        "predicted_high": predicted + half, "error": predicted / 0.010 - 1,
    }  # fmt: skip


def test_each_architecture_has_its_own_figures() -> None:
    rows = [
        network("vgg11", 0.0095, 0.001),
        network("vgg11", 0.0102, 0.0001),  # close, yet outside its interval
        network("vgg11", 0.0130, 0.001),
        network("resnet50", 0.0080, 0.003),
    ]
    found = prediction_error.by_architecture(Frame.of_rows(rows))
    assert found["architecture"].tolist() == ["vgg11", "resnet50"]
    vgg11, resnet50 = found.keys(["median_error", "within", "inside", "networks"])
    assert vgg11 == pytest.approx((0.05, 2 / 3, 1 / 3, 3))
    assert resnet50 == pytest.approx((0.2, 0, 1, 1))


def test_devices_are_not_mixed() -> None:
    rows = [network("vgg11", 0.0095, 0.001), network("vgg11", 0.02, 0.001, "tx2")]
    found = prediction_error.by_architecture(Frame.of_rows(rows))
    assert found.keys(["device", "networks", "within"]) == [("pi4", 1, 1.0), ("tx2", 1, 0.0)]


def test_no_prediction_has_no_error() -> None:
    found = prediction_error.by_architecture(Frame.of_rows([], predicted_rows.COLUMNS))
    assert (len(found), list(found.names)) == (0, prediction_error.COLUMNS)
