"""What a bundle says a profile predicts of a model: of one image, with the environment that it is of."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.cost.profile import save_profile
from bench.export.plan import plan_one
from bench.manifests.experiment import Request
from bench.record import checks, job_fields
from tests.unit.cost.synthetic_profile import profile

WIDE = Request("vgg11", "cifar10", "uniform", 0.5, "params")


def predicted(folder: Path, name: str, asked: Request = WIDE, **changes: Any) -> Any:
    """The entry's prediction by the made-up profile, changed and called `name`."""
    (folder / "manifests/profiles").mkdir(parents=True, exist_ok=True)
    made = profile().model_copy(update={"name": name, **changes})
    save_profile(made, folder / f"manifests/profiles/{name}.yaml")
    entry = plan_one(replace(asked, profile=name)).entry()
    model = {
        "id": "m",
        "file": "m.onnx",
        "sha256": "0" * 64,
        **json.loads(json.dumps(entry, allow_nan=False)),
    }
    problems: list[checks.Problem] = []
    job_fields.model(model, (), problems)
    assert problems == []
    return model.get("predicted")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_prediction_names_the_environment_that_it_is_of(folder: Path) -> None:
    found = predicted(folder, "plain")
    assert found == found | {
        "profile": "plain", "device": "nowhere", "backend": "onnxruntime", "version": "1.2.3",
        "precision": "fp32", "threads": 1, "cpu": "none",
    }  # fmt: skip
    assert found["latency"]["low"] < found["latency"]["value"] < found["latency"]["high"]
    assert "emulated" not in found
    assert predicted(folder, "unreal", emulated="qemu")["emulated"] == "qemu"


def test_memory_that_a_profile_does_not_know_is_null_in_a_bundle(folder: Path) -> None:
    measurements = [each.model_copy(update={"memory": None}) for each in profile().measurements]
    found = predicted(folder, "bare", measurements=measurements)
    assert found["memory"] is None
    assert found["latency"]["value"] > 0


def test_a_prediction_of_one_image_is_none_of_a_batch(folder: Path) -> None:
    assert predicted(folder, "batched", replace(WIDE, batch=8)) is None
