"""A test that hangs is ended and named, once, and leaves no process; the tests after it still run."""

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.conftest import PATIENCE, wait_for

pytestmark = pytest.mark.integration

ASLEEP = """
import subprocess, sys, time, pytest

@pytest.mark.timeout(4, func_only=True)
def test_asleep():
    sleep = [sys.executable, "-c", "import time; time.sleep(600)", {mark!r}]
    subprocess.Popen([sys.executable, "-c", f"import subprocess; subprocess.run({{sleep}})", {mark!r}])
    time.sleep(600)

def test_after_sleep():
    pass
"""

DEAF = """
import ctypes, signal

def test_deaf():
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
    ctypes.PyDLL(None).sleep(600)

def test_after_deafness():
    pass
"""


def running(mark: str) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if mark in (one.info["cmdline"] or [])]


@pytest.fixture(scope="module")
def output(root: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the suite prints, side by side and with its own settings, of two files with a test that hangs."""
    folder = tmp_path_factory.mktemp("hanging")
    (folder / "test_asleep.py").write_text(ASLEEP.format(mark=str(folder)))
    (folder / "test_deaf.py").write_text(DEAF)
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", "-p", "no:cacheprovider", "-n", "2"]
    command += ["-c", root / "pyproject.toml", "-o", "faulthandler_timeout=20", folder]
    return subprocess.run(
        command, cwd=root, capture_output=True, text=True, timeout=PATIENCE, check=False
    ).stdout


def test_both_are_named_and_the_last_line_counts_them_once(output: str) -> None:
    assert "test_asleep - Failed: Timeout" in output
    assert "crashed while running" in output
    assert "test_deaf.py::test_deaf" in output
    assert "2 failed, 2 passed" in output.splitlines()[-1]


def test_what_a_hanging_test_has_started_is_ended(
    output: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    mark = str(next(tmp_path_factory.getbasetemp().glob("hanging*")))
    wait_for(lambda: not running(mark), "what the test has started still runs")
