"""What a newcomer gets wrong: one message that says what, where and what to do; exit code 2, no traceback."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench import cli as workshop
from orchestrate import cli as orchestra
from tests import matrix
from tests.unit.orchestrate import sample

ROWS: list[dict[str, Any]] = []
RUN = sample.NAME
SCALE = "bench scale vgg11 -d cifar10 --ratio-of params"
TRAIN = "bench train vgg11-digits-uniform-p0.05 --recipe reduced --epochs 1"
SWEEP = "bench sweep smoke --recipe reduced --epochs 1 --seeds 1"
SEARCH = "bench search vgg11 -d digits --recipe reduced"
# command -> parts of what it must say
CASES = {
    "orchestrate run --device local --experiment smoke --results file": ("file: File exists", "another path"),
    "orchestrate run --device local --results file/x": ("file/x: Not a directory", "another path"),
    "orchestrate run --device local --results /proc/x": ("/proc/x: No such file", "check the path"),
    "orchestrate run --device local --experiment=": ("--experiment is empty", "leave it out"),
    "orchestrate run --resume=": ("--resume is empty", "leave it out"),
    "orchestrate run --all --device local": ("--all names every device but `local`", "leave out --device"),
    "orchestrate run --resume damaged": ("results/damaged/plan.json is damaged", "begin a new run"),
    "orchestrate status damaged": ("results/damaged/plan.json is damaged", "begin a new run"),
    "orchestrate logs damaged": ("results/damaged/plan.json is damaged", "begin a new run"),
    "orchestrate collect damaged": ("results/damaged/plan.json is damaged", "begin a new run"),
    f"orchestrate status {RUN}": ("-t1.json: not JSON", "remove it, and resume the run"),
    f"orchestrate collect --no-report {RUN}": ("-t1.json: not JSON", "remove it, and resume the run"),
    "orchestrate status nope --results empty": ("no run 'nope' in empty/", "`orchestrate run` makes one"),
    "orchestrate report nope --results empty": ("no run 'nope' in empty/", "`orchestrate run` makes one"),
    "orchestrate report good --out file": ("file/tables: Not a directory", "choose another path"),
    "orchestrate report good --out /proc/x": ("/proc/x: No such file", "check the path"),
    "orchestrate images list --lock nope.yaml": ("nope.yaml: no such file", "without --lock"),
    "orchestrate images list --lock empty": ("empty: is a folder, not a regular file",),
    "orchestrate images push nope": ("no image is called nope", "known: base"),
    "orchestrate images pull nope": ("no image is called nope", "known: base"),
    "orchestrate images list --registry https://ghcr.io/x": ("registry 'https://ghcr.io/x': give HOST",),
    "orchestrate images push --registry Not_a_registry": (
        "registry 'Not_a_registry': give HOST[:PORT]/PATH",
    ),
    "bench export smoke --out o --cache file": ("--cache file: this is a file", "give a folder"),
    "bench export smoke --out o --cache /proc/x": ("--cache /proc/x: cannot be written", "another folder"),
    "bench export smoke --out o --weights file": ("--weights file: this is a file", "give a folder"),
    "bench export smoke --out o --weights nope": ("--weights nope: no such folder", "check the path"),
    f"{TRAIN} --out file": ("--out file/vgg11", "cannot be written: Not a directory", "another folder"),
    f"{TRAIN} --out /proc/x": ("--out /proc/x/vgg11", "cannot be written: No such file", "another folder"),
    f"{TRAIN} --accuracy empty": ("--accuracy empty: this is a folder", "give a file"),
    f"{SWEEP} --out file": ("--out file: this is a file", "give a folder"),
    f"{SWEEP} --out file/x": ("--out file/x: cannot be written: Not a directory", "another folder"),
    f"{SWEEP} --out /proc/x": ("--out /proc/x: cannot be written: No such file", "another folder"),
    f"{SWEEP} --accuracy file/x.yaml": ("--accuracy file: this is a file", "give a folder"),
    f"{SWEEP} --ray not-an-address": ("--ray 'not-an-address': not an address", "HOST:PORT", "auto"),
    f"{SWEEP} --ray=": ("--ray '': not an address", "HOST:PORT"),
    f"{SWEEP} --ray 127.0.0.1:1": ("--ray 127.0.0.1:1: cannot be reached: Connection refused", "ray status"),
    f"{SWEEP} --ray ray://127.0.0.1:1": ("--ray ray://127.0.0.1:1: cannot be reached", "ray status"),
    f"{SEARCH} --work file": ("--work file: this is a file", "give a folder"),
    f"{SEARCH} --work file/x": ("--work file/x: cannot be written: Not a directory", "another folder"),
    f"{SEARCH} --work /proc/x": ("--work /proc/x: cannot be written: No such file", "another folder"),
    f"{SEARCH} --out file/x.yaml": ("--out file: this is a file", "give a folder"),
    f"{SEARCH} --out empty": ("--out empty: this is a folder", "give a file"),
    "bench search vgg11 -d digits --seed -1": ("--seed",),  # the rest is the library's own words
    # More of models of one's own, where a file must be read for it: tests/integration/test_strange_models.py.
    "bench export --out o --onnx m.onnx --dim W=0": ("--dim W=0: give NAME=SIZE with a whole number from 1",),
    "bench export --out o --onnx m.onnx --dim W=9e9": ("--dim W=9e9: give NAME=SIZE with a whole number",),
    "bench export --out o --onnx m.onnx --value sr": ("--value sr: give INPUT=NUMBER",),
    "bench export --out o --onnx m.onnx --value sr=nan": ("--value sr=nan: give INPUT=NUMBER",),
    "bench export --out o --onnx m.onnx --metric top3": ("Usage: ", "'top3' is not one of 'top1', 'top5'"),
    "bench export smoke --out o --test-set t.npz": ("--test-set is for models of your own",),
    "bench versus m.onnx n.onnx": ("m.onnx: no such file; give an ONNX file",),
    "orchestrate run --device local --test-set t.npz": ("--test-set is for models of your own",),
    "orchestrate run --device local --onnx m.onnx --metric top5": ("give --test-set as well",),
    "orchestrate run --device local --onnx m.onnx --pixels unit": ("give --test-set as well",),
    "orchestrate run --resume damaged --profile": ("--resume goes on with what the run has planned",),
    "orchestrate runs --results file": ("--results file: this is a file", "give the folder"),
    "orchestrate devices add Bad --host pi": ("devices add: 'Bad' will not do: lower-case letters",),
    "orchestrate images build base --platform linux/x": (
        "--platform linux/x: base is made for",
        "linux/arm64",
    ),
    "bench export smoke --out file": ("file: this is a file; give an empty or new folder",),
    "bench export --out o --onnx empty": ("empty: this is a folder; give an ONNX file",),
    "bench versus empty empty": ("empty: this is a folder; give an ONNX file",),
    "bench scale vgg11 -d cifar10 -r 0.5": ("--ratio 0.5 of what? give --ratio-of", "params"),
    "bench scale vgg11 -d cifar10 --ratio-of params": ("--ratio-of params needs a ratio",),
    "bench sweep smoke --dry-run --search quick": ("unknown recipe 'quick'", "known: published, reduced"),
    "bench sweep digits --dry-run --search quick": ("unknown recipe 'quick'", "known: published, reduced"),
    # These were right already, and stay so.
    "orchestrate compare good nope": ("no run 'nope' in results/", "known: "),
    "orchestrate recommend good --max-memory 64": ("--max-memory '64': a unit is missing", "such as 64MB"),
    "orchestrate devices --devices bad.yaml": ("bad.yaml:2: not valid YAML",),
    "orchestrate devices check xaver": ("unknown device 'xaver'", "knows: gpu, local"),
    f"{SCALE} -r -0.5": ("the ratio must be a positive number, not -0.5",),
    f"{SCALE} -r 0.5 -m magic": ("unknown method 'magic'", "known: uniform"),
    "bench fit nope.csv vgg11 -d cifar10": ("nope.csv: cannot be read: No such file",),
    "bench train nope": ("nope: not a model's id", "such as vgg11-digits-uniform-p0.25"),
    "bench sweep nope": ("nope: unknown experiment", "allowed: demo"),
}


@pytest.fixture(scope="module", autouse=True)
def table() -> Iterator[None]:
    yield
    matrix.write("wrong-input", ROWS)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a good run, one with a damaged plan, one with a damaged record, and odd files."""
    monkeypatch.chdir(tmp_path)
    for name in ("ORBITBENCH_RESULTS", "ORBITBENCH_DEVICES", "ORBITBENCH_REGISTRY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "file").write_text("a file, not a folder")
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.yaml").write_text("devices: [\n")
    return tmp_path


def runs(folder: Path) -> None:
    run = sample.run(folder / "results", "a", "b")
    part = run.devices["local"]
    for job in part.wanted:
        part.save(job, sample.encoded(sample.record(job)))
    for name in ("good", "damaged"):
        shutil.copytree(run.path, folder / "results" / name)
    (folder / "results/damaged/plan.json").write_text('{"schema": 1, "kind": "orbitbench.plan"}')
    next(part.records.glob("b*.json")).write_text("{")


def test_a_run_of_an_experiment_that_nobody_knows_leaves_no_folder(here: Path, capfd: Any) -> None:
    words = ["run", "--device", "local", "--experiment", "nope", "--results", "new/results"]
    done = CliRunner().invoke(orchestra.build(), words)
    assert done.exit_code == 2
    assert (
        "nope: unknown experiment" in capfd.readouterr().err
    )  # said by `bench export`, a process of its own
    assert not (here / "new").exists()


@pytest.mark.parametrize("command", CASES)
def test_a_mistake_is_told_once_and_clearly_with_exit_code_2(here: Path, command: str) -> None:
    runs(here)
    program, *words = command.split()
    app = {"bench": workshop, "orchestrate": orchestra}[program].build()
    done = CliRunner().invoke(app, words)
    said = done.stderr.strip()
    good = done.exit_code == 2 and all(part in said for part in CASES[command])
    ROWS.append({"case": command, "expected": "exit code 2", "got": done.exit_code, "ok": good, "said": said})
    assert good, (done.exit_code, said, done.exception)
    assert "Traceback" not in said
    assert "Usage: " in said or sum(line.startswith(f"{program}: ") for line in said.splitlines()) == 1
