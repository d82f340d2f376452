"""What a board says that it has is what its disk holds, computed in a container of the job image."""

import hashlib

import pytest

from orchestrate.engine.connection import Engine
from orchestrate.engine.container import Spec
from tests.service import rootfs
from tests.service.connected import with_volume
from tests.service.fleet import Fleet

pytestmark = pytest.mark.service
VOLUME, LABELS = "orbitbench-hashes", {"orbitbench.run": "hashes"}


def test_the_hashes_of_what_a_board_has_are_of_its_disk(
    job_fleet: Fleet, engine1: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORBITBENCH_SSH_CONFIG", str(job_fleet.ssh_config))
    with with_volume(engine1, VOLUME, LABELS) as board:
        board.create(Spec("orbitbench/busybox:test", ("true",), VOLUME, LABELS))
        board.send({"bundle/models/a.onnx": b"model", "jobs.json": b"{}"})
        job_fleet["board1"].sh(f"echo changed >/var/lib/docker/volumes/{VOLUME}/_data/jobs.json")
        assert board.hashes(VOLUME, rootfs.JOB_IMAGE, LABELS) == {
            "bundle/models/a.onnx": (5, hashlib.sha256(b"model").hexdigest()),
            "jobs.json": (8, hashlib.sha256(b"changed\n").hexdigest()),
        }
        assert "helper" not in job_fleet["board1"].docker("ps", "-a", "--format", "{{.Labels}}")
