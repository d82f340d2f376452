"""What `orchestrate tune` refuses before it measures anything, each in one line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrate import cli
from orchestrate.errors import OrbitError
from orchestrate.execution.own_words import Sweep
from orchestrate.execution.tune import Tuning, environment_of, join_measurements, time_spent
from tests.unit.orchestrate import sample


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
        (["--device", "local,pi4"], "--device 'local,pi4': a profile is of one device"),
        (["--device", " local"], "a profile is of one device"),
        (["--device", "local", "--out", "my board"], "--out my board: call it NAME.yaml"),
        (["--device", "local", "--out", "my board.yaml"], "--out my board.yaml: call it NAME.yaml"),
        (["--device", "local", "--out", "/proc/board.yaml"], "--out /proc: cannot be written"),
    ],
)
def test_a_wrong_request_is_one_line_and_exit_code_2(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli.build(), ["tune", *words])
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [16, 59, 60, 190, 200])
def test_stages_add_up_to_what_was_asked(count: int) -> None:
    stages = Tuning("local", count, Path("p"), Path("r"), Sweep()).stages()
    assert sum(each.parts + each.networks + each.again for each in stages) == count
    assert stages[0].networks >= 4  # a network of each architecture


def test_a_later_stage_of_which_nothing_can_be_used_costs_none_of_the_first(tmp_path: Path) -> None:
    run = sample.real_run(tmp_path, models=1)
    before = {"measurements": [{"part": "conv1"}], "name": "local"}
    assert join_measurements(before, run, 1.0) == before
    with pytest.raises(OrbitError, match="no measurement of local can be used"):
        join_measurements({}, run, 1.0)


def test_measurements_of_two_environments_are_no_profile(tmp_path: Path) -> None:
    """The library was upgraded between a tuning's start and its end."""

    def record(version: str) -> dict:
        return {
            "device": "local",
            "job": {"backend": "onnxruntime", "precision": "fp32", "threads": 1},
            "environment": {"versions": {"onnxruntime": version}, "machine": "x86_64"},
        }

    before = {"environment": environment_of([record("1.2")], {}, tmp_path)}
    assert environment_of([record("1.2")], before, tmp_path) == before["environment"]
    told = f"changed while it was tuned: version 1.2, then 1.3; put that back, or remove {tmp_path}"
    for records, known in (([record("1.2"), record("1.3")], {}), ([record("1.3")], before)):
        with pytest.raises(OrbitError, match=told):
            environment_of(records, known, tmp_path)


@pytest.mark.parametrize(
    ("options", "board", "told"),
    [
        ({}, {"power_mode": "10W"}, "power mode MAXN, then 10W"),
        ({"graph_level": "disabled"}, {"power_mode": "MAXN"}, "option graph_level default, then disabled"),
    ],
)
def test_measurements_of_two_power_modes_or_options_are_no_profile(
    options: dict, board: dict, told: str, tmp_path: Path
) -> None:
    def record(options: dict, board: dict) -> dict:
        job = {"backend": "onnxruntime", "precision": "fp32", "threads": 1, "options": options}
        return {"device": "local", "job": job, "environment": {"board": board}}

    first = record({}, {"power_mode": "MAXN"})
    before = {"environment": environment_of([first], {}, tmp_path)}
    assert before["environment"]["setup"] == {"power mode": "MAXN"}
    with pytest.raises(OrbitError, match=f"changed while it was tuned: {told};"):
        environment_of([record(options, board)], before, tmp_path)
    del before["environment"]["setup"]  # of a tuning that an older version began
    assert environment_of([record(options, board)], before, tmp_path) == before["environment"]


def test_what_a_tuning_took_is_counted_over_all_its_starts(tmp_path: Path) -> None:
    path = tmp_path / "spent.json"
    path.write_text('{"seconds": 1000}')
    for _ in range(2):
        with time_spent(path) as spent:
            path.unlink()
            assert spent() >= 1000
            assert json.loads(path.read_text())["seconds"] >= 1000  # a killed one has no end
    assert json.loads(path.read_text())["seconds"] >= 1000
    path.write_text("nonsense")
    with time_spent(path) as spent:
        assert spent() < 1000
