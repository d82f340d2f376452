"""The runtime under a real user-mode emulator must say so, whatever the emulator tells it of itself."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PATIENCE, ROOT, require

PACKAGES = "python3.11-minimal,libpython3.11-stdlib,libc-bin,base-files"
CODE = """
import json, os
from bench.runtime.machine.emulation import emulated
print(json.dumps([os.uname().machine, emulated()]))
"""


@pytest.fixture(scope="session")
def arm64_root() -> Path:
    """An arm64 Debian with Python, unpacked without running any of it; kept in build/."""
    root = ROOT / "build" / "arm64-python"
    if (root / "complete").exists():
        return root
    require(shutil.which("mmdebstrap"), "mmdebstrap (apt-get install mmdebstrap)")
    require(shutil.which("qemu-aarch64-static"), "qemu-aarch64-static (apt-get install qemu-user-static)")
    shutil.rmtree(root, ignore_errors=True)
    root.parent.mkdir(exist_ok=True)
    archive = root.with_suffix(".tar")
    command = [
        "mmdebstrap",
        "--arch=arm64",
        "--variant=extract",
        f"--include={PACKAGES}",
        "bookworm",
        archive,
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    require(done.returncode == 0, f"an arm64 Debian (mmdebstrap said: {done.stderr[-200:]})")
    root.mkdir()
    subprocess.run(["tar", "-xf", archive, "-C", root, "--exclude=./dev/*"], check=True)
    archive.unlink()
    (root / "complete").touch()
    return root


@pytest.mark.service
def test_qemu_user_is_seen_through(arm64_root: Path) -> None:
    emulator = shutil.which("qemu-aarch64-static")
    require(emulator, "qemu-aarch64-static (apt-get install qemu-user-static)")
    assert emulator is not None
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
