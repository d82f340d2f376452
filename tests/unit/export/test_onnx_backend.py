"""The onnx package's backend tests: each is measured right, or refused in one line.

A sample, the same every time, is part of every test run. All of them, which take minutes on a quiet machine:
pytest -m slow -o timeout=3600 -o faulthandler_timeout=3700 tests/unit/export/test_onnx_backend.py
It may be interrupted: run again on the same code and libraries, it goes on where it was.
"""

import hashlib
import json
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from tests import matrix
from tests.onnx_backend import FAILED, LIBRARY, NEEDLESS, NODES, ON_DISK, REFUSED, RIGHT, WRONG

DIED = "died"
TRIES = 10  # of a unit whose process dies, each time in another case
# onnxruntime differs from the shipped outputs, without us just the same (verified for each, every time):
# Fourier transforms beyond the absolute 1e-7, corners of Resize, masks of Attention, places of MaxUnpool.
UNLIKE = ("test_dft", "test_stft", "test_resize_downsample", "test_attention_4d", "test_maxunpool_export")

Row = dict[str, str]


def outcomes(root: Path, folder: Path, each: int, units: list[str], known: dict[str, Row]) -> Iterator[Row]:
    """The row of each case that is not `known`, as it ends; one in which the process dies has one too."""
    done = dict(known)
    for attempt in range(TRIES):
        command = [sys.executable, "-m", "tests.onnx_backend", str(folder / str(attempt)), str(each), *units]
        begun = ""
        with open(folder / "errors", "w+") as errors:
            process = subprocess.Popen(command, cwd=root, text=True, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, stderr=errors)  # fmt: skip
            with process:
                assert process.stdin
                assert process.stdout
                process.stdin.write("\n".join(done))
                process.stdin.close()
                for row in map(json.loads, process.stdout):
                    begun = row["case"] if row["outcome"] is None else ""
                    if row["outcome"]:
                        done[row["case"]] = row
                        yield row
            errors.seek(0)
            said = errors.read().strip()
        if process.returncode == 0:
            return
        assert begun, f"no case was at hand when the process ended: {said[-300:]}"
        done[begun] = {"case": begun, "outcome": DIED, "said": said[-300:]}
        yield done[begun]
    raise AssertionError(f"died again and again: {units}")


def check(name: str, found: dict[str, Row]) -> Counter[str]:
    """Write the matrix; no case may be wrong, or fail once it was accepted. How many ended how."""
    bad = {WRONG, FAILED, DIED, NEEDLESS}
    rows = [
        {"case": case, "expected": f"{RIGHT}, or {REFUSED} in one line", "got": row["outcome"],
         "said": row["said"], "ok": row["outcome"] not in bad}
        for case, row in sorted(found.items())
    ]  # fmt: skip
    matrix.write(name, rows)
    assert not [row for row in rows if not row["ok"]]
    unlike = [case for case, row in found.items() if row["outcome"] == LIBRARY]
    assert all(case.startswith(UNLIKE) for case in unlike), unlike
    return Counter(row["outcome"] for row in found.values())


def fingerprint(root: Path) -> str:
    """Of the code and the libraries that the outcomes depend on."""
    found = hashlib.sha256(f"{version('onnx')} {version('onnxruntime')} {version('numpy')}".encode())
    for folder in ("bench/export", "bench/record", "bench/runtime", "orchestrate/runs"):
        for path in sorted((root / folder).rglob("*.py")):
            found.update(path.read_bytes())
    found.update((root / "tests/onnx_backend.py").read_bytes())
    return found.hexdigest()[:16]


def test_a_sample_is_measured_right_or_refused(root: Path, tmp_path: Path) -> None:
    chosen = random.Random(15).sample(NODES, 24)
    found = {row["case"]: row for row in outcomes(root, tmp_path, 3, chosen, {})}
    count = check("onnx-sample", found)
    assert sum(count.values()) >= 50
    assert count[RIGHT] > count[REFUSED]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_case_is_measured_right_or_refused(root: Path, tmp_path: Path) -> None:
    kept = matrix.BUILD / "onnx-backend" / f"{fingerprint(root)}.jsonl"
    kept.parent.mkdir(parents=True, exist_ok=True)
    lines = kept.read_text().splitlines() if kept.exists() else []
    found: dict[str, Row] = {row["case"]: row for row in map(json.loads, lines)}
    with open(kept, "a", buffering=1) as file:
        for row in outcomes(root, tmp_path, 0, [*NODES, *ON_DISK], found):
            found[row["case"]] = row
            file.write(json.dumps(row) + "\n")
    count = check("onnx", found)
    assert sum(count.values()) > 1400
    assert count[RIGHT] > 1400
