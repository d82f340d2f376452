"""Accuracy on the device: of the very model that was timed, on the bundle's labelled test set."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from bench.record import schema
from bench.runtime.__main__ import main
from tests import models


def bundle_with_test_set(folder: Path, images: Any, labels: Any) -> tuple[Path, str]:
    """A job list on a small network whose model names a test set."""
    bundle = folder / "bundle"
    job = models.job(
        bundle, models.cnn(bundle / "models/cnn.onnx", channels=4, size=8), measure={"processes": 1}
    )
    npz = bundle / "reference/test.npz"
    np.savez(npz, **{"input.0": images, "label": labels})
    job["model"]["test_set"] = {"file": "reference/test.npz", "sha256": models.sha256(npz)}
    return models.job_list(folder / "jobs.json", bundle, [job], device=folder.name), job["id"]


def test_top_1_is_what_the_library_itself_would_count(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.standard_normal((25, 3, 8, 8)).astype("f4") * 3
    jobs, name = bundle_with_test_set(tmp_path, images, np.zeros(25, "i8"))
    session = onnxruntime.InferenceSession(str(tmp_path / "bundle/models/cnn.onnx"))
    answers = np.array([session.run(None, {"input": image[None]})[0].argmax() for image in images])
    labels = np.where(np.arange(25) < 10, answers, answers + 1)
    jobs, name = bundle_with_test_set(tmp_path, images, labels)
    assert main([str(jobs), str(tmp_path / "out")]) == 0
    record = schema.load(str(tmp_path / f"out/records/{name}.json"), "record")
    assert record["accuracy"]["value"] == pytest.approx(40.0)
    assert record["accuracy"]["n"] == 25
    assert record["accuracy"]["model_sha256"] == record["job"]["model"]["sha256"]


@pytest.mark.parametrize(("shape", "count"), [((5, 3, 9, 9), 5), ((5, 3, 8, 8), 4), ((0, 3, 8, 8), 0)])
def test_a_test_set_that_does_not_fit_fails_the_job_with_both_shapes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shape: tuple[int, ...], count: int
) -> None:
    jobs, _ = bundle_with_test_set(tmp_path, np.zeros(shape, "f4"), np.zeros(count, "i8"))
    assert main([str(jobs), str(tmp_path / "out")]) == 1
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    error = next(event["error"] for event in events if event["event"] == "process")
    assert error["kind"] == "bad_reference"
    assert str(list(shape)) in error["message"]


def test_top_5_counts_a_label_among_the_five_largest(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    images = random.standard_normal((12, 3, 8, 8)).astype("f4") * 3
    bundle_with_test_set(tmp_path, images, np.zeros(12, "i8"))
    session = onnxruntime.InferenceSession(str(tmp_path / "bundle/models/cnn.onnx"))
    order = [np.argsort(-session.run(None, {"input": image[None]})[0][0]) for image in images]
    labels = np.array([found[4] if n < 9 else found[5] for n, found in enumerate(order)])
    jobs, name = bundle_with_test_set(tmp_path, images, labels)
    document = json.loads(jobs.read_text())
    document["jobs"][0]["model"]["test_set"]["metric"] = "top5"
    jobs.write_text(json.dumps(document))
    assert main([str(jobs), str(tmp_path / "out")]) == 0
    record = schema.load(str(tmp_path / f"out/records/{name}.json"), "record")
    assert (record["accuracy"]["value"], record["accuracy"]["metric"]) == (75.0, "top5")
