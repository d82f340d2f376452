"""`bench train` in a checkout leaves the committed accuracies alone; one seed has no spread."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bench.commands.train import accuracy_file
from bench.manifests import search_path
from bench.train import accuracy
from bench.train.task import TrainingTask


def test_an_accuracy_goes_to_the_users_folder_not_into_the_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    committed = checkout / "manifests/accuracy/trained-digits.yaml"
    committed.parent.mkdir(parents=True)
    committed.write_bytes((search_path.SHIPPED / "accuracy/trained-digits.yaml").read_bytes())
    monkeypatch.chdir(checkout)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setattr(search_path, "SHIPPED", checkout / "manifests")
    digits = cast(TrainingTask, SimpleNamespace(dataset="digits"))
    own = accuracy_file(digits, None)
    assert own == tmp_path / "config/orbitbench/accuracy/trained-digits.yaml"
    own.parent.mkdir(parents=True)
    own.write_bytes(committed.read_bytes())
    assert search_path.every_file("accuracy")[0] == own
    assert accuracy_file(digits, committed) == committed  # where it is named


def test_two_seeds_have_a_spread() -> None:
    assert accuracy._over_seeds([90.0, 92.0]) == {"value": 91.0, "std": 1.0}
    assert accuracy._over_seeds([90.0]) == {"value": 90.0}
