"""The arm64 image under an emulated Cortex-A72, on every submission: built, two models measured.

Outputs are those of x86. Emulated timings never count: no record of it is valid. The whole emulated board is
`make test-arm64`.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests import models
from tests.conftest import PATIENCE, ROOT
from tests.service.arm64 import Bench, bench, check, pi4

pytestmark = pytest.mark.service
USER_MODE_SECONDS = 240  # some onnxruntime wheels hang for ever under qemu-user instead of crashing
__all__ = ["bench", "pi4"]  # fixtures


def test_two_models_run_in_the_image_under_qemu_user_with_the_outputs_of_x86(
    bench: Bench, pi4: str, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle"
    export = [sys.executable, "-m", "bench.cli", "export", "smoke", "--out", str(bundle)]
    subprocess.run(export, cwd=ROOT, check=True, capture_output=True, timeout=PATIENCE)
    described = json.loads((bundle / "bundle.json").read_text())["models"]
    jobs = [models.job_of(model) for model in described]
    short = {**models.QUICK, "processes": 1, "min_samples": 3, "max_samples": 3, "timeout_seconds": 200}
    models.job_list(tmp_path / "jobs.json", bundle, jobs, measure=short)
    docker = ["/usr/bin/docker", "-H", bench.engine.docker_host]
    options = ("--platform=linux/arm64", "--env=QEMU_CPU=cortex-a72", "--network=none")
    name = bench.engine.docker("create", *options, pi4, "/data/jobs.json", "/data/out").split()[-1]
    try:
        for source in ("jobs.json", "bundle"):
            bench.engine.docker("cp", str(tmp_path / source), f"{name}:/data/{source}")
        subprocess.run(
            [*docker, "start", "-a", name], timeout=USER_MODE_SECONDS, check=False, capture_output=True
        )
        bench.engine.docker("cp", f"{name}:/data/out", str(tmp_path / "out"))
    finally:
        bench.engine.docker("rm", "-f", name)
    records = [json.loads(path.read_text()) for path in (tmp_path / "out/records").glob("*.json")]
    assert len(records) == len(jobs) == 2
    for record in records:
        check(record)
