"""`bench search` as a user types it: a fit at the end, resumable when stopped, one line for a mistake."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bench.cli import build
from bench.scaling import fits
from tests import forked, matrix
from tests.conftest import PATIENCE, ROOT, wait_for

SETTINGS = {
    "width_ratio": 0.04,
    "image_size": 8,
    "batch": 256,
    "warmup_epochs": 1,
    "minibatches": 1,
    "units": 12,
}
QUICK = ["--recipe", "reduced", "--iterations", "1"]
for name, value in SETTINGS.items():
    QUICK += ["--set", f"{name}={value}"]


def bench(*args: str) -> Result:
    return CliRunner().invoke(build(), list(args))


def test_search_leaves_a_fit_that_scale_takes_and_a_record_that_fit_takes(tmp_path: Path) -> None:
    work, out = tmp_path / "work", tmp_path / "mine.yaml"
    place = ["--work", str(work), "--out", str(out)]
    result = bench("search", "preact_resnet18", "-d", "digits", *QUICK, *place, "--seed", "3")
    assert result.exit_code == 0, result.output
    fit = fits.load(out)
    assert fit.provenance.settings["seed"] == 3
    assert fit.provenance.source.startswith("bench search preact_resnet18 --dataset digits --recipe reduced")
    asked = ("-d", "digits", "-m", "neuralscale", "-r", "0.5", "--ratio-of", "params", "--json")
    scaled = json.loads(bench("scale", "preact_resnet18", *asked, "--fit", str(out)).stdout)
    assert abs(scaled["error"]) <= 0.005
    refitted = json.loads(
        bench("fit", str(work / "round-1.csv"), "preact_resnet18", "-d", "digits", "--json").stdout
    )
    assert refitted["alpha"] == pytest.approx(fit.alpha, rel=1e-12)
    assert refitted["beta"] == pytest.approx(fit.beta, rel=1e-12)


def listens(pid: int) -> bool:
    """Whether the process handles SIGTERM itself, as a search does once it handles SIGINT."""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return bool(int(status["SigCgt"], 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_stopped_it_keeps_its_place_and_the_same_command_goes_on(
    tmp_path: Path, number: signal.Signals
) -> None:
    work, out = tmp_path / "work", tmp_path / "mine.yaml"
    place = ["--work", str(work), "--out", str(out)]
    command = ["search", "preact_resnet18", "-d", "digits", *QUICK, "--set", "warmup_epochs=400", *place]
    with forked.started(tmp_path, forked.bench, *command) as process:
        pid = process.pid
        assert pid
        wait_for(lambda: not process.is_alive() or (work.exists() and listens(pid)))
        if process.is_alive():  # or it has failed, and says why
            os.kill(pid, number)
        code = forked.ended(process, PATIENCE)
    error = (tmp_path / "err").read_text()
    assert code == 130, error
    assert error.strip().splitlines()[-1].endswith("the same command goes on from there")
    assert (work / "checkpoint.pt").exists()
    assert not out.exists()
    refused = bench("search", "preact_resnet18", "-d", "digits", *QUICK, *place)
    assert refused.exit_code == 2
    assert "warmup_epochs 400 there, 1 here" in refused.stderr


def test_a_process_of_its_own_comes_as_far_as_the_data(tmp_path: Path) -> None:
    """The other tests begin in a process that has imported all that a search needs."""
    words = ["search", "vgg11", "-d", "cifar10", "--data", str(tmp_path / "nowhere"), "--work", str(tmp_path)]
    command = [sys.executable, "-m", "bench.cli", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 2, done.stderr
    assert "nowhere does not exist" in done.stderr.splitlines()[-1]


MISTAKES = {
    "unknown architecture": (["search", "vgg", "-d", "digits"], "unknown architecture 'vgg'; known: vgg11"),
    "unknown dataset": (["search", "vgg11", "-d", "mnist"], "unknown dataset 'mnist'; known: cifar10"),
    "unknown recipe": (
        ["search", "vgg11", "-d", "digits", "--recipe", "x"],
        "unknown recipe 'x'; known: published",
    ),
    "unknown setting": (
        ["search", "vgg11", "-d", "digits", "--set", "x=1"],
        "unknown setting 'x'; known: seed",
    ),
    "setting of another type": (
        ["search", "vgg11", "-d", "digits", "--set", "units=few"],
        "units must be of type int, not 'few'",
    ),
    "setting out of range": (
        ["search", "vgg11", "-d", "digits", "--set", "fraction=2"],
        "fraction must be between",
    ),
    "no such device": (
        ["search", "vgg11", "-d", "digits", "--device", "cuda:9"],
        "device 'cuda:9' cannot be used",
    ),
    "no such kind of device": (
        ["search", "vgg11", "-d", "digits", "--device", "gpu"],
        "device 'gpu' cannot be used",
    ),
    "image too small": (["search", "vgg11", "-d", "digits", "--set", "image_size=8"], "image is too small"),
    "absent data": (["search", "vgg11", "-d", "cifar10", "--data", "nowhere"], "nowhere"),
}


def test_mistakes_end_with_one_line_and_exit_code_2(tmp_path: Path) -> None:
    rows = []
    for case, (args, message) in MISTAKES.items():
        result = bench(*args, "--work", str(tmp_path / "work"))
        lines = result.stderr.strip().splitlines()
        ok = result.exit_code == 2 and len(lines) == 1 and message in lines[0] and not result.stdout
        rows.append({"case": case, "expected": message, "got": result.output.strip(), "ok": ok})
    matrix.write("search-input", rows)
    assert [row for row in rows if not row["ok"]] == []
