"""Strangers' models through the real commands: measured, or one line each that says what to do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import matrix, models, strange
from tests.conftest import PATIENCE
from tests.unit.orchestrate import sample

MEASURED = ("scalar_input", "scalar_output", "symbols", "placeholders", "negative_inner", "own_function",
            "short_integers", "old")  # fmt: skip
REFUSED = {
    "beyond_memory": "input x of 100000x3x1024x1024 takes 1,258.3 GB",
    "small_floats_out": "output y is of type tensor(float8e4m3fn); supported: tensors of float16",
    "random_output": "output y differs between two runs",
    "not_a_number": "output y is not finite",
    "unknown_operator": "unsupported operator Sparkle (opset 17)",
    "many_dimensions": "inputs[0].shape has 9 elements",
    "above_2_gb": "models above 2 GB are not supported",
    "text": "not an ONNX file, or a truncated one",
}
SIZES = ("H=8", "W=6", "x.2=8", "x.3=6")


def command(root: Path, folder: Path, *words: str, **more: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHONPATH": str(root), **more}
    command = [sys.executable, "-m", *words]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.run(command, cwd=folder, env=environment, timeout=PATIENCE, check=False, **pipe)


@pytest.mark.parametrize("profile", [(), pytest.param(("--profile",), marks=pytest.mark.slow)])
def test_a_run_measures_every_kind_it_can_and_says_of_each_other_why_not(
    root: Path, tmp_path: Path, profile: tuple[str, ...]
) -> None:
    sample.quick_local(tmp_path)
    strange.write(tmp_path, *MEASURED, *REFUSED)
    files = [word for kind in (*MEASURED, *REFUSED) for word in ("--onnx", f"{kind}.onnx")]
    options = [word for size in SIZES for word in ("--dim", size)]
    options += ["--value", "sr=16000", *profile, "--no-report", "--json"]
    done = command(root, tmp_path, "orchestrate.cli", "run", "--device", "local", *files, *options)
    said = json.loads(done.stdout)
    measured = {job["model"].split("-")[1] for job in said["jobs"]}
    refused = {line.partition(".onnx")[0]: line for line in said["refused"]}
    rows = [
        {"case": kind, "expected": "measured", "ok": kind in measured,
         "got": "measured" if kind in measured else refused.get(kind, "not measured")}
        for kind in MEASURED
    ]  # fmt: skip
    rows += [
        {
            "case": kind,
            "expected": told,
            "got": refused.get(kind, "accepted"),
            "ok": told in refused.get(kind, ""),
        }
        for kind, told in REFUSED.items()
    ]
    matrix.write("onnx-kinds", rows)
    assert [row for row in rows if not row["ok"]] == []
    assert done.returncode == 1
    device = said["devices"]["local"]
    assert (device["ok"], device["jobs"], device["errors"]) == (len(MEASURED), len(MEASURED), [])
    assert "Traceback" not in done.stderr


def test_a_loop_without_end_has_a_limit(root: Path, tmp_path: Path) -> None:
    strange.write(tmp_path, "endless")
    models.mlp(tmp_path / "sound.onnx")
    seconds = 2

    def told(name: str) -> str:
        words = ("bench.cli", "export", "--out", name, "--onnx", f"{name}.onnx")
        done = command(root, tmp_path, *words, ORBITBENCH_ONNX_TIMEOUT=str(seconds))
        assert done.returncode == (2 if "takes more" in done.stderr else 0), done.stderr
        return done.stderr

    while "takes more" in told("sound"):  # on a busy machine the start of a process alone
        seconds *= 2
    assert f"takes more than {seconds} s; is there a loop without end?" in told("endless")


ASKED = {  # what a refusal advises, where the file itself is not to blame
    "symbols.onnx": "dynamic dimensions without a size; give --dim H=SIZE --dim W=SIZE",
    "placeholders.onnx": "give --dim x.2=SIZE --dim x.3=SIZE",
    "table_index.onnx": "onnxruntime cannot run it: ",
    "absent.onnx": "cannot be read: No such file or directory",
    "folder": "this is a folder; give an ONNX file",
    "": "an empty file name; give the path of an ONNX file",
}


def test_files_that_lack_something_are_told_what_all_at_once(root: Path, tmp_path: Path) -> None:
    strange.write(tmp_path, "symbols", "placeholders", "table_index")
    (tmp_path / "folder").mkdir()
    np.savez(tmp_path / "far.npz", at=np.array([9]), x=np.ones((1, 4), "f4"))
    files = [f"--onnx={name}" for name in ASKED]
    done = command(root, tmp_path, "bench.cli", "export", "--out", "o", *files, "--input", "far.npz")
    assert done.returncode == 2, done.stderr
    for name, told in ASKED.items():
        assert any(f"{name or '.'}: " in line and told in line for line in done.stderr.splitlines()), name
    assert "out of data bounds" in done.stderr
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("kind", ["symbols", pytest.param("placeholders", marks=pytest.mark.slow)])
def test_versus_asks_for_sizes_and_takes_them(root: Path, tmp_path: Path, kind: str) -> None:
    strange.write(tmp_path, kind)
    pair = ["bench.cli", "versus", f"{kind}.onnx", f"{kind}.onnx", "--rounds", "2", "--seconds", "0.05"]
    asked = command(root, tmp_path, *pair)
    assert asked.returncode == 2
    names = ("H", "W") if kind == "symbols" else ("x.2", "x.3")
    assert f"give --dim {names[0]}=SIZE --dim {names[1]}=SIZE" in asked.stderr
    done = command(root, tmp_path, *pair, "--json", *(f"--dim={name}=8" for name in names))
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["low"] <= found["ratio"] <= found["high"]


def test_versus_refuses_names_that_neither_file_has(root: Path, tmp_path: Path) -> None:
    strange.write(tmp_path, "old")
    done = command(
        root, tmp_path, "bench.cli", "versus", "old.onnx", "old.onnx", "--dim", "H=8", "--value", "q=1"
    )
    assert done.returncode == 2
    assert "--dim H: no file has such a dynamic dimension; known: none" in done.stderr
    assert "--value q: no file has such an input; known: x" in done.stderr
