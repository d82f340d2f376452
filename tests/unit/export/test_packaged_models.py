"""Models that packages of PyPI ship, measured by the real command: all of a stranger's files at once."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests import matrix
from tests.conftest import require

PACKAGES = ("magika", "silero-vad", "rapidocr-onnxruntime")
# What the refusals of these files ask for: frames of 512 at 16 kHz, lines of text of 48 x 320 pixels.
SIZES = ("batch=1", "sequence=512", "input.1=512", "state.1=1", "x.2=48", "x.3=320")
SIZES += ("p2o.DynamicDimension.1=320", "p2o.DynamicDimension.2=320")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The ONNX files of the packages, downloaded without installing anything."""
    folder = tmp_path_factory.mktemp("packages")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--only-binary=:all:", "-d", "."]
    done = subprocess.run([*command, *PACKAGES], cwd=folder, capture_output=True, text=True, check=False)
    require(done.returncode == 0, f"{', '.join(PACKAGES)} from PyPI: {done.stderr.strip()[-200:]}")
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder, [name for name in archive.namelist() if name.endswith(".onnx")])
    return sorted(folder.rglob("*.onnx"))


def run(root: Path, folder: Path, files: list[Path], *words: str) -> "subprocess.CompletedProcess[str]":
    given = [word for path in files for word in ("--onnx", str(path))]
    command = [sys.executable, "-m", "orchestrate.cli", "run", "--device", "local", "--processes", "1"]
    return subprocess.run(
        [*command, *given, *words, "--no-report", "--json", "--results", str(folder / "results")],
        cwd=root, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_every_file_is_measured_once_its_sizes_are_given(
    root: Path, tmp_path: Path, files: list[Path]
) -> None:
    options = [word for size in SIZES for word in ("--dim", size)]
    done = run(root, tmp_path, files, *options, "--value", "sr=16000")
    said: dict[str, Any] = json.loads(done.stdout or "{}")
    device = said.get("devices", {}).get("local", {})
    rows = [
        {"case": job["model"], "expected": "measured", "got": "measured", "ok": True} for job in said["jobs"]
    ]
    rows += [{"case": error["job"], "expected": "measured", "got": error["message"], "ok": False}
             for error in device["errors"]]  # fmt: skip
    matrix.write("onnx-packages", rows)
    assert said["refused"] == []
    assert done.returncode == 0, done.stderr
    assert device["ok"] == device["jobs"] == len(files) >= 10


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_without_sizes_each_refusal_says_which_to_give(root: Path, tmp_path: Path, files: list[Path]) -> None:
    dynamic = [path for path in files if path.stem in ("ch_PP-OCRv4_det_infer", "silero_vad_half")]
    done = run(root, tmp_path, dynamic)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if "dynamic dimensions" in line]
    assert len(lines) == len(dynamic) == 2
    assert all("give --dim " in line for line in lines)
