"""Accuracy on the device: of the very model that was timed, on the bundle's labelled test set."""

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

from bench.record import schema
from bench.runtime.__main__ import main
from tests import models

Split = tuple[Any, Any, str]  # images, labels, metric


def measured(folder: Path, **splits: Split) -> tuple[int, dict[str, Any]]:
    """The exit code, and each record by name, of a small network's jobs with one test set each."""
    bundle, jobs = folder / "bundle", {}
    for name, (images, labels, metric) in splits.items():
        model = models.cnn(bundle / f"models/{name}.onnx", channels=4, size=8)
        jobs[name] = models.job(bundle, model, measure={"processes": 1})
        npz = bundle / f"reference/test-{name}.npz"
        np.savez(npz, **{"input.0": images, "label": labels})
        test_set = {"file": f"reference/{npz.name}", "sha256": models.sha256(npz), "metric": metric}
        jobs[name]["model"]["test_set"] = test_set
    listed = models.job_list(folder / "jobs.json", bundle, [*jobs.values()], device=folder.name)
    code = main([str(listed), str(folder / "out")])
    records = folder / "out/records"
    return code, {
        name: schema.load(str(records / f"{job['id']}.json"), "record") for name, job in jobs.items()
    }


def test_a_label_counts_where_the_library_itself_ranks_it_first_or_among_the_five_largest(
    tmp_path: Path,
) -> None:
    images = np.random.default_rng(0).standard_normal((25, 3, 8, 8)).astype("f4") * 3
    session = onnxruntime.InferenceSession(str(models.cnn(tmp_path / "cnn.onnx", channels=4, size=8)))
    order = np.array([np.argsort(-session.run(None, {"input": image[None]})[0][0]) for image in images])
    first = np.where(np.arange(25) < 10, order[:, 0], order[:, 1])
    fifth = np.where(np.arange(12) < 9, order[:12, 4], order[:12, 5])
    code, records = measured(tmp_path, one=(images, first, "top1"), five=(images[:12], fifth, "top5"))
    assert code == 0
    one, five = (records[name]["accuracy"] for name in ("one", "five"))
    assert (one["value"], one["n"]) == (pytest.approx(40.0), 25)
    assert one["model_sha256"] == records["one"]["job"]["model"]["sha256"]
    assert (five["value"], five["metric"]) == (75.0, "top5")


def test_a_test_set_that_does_not_fit_fails_the_job_with_both_shapes(tmp_path: Path) -> None:
    shapes = {"large": ((5, 3, 9, 9), 5), "few": ((5, 3, 8, 8), 4), "none": ((0, 3, 8, 8), 0)}
    bad = {name: (np.zeros(shape, "f4"), np.zeros(n, "i8"), "top1") for name, (shape, n) in shapes.items()}
    code, records = measured(tmp_path, **bad)
    assert code == 1
    for name, (shape, _) in shapes.items():
        error = records[name]["error"]
        assert error["kind"] == "bad_reference"
        assert str(list(shape)) in error["message"]


def test_an_image_whose_outputs_are_no_numbers_is_no_hit_and_all_such_are_no_accuracy(tmp_path: Path) -> None:
    images = np.zeros((10, 3, 8, 8), "f4")
    session = onnxruntime.InferenceSession(str(models.cnn(tmp_path / "cnn.onnx", channels=4, size=8)))
    labels = np.full(10, session.run(None, {"input": images[:1]})[0][0].argmax())
    images[6:] = np.nan
    labels[6:] = 0  # where argmax finds the first NaN
    nothing = (np.full_like(images, np.nan), np.zeros(10, "i8"), "top1")
    code, records = measured(tmp_path, some=(images, labels, "top1"), none=nothing)
    assert code == 0
    some, none = (records[name]["accuracy"] for name in ("some", "none"))
    assert (some["value"], some["non_finite"]) == (60.0, 4)
    assert (none["value"], none["non_finite"]) == (None, 10)
    (warning,) = (w for w in records["some"]["validity"]["warnings"] if w["code"] == "non_finite_outputs")
    assert warning["message"] == "NaN or infinite outputs for 4 of the test set's 10 images"
