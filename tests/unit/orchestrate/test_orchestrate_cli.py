"""The command line as a user types it: exit codes and lines, in real processes where these matter."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orchestrate import cli
from tests.conftest import PATIENCE

HEAVY = ["torch", "numpy", "scipy", "onnx", "onnxruntime", "docker", "yaml", "plotly", "ray", "rich"]


def orchestrate(
    *words: str, cwd: Path, banned: list[str] | None = None, columns: str = "200"
) -> subprocess.CompletedProcess[str]:
    """Run the real command line in `cwd`; modules in `banned` cannot be imported."""
    code = f"import sys; sys.modules.update(dict.fromkeys({banned or []!r})); "
    code += "from orchestrate.cli import main; sys.argv[0] = 'orchestrate'; main()"
    root = Path(__file__).resolve().parents[3]
    env = {**os.environ, "PYTHONPATH": str(root), "COLUMNS": columns}
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(
        command, cwd=cwd, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False
    )


@pytest.mark.parametrize(
    ("words", "banned"),
    [
        (["--help"], [*HEAVY, "pydantic"]),
        (["run", "--help"], HEAVY),  # typer itself imports pydantic, where it finds it, to read the options
        (["devices", "--help"], HEAVY),
    ],
)
def test_help_needs_no_library_beyond_the_command_line_itself(
    tmp_path: Path, words: list[str], banned: list[str]
) -> None:
    done = orchestrate(*words, cwd=tmp_path, banned=banned)
    assert done.returncode == 0, done.stderr
    assert "Usage" in done.stdout


def test_devices_are_listed_without_torch_or_docker(tmp_path: Path) -> None:
    done = orchestrate("devices", cwd=tmp_path, banned=["torch", "numpy", "onnx", "docker", "scipy"])
    assert done.returncode == 0, done.stderr
    names = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    shipped = ["tx2", "xavier", "orin", "thor", "pi4", "pi5", "minipc", "gpu", "pi4-emulated"]
    assert names == ["local", *shipped]


@pytest.fixture
def ask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """The command line in this process, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli.build(), list(words))


def test_devices_are_data_for_other_programs(ask: Callable[..., Result]) -> None:
    assert json.loads(ask("devices", "--json").stdout)["tx2"]["runtime"] == "nvidia"
    assert "$schema" in json.loads(ask("devices", "--json-schema").stdout)


@pytest.mark.parametrize("words", [["devices"], ["images", "list"]])
def test_tables_that_go_to_a_pipe_keep_each_row_on_one_line(
    tmp_path: Path, ask: Callable[..., Result], words: list[str]
) -> None:
    table = orchestrate(*words, cwd=tmp_path, columns="").stdout.splitlines()
    assert len(table) == 1 + len(json.loads(ask(*words, "--json").stdout))


WRONG = {
    "an unknown device": (
        ["run", "--device", "xaver"],
        "unknown device 'xaver'",
        "gpu, local, minipc, orin, pi4",
    ),
    "no device": (["run"], "which device? --device NAME", "xavier"),
    "an unknown run": (["run", "--resume", "yesterday"], "no run 'yesterday' in results/", "known: none"),
    "a missing devices.yaml": (["devices", "--devices", "nope.yaml"], "nope.yaml", "no such file"),
    "an unknown option": (["run", "--devise", "local"], "No such option: --devise", "--device"),
    "a plan for a run that has one": (
        ["run", "--resume", "x", "--device", "local"],
        "--resume goes on",
        "leave out",
    ),
    "a retry of nothing": (
        ["run", "--device", "local", "--retry", "failed"],
        "--retry needs a run",
        "--resume RUN",
    ),
    "a device that no run has": (["logs", "yesterday"], "no run 'yesterday'", "known: none"),
    "an unknown command": (["rum"], "No such command 'rum'", "run"),
}


@pytest.mark.parametrize("what", WRONG)
def test_bad_input_is_one_clear_message_exit_2_and_leaves_no_trace(
    tmp_path: Path, ask: Callable[..., Result], what: str
) -> None:
    words, *said = WRONG[what]
    done = ask(*words)
    assert done.exit_code == 2
    for part in said:
        assert part in done.stderr
    assert isinstance(done.exception, SystemExit)
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_bad_input_of_a_real_process_leaves_no_traceback(tmp_path: Path) -> None:
    words, *said = WRONG["an unknown device"]
    done = orchestrate(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert all(part in done.stderr for part in said)
    assert done.stdout == ""


def test_without_torch_a_run_says_what_to_install(tmp_path: Path) -> None:
    done = orchestrate("run", "--device", "local", cwd=tmp_path, banned=["torch"])
    assert done.returncode == 2
    assert "pip install 'orbitbench[bench]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_mistakes_of_a_devices_file_are_told_before_anything_else(tmp_path: Path) -> None:
    bad = tmp_path / "devices.yaml"
    bad.write_text("devices:\n  a b: {}\n  c: {transport: pigeon, backend: onnxruntime}\n  d: {image: x}\n")
    done = orchestrate("run", "--device", "c", "--devices", str(bad), cwd=tmp_path)
    assert done.returncode == 2
    assert all(f"devices.yaml:{line}: " in done.stderr for line in (2, 3, 4))
    assert "process" in done.stderr
    assert list(tmp_path.iterdir()) == [bad]
