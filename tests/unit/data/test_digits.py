"""The digits are scikit-learn's own, read without importing the library."""

import sys
from pathlib import Path

import pytest
import torch

from bench.data import digits
from bench.data.errors import DataError
from tests import forked
from tests.conftest import PATIENCE


def test_they_are_what_the_library_loads() -> None:
    from sklearn.datasets import load_digits

    theirs = load_digits()
    pixels, labels = digits._read()
    assert (pixels == theirs.images).all()
    assert (labels == theirs.target).all()


def test_a_release_that_keeps_its_file_elsewhere_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    here = digits.load("digits", "test")
    monkeypatch.setattr(Path, "exists", lambda path: False)
    assert all(map(torch.equal, here, digits.load("digits", "test")))


def test_without_the_library_they_are_refused_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'orbitbench\[train\]'"):
        digits.load("digits", "train")


def print_whether_the_library_is_imported() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] in ("sklearn", "bench")]:
        del sys.modules[name]
    from bench.data import load

    load("digits", "test")
    print("sklearn" in sys.modules)


def test_the_library_is_not_imported(tmp_path: Path) -> None:
    with forked.started(tmp_path, print_whether_the_library_is_imported) as process:
        assert forked.ended(process, PATIENCE) == 0, (tmp_path / "err").read_text()
    assert (tmp_path / "out").read_text() == "False\n"
