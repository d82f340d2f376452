"""A real Python 3.6 with what a JetPack 4 board has: onnxruntime 1.10, numpy 1.19. Built once into
build/py36."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.conftest import ROOT, one_at_a_time, require

PACKAGES = ["onnxruntime==1.10.0", "numpy==1.19.5", "pytest==7.0.1"]
HOME = ROOT / "build" / "py36"


def find_python36() -> str | None:
    """An interpreter of version 3.6: ORBITBENCH_PYTHON36, then pyenv's, then the PATH's."""
    pyenv = sorted(Path.home().glob(".pyenv/versions/3.6.*/bin/python"))
    candidates = [os.environ.get("ORBITBENCH_PYTHON36"), *map(str, pyenv), shutil.which("python3.6")]
    return next((c for c in candidates if c and Path(c).exists()), None)


def _build(interpreter: str) -> None:
    shutil.rmtree(HOME, ignore_errors=True)
    subprocess.run([interpreter, "-m", "venv", HOME], check=True)
    pip = [HOME / "bin" / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    pip.append("--no-compile")  # most of it is never imported
    for packages in (["pip==21.3.1"], PACKAGES):  # 3.6's own pip is too old for the wheels' platform tags
        subprocess.run([*pip, *packages], check=True, timeout=600, capture_output=True)
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
