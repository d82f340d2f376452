"""A file that never ends, and whose reader is killed at once: nobody is left to work at it."""

import subprocess
import sys
from pathlib import Path

import psutil

from tests import strange
from tests.conftest import wait_for

READER = """import json, os, subprocess, sys
from bench.export.own import process
with process._child(subprocess.DEVNULL) as child:
    task = {"path": sys.argv[1], "folder": sys.argv[2], "dims": {}, "batch": None, "values": {}}
    child.stdin.write(json.dumps({**task, "inputs": None, "room": 4_000_000_000}).encode())
    child.stdin.close()
    print(child.pid, flush=True)
    os.kill(os.getpid(), 9)  # long before the child has imported what it needs
"""


def at_work(pid: int) -> bool:
    """Whether it runs: where nobody collects orphans, an ended one stays as a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_reader_that_is_killed_before_its_child_has_begun_leaves_none(tmp_path: Path) -> None:
    strange.endless(tmp_path / "loop.onnx")
    words = [sys.executable, "-c", READER, str(tmp_path / "loop.onnx"), str(tmp_path)]
    child = int(subprocess.run(words, capture_output=True, text=True, check=False).stdout)
    try:
        wait_for(lambda: not at_work(child), f"process {child} works on")
    finally:
        if at_work(child):
            psutil.Process(child).kill()
