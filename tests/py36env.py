"""A real Python 3.6 with what a JetPack 4 board has: onnxruntime 1.10, numpy 1.19. Built once into
build/py36."""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT, one_at_a_time, require

# The last of each that runs there, with all that they need: a newer pip that installs for Python 3.6 would
# take what they need under its own Python, and that of 3.6 would have to be renewed first.
PACKAGES = [
    "onnxruntime==1.10.0", "numpy==1.19.5", "flatbuffers==25.12.19", "protobuf==3.19.6",
    "pytest==7.0.1", "attrs==22.2.0", "importlib-metadata==4.8.3", "iniconfig==1.1.1", "packaging==21.3",
    "pluggy==1.0.0", "py==1.11.0", "pyparsing==2.4.7", "tomli==1.2.3", "typing-extensions==4.1.1",
    "zipp==3.6.0",
]  # fmt: skip
HOME = ROOT / "build" / "py36"


def find_python36() -> str | None:
    """An interpreter of version 3.6: ORBITBENCH_PYTHON36, then pyenv's, then the PATH's."""
    pyenv = sorted(Path.home().glob(".pyenv/versions/3.6.*/bin/python"))
    candidates = [os.environ.get("ORBITBENCH_PYTHON36"), *map(str, pyenv), shutil.which("python3.6")]
    return next((c for c in candidates if c and Path(c).exists()), None)


def _build(interpreter: str) -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    subprocess.run([interpreter, "-m", "venv", "--without-pip", HOME], check=True)
    (site,) = HOME.glob("lib/python3.6/site-packages")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target", site]
    pip += ["--python-version", "3.6", "--abi", "cp36m", "--platform", f"manylinux2014_{platform.machine()}"]
    pip += ["--only-binary=:all:", "--no-deps", "--no-compile"]  # most of it is never imported
    subprocess.run([*pip, *PACKAGES], check=True, timeout=600, capture_output=True)
    (HOME / "complete").write_text("\n".join(PACKAGES))


def python36() -> Path:
    """The interpreter of the cached environment; skips (fails in CI) where no Python 3.6 can be had."""
    interpreter = find_python36()
    require(interpreter, "a Python 3.6 (pyenv install 3.6.15, or set ORBITBENCH_PYTHON36)")
    assert interpreter is not None
    with one_at_a_time("py36"):
        stamp = HOME / "complete"
        if not (stamp.exists() and stamp.read_text() == "\n".join(PACKAGES)):
            try:
                _build(interpreter)
            except subprocess.SubprocessError as error:
                require(False, f"onnxruntime 1.10 for Python 3.6 (pip said: {error})")
    return HOME / "bin" / "python"
