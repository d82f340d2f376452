"""What `orchestrate tune` refuses before it measures anything, each in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrate.execution.own_words import Sweep
from orchestrate.execution.tune import Tuning
from tests.conftest import PATIENCE, ROOT


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["--device", "local", "--measurements", "5"],
            "--measurements 5: give a whole number from 16 to 200",
        ),
        (["--device", "local", "--measurements", "2000"], "from 16 to 200"),
        (["--device", "nowhere"], "unknown device 'nowhere'"),
        (["--device", "pi4"], "pi4 has 1, 4: choose one with --threads"),
        (["--device", "xavier"], "xavier has fp32, fp16, int8: choose one with --precision"),
        (["--device", "local", "--precision", "fp7"], "--precision fp7"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(words: list[str], said: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "orchestrate.cli", "tune", *words]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "", "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [16, 59, 60, 190, 200])
def test_stages_add_up_to_what_was_asked(count: int) -> None:
    stages = Tuning("local", count, Path("p"), Path("r"), Sweep()).stages()
    assert sum(each.parts + each.networks + each.again for each in stages) == count
    assert stages[0].networks >= 4  # a network of each architecture
