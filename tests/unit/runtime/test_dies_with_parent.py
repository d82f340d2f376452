"""A measuring process whose parent died before it could ask to die with it ends at once."""

import os
import subprocess
import sys

import pytest

CODE = """import os
from bench.runtime.machine import process
process.die_with_parent()
print(os.environ.get(process.PARENT))
"""


@pytest.mark.parametrize(("parent", "code", "out"), [(None, 0, "None"), ("own", 0, "None"), ("dead", 1, "")])
def test_a_parent_that_is_gone_ends_it_and_one_that_lives_does_not(
    parent: str | None, code: int, out: str
) -> None:
    dead = subprocess.Popen(["true"])
    dead.wait()
    named = {"own": str(os.getpid()), "dead": str(dead.pid)}
    env = {**os.environ, **({"ORBITBENCH_PARENT": named[parent]} if parent else {})}
    done = subprocess.run([sys.executable, "-c", CODE], env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (code, out)
