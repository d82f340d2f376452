"""A results folder from a stranger: whatever lies in it, nothing of it is run, followed, or sent."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from orchestrate import cli
from orchestrate.errors import OrbitError
from orchestrate.execution import board_setup
from orchestrate.execution.container_runner import BoardRunner
from orchestrate.runs.folder import Run
from tests import matrix
from tests.unit.orchestrate import sample
from tests.unit.orchestrate.test_host import FakeEngine

MATRIX = matrix.Part("hostile", "folder")
JOB = "m0--onnxruntime-fp32-t1"
BOARD = {"transport": "docker", "image": "pi4", "host": "unix:///nowhere/docker.sock"}


@pytest.fixture(scope="module", autouse=True)
def write_matrix() -> Iterator[None]:
    yield
    MATRIX.write()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a run of one job on `local`, and a victim beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("ORBITBENCH_LOCK_DIR", str(tmp_path))
    sample.real_run(tmp_path / "results", models=1, processes=1)
    (tmp_path / "victim/out/records").mkdir(parents=True)
    (tmp_path / "victim/records").mkdir()
    (tmp_path / "victim/precious").write_text("precious")
    (tmp_path / "victim/out/precious").write_text("precious")
    return tmp_path


def orchestrate(*words: str) -> tuple[int, str]:
    """Exit code and all that was printed; a traceback is a failure."""
    done = CliRunner().invoke(cli.build(), words)
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    return done.exit_code, done.output + done.stderr


def resume(*words: str) -> tuple[int, str]:
    return orchestrate("run", "--resume", sample.NAME, "--no-report", *words)


def changed(path: Path, change: Callable[[Any], object]) -> None:
    """Rewrite a JSON file by `change`, which alters the value in place."""
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def unharmed(here: Path) -> bool:
    """The victim has what it had, and no more."""
    files = sorted(str(path.relative_to(here / "victim")) for path in (here / "victim").rglob("*"))
    whole = all((here / "victim" / name).read_text() == "precious" for name in ("precious", "out/precious"))
    return whole and files == ["out", "out/precious", "out/records", "precious", "records"]


def devices_yaml(here: Path, **devices: dict[str, Any]) -> None:
    (here / "manifests").mkdir(exist_ok=True)
    (here / "manifests/devices.yaml").write_text(yaml.safe_dump({"schema": 1, "devices": devices}))


# -- commands ---------------------------------------------------------------------------------------------


def test_a_note_in_a_foreign_run_is_never_executed(here: Path) -> None:
    folder = here / "results/foreign/board"
    folder.mkdir(parents=True)
    owed = {"host": "pi4", "restore": [["touch", str(here / "owned")]]}
    (folder / "prepared.json").write_text(json.dumps(owed))
    (here / "results" / sample.NAME / "local/prepared.json").write_text(json.dumps(owed))
    engine = FakeEngine()
    device = sample.device(transport="docker", image="i", host="pi4", prepare=[["a"]], restore=[["b"]])
    host = board_setup.Host(engine, sample.NAME, "board", {"board": device})  # type: ignore[arg-type]
    host.prepare(lambda _: None)
    host.restore()
    MATRIX.add("prepared.json of a foreign run", "only own commands", engine.ran, engine.ran == ["a", "b"])


def test_a_note_in_the_state_folder_names_no_commands(here: Path) -> None:
    device = sample.device(transport="docker", image="i", host="pi4", prepare=[["a"]], restore=[["b"]])
    engine = FakeEngine()
    host = board_setup.Host(engine, sample.NAME, "board", {"board": device})  # type: ignore[arg-type]
    host.prepare(lambda _: None)
    (note,) = (here / "state/orbitbench/owed").iterdir()
    changed(note, lambda value: value.update(restore=[["evil"]]))
    host.restore()
    MATRIX.add("commands in a note", "those of devices.yaml", engine.ran, engine.ran == ["a", "b"])


def test_a_state_folder_that_others_may_write_to_is_refused(here: Path) -> None:
    (here / "state/orbitbench").mkdir(parents=True)
    (here / "state/orbitbench").chmod(0o777)
    device = sample.device(transport="docker", image="i", host="pi4", prepare=[["a"]], restore=[["b"]])
    engine = FakeEngine()
    host = board_setup.Host(engine, sample.NAME, "board", {"board": device})  # type: ignore[arg-type]
    with pytest.raises(OrbitError) as error:
        host.prepare(lambda _: None)
    said = "others may write to it" in str(error.value) and engine.ran == []
    MATRIX.add("state folder of mode 0777", "refused, nothing run", error.value, said)


SETTINGS: dict[str, dict[str, Any]] = {
    "prepare and restore": {"prepare": [["touch", "owned"]], "restore": [["touch", "owned"]]},
    "another host": {"host": "evil.example"},
    "another engine": {"host": "unix:///tmp/evil.sock"},
    "another image": {"image": "evil.example/image:1"},
    "another runtime": {"runtime": "nvidia"},
    "options": {"options": {"library": "/tmp/evil.so"}},
}


@pytest.mark.parametrize("command", ["run", "collect"])
@pytest.mark.parametrize("what", SETTINGS)
def test_settings_of_a_plan_that_differ_from_devices_yaml_are_shown_and_refused(
    here: Path, what: str, command: str
) -> None:
    shutil.rmtree(here / "results")
    sample.real_run(here / "results", 1, {"board": sample.device(**{**BOARD, **SETTINGS[what]})})
    devices_yaml(here, board={**BOARD, "backend": "onnxruntime"})
    code, said = resume() if command == "run" else orchestrate("collect", sample.NAME, "--no-report")
    ok = code == 2 and all(f"{key}: planned" in said for key in SETTINGS[what]) and "devices.yaml" in said
    MATRIX.add(
        f"plan.json with {what}: {command}", "shown and refused", said, ok and not Path("owned").exists()
    )


def test_a_trusted_run_goes_by_devices_yaml_all_the_same(here: Path) -> None:
    shutil.rmtree(here / "results")
    evil = {**BOARD, "host": "unix:///tmp/evil.sock", "prepare": [["touch", "owned"]], "restore": [["true"]]}
    sample.real_run(here / "results", 1, {"board": sample.device(**evil)})
    devices_yaml(here, board={**BOARD, "backend": "onnxruntime"})
    code, said = resume("--trust-run")
    ok = code == 1 and "evil" not in said and not Path("owned").exists()
    MATRIX.add("--trust-run with a foreign host", "the own host is asked", said, ok)


def test_options_are_never_taken_from_a_plan_not_even_from_a_trusted_one(here: Path) -> None:
    evil = {"library": "/tmp/evil.so"}
    changed(
        here / f"results/{sample.NAME}/local/jobs.json", lambda value: value["jobs"][0].update(options=evil)
    )
    code, said = resume("--trust-run")
    ok = code == 2 and "options: planned" in said and "begin a new run" in said
    MATRIX.add("options in jobs.json, trusted", "refused", said, ok)


def test_a_device_that_devices_yaml_does_not_know_is_refused_by_name(here: Path) -> None:
    (here / "results" / sample.NAME).rename(here / "old")
    sample.real_run(here / "results", 1, {"theirs": sample.device()})
    (here / "manifests/devices.yaml").unlink()
    code, said = resume()
    ok = code == 2 and "device theirs of this run is not in" in said
    MATRIX.add("a device that is not in devices.yaml", "refused by name", said, ok)


# -- names ------------------------------------------------------------------------------------------------

NAMES = ["../../victim", "/tmp/victim", "..", ".", "", "a/b", "report", "bundle", "-x", "a\x1b[2J", "x" * 300]
COMMANDS = [
    ("run", "--resume", sample.NAME, "--no-report"),
    ("collect", sample.NAME, "--no-report"),
    ("status", sample.NAME),
    ("logs", sample.NAME),
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("part", ["device", "job"])
def test_a_name_in_a_plan_is_no_path(here: Path, name: str, part: str) -> None:
    def evil(plan: Any) -> None:
        if part == "device":
            plan["devices"][name] = plan["devices"].pop("local")
        else:
            plan["devices"]["local"]["jobs"] = [name]

    if part == "job" and name in ("report", "bundle", "-x"):
        pytest.skip("a good name of a job")
    changed(here / "results" / sample.NAME / "plan.json", evil)
    found = [orchestrate(*command) for command in COMMANDS]
    ok = all(code == 2 and "is damaged" in said and "\x1b" not in said for code, said in found)
    MATRIX.add(f"{part} called {name[:20]!r}", "refused, nothing touched", found[0][1], ok and unharmed(here))


@pytest.mark.parametrize("file", ["/etc/passwd", "../../../victim/precious", "models/../../plan.json", ""])
def test_a_model_outside_the_bundle_is_refused(here: Path, file: str) -> None:
    jobs = here / f"results/{sample.NAME}/local/jobs.json"
    changed(jobs, lambda value: value["jobs"][0]["model"].update(file=file))
    code, said = resume()
    ok = code == 2 and "jobs.json is damaged" in said and "model.file" in said
    MATRIX.add(f"model file {file!r}", "refused", said, ok)


@pytest.mark.parametrize("change", [{"run": "another"}, {"device": "other"}, {"jobs": []}])
def test_a_job_list_of_another_plan_is_refused(here: Path, change: dict[str, Any]) -> None:
    changed(here / f"results/{sample.NAME}/local/jobs.json", lambda value: value.update(change))
    code, said = resume()
    ok = code == 2 and "is not of the plan beside it" in said
    MATRIX.add(f"jobs.json with another {next(iter(change))}", "refused", said, ok)


# -- files ------------------------------------------------------------------------------------------------


def a_link(path: Path, target: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(target)


def a_fifo(path: Path, _: Path) -> None:
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)


FILES = [
    ("plan.json", "precious"),
    (".lock", "precious"),
    ("local", "."),
    ("local/jobs.json", "precious"),
    ("local/runtime.lock", "precious"),
    ("local/runtime.jsonl", "precious"),
    ("local/records", "records"),
    ("local/out", "out"),
    ("local/out/records", "out/records"),
    ("bundle", "."),
    ("bundle/models", "."),
    ("bundle/models/m0.onnx", "precious"),
]


@pytest.mark.parametrize(("name", "target"), FILES)
def test_a_link_in_a_run_is_not_followed(here: Path, name: str, target: str) -> None:
    if name == "bundle" or name == "bundle/models":
        shutil.copytree(here / "results" / sample.NAME / "bundle/models", here / "models")
    a_link(here / "results" / sample.NAME / name, here / "victim" / target)
    code, said = resume()
    ok = code in (1, 2) and any(words in said for words in ("is a link", "behind a link", "not a plain file"))
    MATRIX.add(f"a link in place of {name}", "refused in one line", said, ok and unharmed(here))


@pytest.mark.parametrize("name", ["local/runtime.err", "local/todo.json"])
def test_a_link_in_place_of_a_file_that_we_write_is_replaced(here: Path, name: str) -> None:
    a_link(here / "results" / sample.NAME / name, here / "victim/precious")
    code, said = resume()
    MATRIX.add(
        f"a link in place of {name}", "replaced, not followed", said[-200:], code == 0 and unharmed(here)
    )


@pytest.mark.parametrize(
    "name",
    [
        *("plan.json", ".lock", "bundle/models/m0.onnx", "local/jobs.json", "local/runtime.lock"),
        *("local/out/records/x.json", f"local/records/{JOB}.json"),
    ],
)
def test_a_fifo_in_a_run_hangs_nobody(here: Path, name: str) -> None:
    (here / "results" / sample.NAME / "local/out").mkdir()
    a_fifo(here / "results" / sample.NAME / name, here)
    found = [orchestrate(*command) for command in COMMANDS[:1] + COMMANDS[2:3]]
    said = found[0][1]
    ok = found[0][0] in (1, 2) and any(words in said for words in ("not a plain file", "no run"))
    MATRIX.add(f"a FIFO in place of {name}", "refused in one line", said, ok)


def test_a_second_name_of_a_precious_file_is_not_written_to(here: Path) -> None:
    (here / f"results/{sample.NAME}/.lock").hardlink_to(here / "victim/precious")
    code, said = resume()
    ok = code == 2 and "has a second name" in said and unharmed(here)
    MATRIX.add("a hard link in place of .lock", "refused", said, ok)


def test_a_file_without_end_is_not_read_into_memory(here: Path) -> None:
    with (here / f"results/{sample.NAME}/local/jobs.json").open("r+b") as file:
        file.truncate(10**12)
    code, said = resume()
    MATRIX.add("a job list of 1 TB", "refused", said, code == 2 and "is larger than 64 MB" in said)


def test_a_model_that_is_not_the_planned_one_is_not_sent(here: Path) -> None:
    shutil.rmtree(here / "results")
    device = sample.device(**BOARD)
    run = sample.real_run(here / "results", 2, {"board": device})
    (run.bundle / "models/m1.onnx").write_bytes(b"another")
    runner, sent = BoardRunner(run, run.devices["board"], {"board": device}), []
    runner.board.send = sent.append  # type: ignore[method-assign,assignment]
    with pytest.raises(OrbitError) as error:
        runner.send(list(run.devices["board"].wanted), {}, lambda _: None)
    ok = "m1.onnx: its SHA-256 is not that of the job list" in str(error.value) and sent == []
    MATRIX.add("a model with another hash", "refused, nothing sent", error.value, ok)


def test_models_that_are_the_planned_ones_are_sent(here: Path) -> None:
    device = sample.device(**BOARD)
    run = sample.real_run(here / "more", 2, {"board": device})
    runner, sent = BoardRunner(run, run.devices["board"], {"board": device}), []
    runner.board.send = sent.append  # type: ignore[method-assign,assignment]
    jobs = list(run.devices["board"].wanted)
    runner.send(jobs, {}, lambda _: None)
    runner.send_jobs(jobs, {})
    assert [sorted(files) for files in sent] == [
        ["bundle/models/m0.onnx", "bundle/models/m1.onnx"],
        ["jobs.json"],
    ]


# -- records ----------------------------------------------------------------------------------------------

RECORDS: dict[str, Callable[[dict[str, Any]], object]] = {
    "another run": lambda record: record.update(run="20261122-000000-tiny"),
    "another device": lambda record: record.update(device="other"),
    "another job": lambda record: record["job"].update(id="other"),
    "another model": lambda record: record["job"]["model"].update(sha256="f" * 64),
    "another backend": lambda record: record["job"].update(backend="torch"),
    "another precision": lambda record: record["job"].update(precision="fp16"),
    "other threads": lambda record: record["job"].update(threads=4),
    "another batch": lambda record: record["job"].update(batch=8),
    "other options": lambda record: record["job"].update(options={"fast": True}),
    "another way of measuring": lambda record: record["job"]["measure"].update(processes=1000),
    "something added to its job": lambda record: record["job"].update(extra=1),
}


@pytest.mark.parametrize("what", RECORDS)
def test_a_record_must_be_of_the_very_job_that_was_planned(tmp_path: Path, what: str) -> None:
    folder = sample.run(tmp_path, "a").devices["local"]
    job = folder.wanted[0]
    record = json.loads(json.dumps(sample.record(job)))
    RECORDS[what](record)
    with pytest.raises(OrbitError) as error:
        folder.save(job, sample.encoded(record))
    ok = "\n" not in str(error.value) and folder.missing() == [job]
    MATRIX.add(f"a record of {what}", "refused in one line", error.value, ok)


@pytest.mark.parametrize(
    ("name", "target"), [("report", "."), ("report/tables", "out"), ("report/index.html", "precious")]
)
def test_a_report_is_not_written_through_a_link(here: Path, name: str, target: str) -> None:
    run = Run(here / "results" / sample.NAME)
    job = run.devices["local"].wanted[0]
    made = {**sample.record(job), "job": {**run.devices["local"].planned[job]}}
    run.devices["local"].save(job, sample.encoded(made))
    a_link(run.path / name, here / "victim" / target)
    code, said = orchestrate("report", run.id)
    refused = code == 2 and "behind a link" in said
    ok = code == 0 if name.endswith("html") else refused  # a file is replaced, whatever it was
    MATRIX.add(f"a link in place of {name}", "not followed", said[-200:], ok and unharmed(here))
    assert resume()[0] in (0, 1, 2)
    assert unharmed(here)


# -- what stays possible ----------------------------------------------------------------------------------


def test_a_run_that_was_moved_and_renamed_is_resumed_reported_and_collected(here: Path) -> None:
    (here / "elsewhere").mkdir()
    (here / "results" / sample.NAME).rename(here / "elsewhere/copy")
    for words in (
        ("run", "--resume", "copy", "--results", "elsewhere"),
        ("status", "elsewhere/copy"),
        ("collect", "elsewhere/copy"),
        ("report", "elsewhere/copy"),
    ):
        code, said = orchestrate(*words)
        assert code == 0, said


def test_the_report_of_a_colleagues_finished_run_asks_for_no_trust(here: Path) -> None:
    (here / "results" / sample.NAME).rename(here / "old")
    run = sample.run(here / "results", "a", devices=("theirs",))
    (here / "manifests/devices.yaml").unlink()
    job = run.devices["theirs"].wanted[0]
    run.devices["theirs"].save(job, sample.encoded(sample.record(job, "theirs")))
    for words in (("report", run.id), ("status", run.id), ("collect", run.id)):
        code, said = orchestrate(*words)
        assert code == 0, said


def test_what_a_run_leaves_has_the_modes_of_the_users_umask(here: Path) -> None:
    before = os.umask(0o077)
    try:
        assert resume()[0] == 0
    finally:
        os.umask(before)
    run = Run(here / "results" / sample.NAME)
    made = [run.path / ".lock", run.devices["local"].records, *run.devices["local"].records.iterdir()]
    found = [oct(path.stat().st_mode & 0o077) for path in made]
    MATRIX.add("umask 077", "nothing for others", found, set(found) == {"0o0"})
