"""A run is found by its id, the beginning of one, `latest` or its path; runs are listed and removed."""

import fcntl
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import cli as bench_cli
from bench.cli_app import experiments
from orchestrate import cli
from orchestrate.commands import complete
from orchestrate.errors import BadInput
from orchestrate.runs.folder import Run, find_run
from tests.unit.orchestrate import sample

FIRST, SECOND = "20261120-100000-demo", "20261122-100000-thesis"


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (FIRST, SECOND):
        sample.run(tmp_path / "results", "a", name=name)
    return Path("results")


@pytest.mark.parametrize(
    "name", [SECOND, "20261122", "latest", f"results/{SECOND}", f"./results/{SECOND}"], ids=str
)
def test_one_run_has_many_names(results: Path, name: str) -> None:
    assert find_run(name, results) == results / SECOND
    assert Run.open(results, name).id == SECOND


def test_a_beginning_of_two_is_refused_with_both_and_a_typo_gets_a_suggestion(results: Path) -> None:
    with pytest.raises(BadInput, match=f"beginning of 2 runs: {FIRST}, {SECOND}"):
        find_run("2026", results)
    with pytest.raises(BadInput, match=f"did you mean {FIRST}"):
        find_run("20261120-100000-dmo", results)
    with pytest.raises(BadInput):
        find_run("", results)


def invoke(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli.build(), list(words))
    return done.exit_code, done.output


def test_runs_are_listed_with_how_far_they_are(results: Path) -> None:
    code, text = invoke("runs", "--json")
    assert code == 0
    assert [(row["run"], row["records"], row["jobs"]) for row in json.loads(text)] == [
        (FIRST, 0, 1),
        (SECOND, 0, 1),
    ]


def test_an_unfinished_run_is_removed_by_force_only_and_one_at_work_never(results: Path) -> None:
    code, text = invoke("runs", "rm", "latest")
    assert (code, "--force" in text) == (2, True)
    with (results / SECOND / "local" / "runtime.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, text = invoke("runs", "rm", "latest", "--force")
        assert (code, "is at work" in text) == (1, True)
    assert invoke("runs", "rm", "latest", "--force")[0] == 0
    assert [path.name for path in results.iterdir()] == [FIRST]


def test_the_shell_completes_devices_experiments_and_runs(results: Path) -> None:
    assert complete.runs("2026112") == [SECOND, FIRST]
    assert "latest" in complete.runs("la")
    assert experiments("dem") == ["demo"]
    assert complete.several_devices("local,x") == ["local,xavier"]


@pytest.mark.parametrize(
    ("program", "words", "found"),
    [
        ("orchestrate", "devices check xav", "xavier"),
        ("orchestrate", "recommend latest --device xav", "xavier"),
        ("orchestrate", "images load --device xav", "xavier"),
        ("orchestrate", "run --device local,xav", "local,xavier"),
        ("orchestrate", "run --experiment dem", "demo"),
        ("orchestrate", "recommend latest --device local,xav", "local,xavier"),
        ("orchestrate", "logs latest --device xav", "xavier"),
        ("orchestrate", "logs latest --device local,xav", ""),  # not split at commas: it would be refused
        ("orchestrate", "images pull --device local,xav", ""),
        ("orchestrate", "devices check local,xav", ""),
        ("bench", "export dem", "demo"),
        ("bench", "sweep dem", "demo"),
    ],
)
def test_every_command_that_takes_a_name_completes_it(program: str, words: str, found: str) -> None:
    typed = f"{program} {words}"
    asked = {
        "COMP_WORDS": typed,
        "COMP_CWORD": str(len(words.split())),
        f"_{program.upper()}_COMPLETE": "complete_bash",
    }
    application = {"bench": bench_cli, "orchestrate": cli}[program].build()
    done = CliRunner().invoke(application, [], env=asked, prog_name=program)
    assert done.output.split() == ([found] if found else [])


def test_a_run_s_folder_is_found_where_a_file_has_the_name_of_the_results(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "results").write_text("")
    monkeypatch.chdir(tmp_path)
    assert find_run("mine", Path("results")) == Path("mine")
    with pytest.raises(BadInput, match="--results results: this is a file"):
        find_run("other", Path("results"))
