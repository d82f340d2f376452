"""The onnx package's backend tests: each is measured right, or refused in one line.

A sample, the same every time, is part of every test run. All of them, which take minutes on a quiet machine:
pytest -m slow -o timeout=3600 -o faulthandler_timeout=3700 tests/unit/export/test_onnx_backend.py
"""

import json
import pkgutil
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from onnx.backend.test.case import node

from tests import matrix
from tests.onnx_backend import FAILED, LIBRARY, REFUSED, RIGHT, WRONG

MODULES = sorted(module.name for module in pkgutil.iter_modules(node.__path__))
DIED = "died"
# onnxruntime differs from the shipped outputs, without us just the same (verified for each, every time):
# Fourier transforms beyond the absolute 1e-7, corners of Resize, masks of Attention, places of MaxUnpool.
UNLIKE = ("test_dft", "test_stft", "test_resize_downsample", "test_attention_4d", "test_maxunpool_export")

Row = dict[str, str]


def outcomes(root: Path, folder: Path, *modules: str) -> dict[str, Row]:
    """Case -> its row; a case in which the process dies is one too, and the others go on without it."""
    done: dict[str, Row] = {}
    for attempt in range(10):
        command = [sys.executable, "-m", "tests.onnx_backend", str(folder / str(attempt)), *modules]
        ran = subprocess.run(
            command, cwd=root, input="\n".join(done), capture_output=True, text=True, check=False
        )
        rows = [json.loads(line) for line in ran.stdout.splitlines()]
        begun = rows[-1]["case"] if rows else ""
        done |= {row["case"]: row for row in rows if row["outcome"]}
        if ran.returncode == 0:
            return done
        assert begun, ran.stderr
        done[begun] = {"case": begun, "outcome": DIED, "said": ran.stderr.strip()[-300:]}
    raise AssertionError(f"died again and again: {done}")


def check(name: str, found: dict[str, Row]) -> Counter[str]:
    """Write the matrix; no case may be wrong, or fail once it was accepted. How many ended how."""
    bad = {WRONG, FAILED, DIED}
    rows = [
        {"case": case, "expected": f"{RIGHT}, or {REFUSED} in one line", "got": row["outcome"],
         "said": row["said"], "ok": row["outcome"] not in bad}
        for case, row in found.items()
    ]  # fmt: skip
    matrix.write(name, rows)
    assert not [row for row in rows if not row["ok"]]
    unlike = [case for case, row in found.items() if row["outcome"] == LIBRARY]
    assert all(case.startswith(UNLIKE) for case in unlike), unlike
    return Counter(row["outcome"] for row in found.values())


def test_a_sample_is_measured_right_or_refused(root: Path, tmp_path: Path) -> None:
    chosen = random.Random(15).sample(MODULES, 24)
    count = check("onnx-sample", outcomes(root, tmp_path, *chosen))
    assert sum(count.values()) >= 50
    assert count[RIGHT] > count[REFUSED]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_case_is_measured_right_or_refused(root: Path, tmp_path: Path) -> None:
    count = check("onnx", outcomes(root, tmp_path))
    assert sum(count.values()) > 1400
    assert count[RIGHT] > 1400
