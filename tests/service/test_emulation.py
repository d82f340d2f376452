"""The runtime under a real user-mode emulator must say so, whatever the emulator tells it of itself."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, ROOT, require
from tests.service import rootfs

CODE = """
import json, os
from bench.runtime.machine.emulation import emulated
print(json.dumps([os.uname().machine, emulated()]))
"""


@pytest.fixture(scope="session")
def emulator() -> str:
    found = shutil.which("qemu-aarch64-static")
    require(found, "qemu-aarch64-static (apt-get install qemu-user-static)")
    return str(found)


@pytest.fixture(scope="session")
def arm64_root(emulator: str) -> Path:
    """The own base for arm64, a Debian with Python, unpacked without running any of it; kept in build/."""
    root = ROOT / "build" / "arm64-python"
    if (root / "complete").exists():
        return root
    with rootfs.or_skip():
        archive = rootfs.own_base("arm64")
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    subprocess.run(["tar", "-xf", archive, "-C", root, "--exclude=./dev/*"], check=True)
    (root / "complete").touch()
    return root


@pytest.mark.service
def test_qemu_user_is_seen_through(emulator: str, arm64_root: Path) -> None:
    python = arm64_root / "usr/bin/python3.11"
    done = subprocess.run(
        [emulator, "-cpu", "cortex-a72", "-L", arm64_root, python, "-c", CODE],
        cwd=ROOT,
        env={**os.environ, "PYTHONHOME": str(arm64_root / "usr")},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["aarch64", "qemu-user"]
