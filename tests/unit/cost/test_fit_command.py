"""`bench cost fit` says what a profile is made of, and gives it a name by which it is found."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli import build
from bench.cost.profile import find_profile
from tests.unit.cost import synthetic_profile as synthetic


def fit(measurements: dict, folder: Path, out: str, *words: str) -> Result:
    given = folder / "measurements.json"
    given.write_text(json.dumps(measurements))
    command = ["cost", "fit", str(given), "--out", str(folder / out), *words]
    return CliRunner().invoke(build(), command)


def test_a_profile_of_sums_alone_is_said_to_be_one(tmp_path: Path) -> None:
    text = fit(synthetic.data(), tmp_path, "sums.yaml").stdout
    assert "no profiler timed the single kernels" in text
    assert find_profile(str(tmp_path / "sums.yaml")).name == "sums"


def test_a_profile_with_the_times_of_kernels_counts_them(tmp_path: Path) -> None:
    found = json.loads(fit(synthetic.told(), tmp_path, "kernels.yaml", "--json").stdout)
    assert found["profiled"] == 24


@pytest.mark.parametrize("out", ["my board.yaml", "board", "board.json", ".yaml", "-x.yaml"])
def test_a_name_that_no_command_would_find_is_refused_before_anything_is_fitted(
    tmp_path: Path, out: str
) -> None:
    done = fit({"not": "read"}, tmp_path, out)
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert "call it NAME.yaml" in line
    assert not (tmp_path / out).exists()
