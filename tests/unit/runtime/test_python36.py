"""What runs on boards runs under a real Python 3.6 with onnxruntime 1.10."""

import json
import os
import subprocess
from pathlib import Path

from bench.runtime.supervise import job_list
from tests import models, py36env
from tests.conftest import PATIENCE, ROOT


def test_everything_that_boards_run_compiles() -> None:
    python = py36env.python36()
    paths = [str(p) for folder in ("record", "runtime") for p in (ROOT / "bench" / folder).rglob("*.py")]
    code = "import sys; [compile(open(p, encoding='utf-8').read(), p, 'exec') for p in sys.argv[1:]]"
    done = subprocess.run([python, "-c", code, *paths], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr


def test_the_runtimes_own_tests_pass_under_python_3_6(tmp_path: Path) -> None:
    python = py36env.python36()
    bundle = tmp_path / "bundle"
    good = models.job(bundle, models.cnn(bundle / "models/cnn.onnx"), measure={"profile": True})
    null = models.job(bundle, bundle / "models/cnn.onnx", backend="null")
    bad = models.job(bundle, models.one_node(bundle / "models/unknown.onnx", "Fancy"), with_reference=False)
    path = models.job_list(tmp_path / "jobs.json", bundle, [good, null, bad], device="py36")
    listed = [{"id": str(i), "measure": {"processes": 2}} for i in range(5)]
    order = [[step.job["id"], step.process] for step in job_list.order(listed, 1234)]
    environment = {
        "ORBITBENCH_JOBS": str(path),
        "ORBITBENCH_ORDER": json.dumps(order),
        "PYTHONPATH": str(ROOT),
    }
    options = ["-c", "/dev/null", "--noconftest", "-p", "no:cacheprovider", "-q", "tests/py36"]
    done = subprocess.run(
        [python, "-m", "pytest", *options],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 passed" in done.stdout
