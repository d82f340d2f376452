"""A board whose engine is rootless: found, named with the key that reaches it, and measured on."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import PATIENCE, ROOT, require
from tests.matrix import Part, part_of
from tests.service import rootfs, rootless
from tests.service.fleet import Fleet

pytestmark = pytest.mark.service
HERE = "tests/service/test_rootless.py"
DEVICES = f"""
devices:
  lost: &board
    host: own
    image: "{rootfs.JOB_IMAGE}"
    backend: onnxruntime
    limits: {{max_temperature: 120, min_free_disk: 0, min_free_memory: 0}}
  found: {{<<: *board, socket: {rootless.SOCKET}}}
"""


@pytest.fixture(scope="module")
def fleet(namespaces: None, job_image: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A board `own` with the job image in the rootless engine of the user who logs in."""
    require(not rootless.missing(), rootless.missing())
    with Fleet(tmp_path_factory.mktemp("rootless"), "own") as found:
        board = found["own"]
        rootless.start(board)
        archive = board.folder / "shared/image.tar"
        archive.write_bytes(job_image)
        print(board.sh(f"docker -H unix://{rootless.SOCKET} load -q -i /run/board/shared/image.tar"))
        archive.unlink()
        yield found


part = part_of("board", "rootless")


def check(fleet: Fleet, folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the checks by name of the one device in `words`."""
    (folder / "devices.yaml").write_text(DEVICES)
    own = {"ORBITBENCH_SSH_CONFIG": str(fleet.ssh_config), "ORBITBENCH_DEVICES": str(folder / "devices.yaml")}
    done = subprocess.run(
        [sys.executable, "-m", "orchestrate.cli", "devices", "check", *words, "--json"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **own},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    (found,) = json.loads(done.stdout).values()
    return done.returncode, {each["name"]: each for each in found["checks"]}


def test_its_socket_is_found_and_named_as_a_key(fleet: Fleet, tmp_path: Path, part: Part) -> None:
    code, checks = check(fleet, tmp_path, "lost")
    engine = checks["engine"]
    text, wanted = f"{engine['message']}; {engine['advice']}", f"socket: {rootless.SOCKET}"
    part.add("a rootless engine, no `socket` key", wanted, text, code == 1 and wanted in text, HERE)


def test_with_the_key_it_is_measured_on(fleet: Fleet, tmp_path: Path, part: Part) -> None:
    code, checks = check(fleet, tmp_path, "--deep", "found")
    failed = [f"{name}: {each['message']}" for name, each in checks.items() if each["level"] == "fail"]
    output = checks.get("output (fp32)", {"level": "missing", "message": "; ".join(failed)})
    got = f"{output['level']}: {output['message']}"
    part.add("a rootless engine, deep check", "ok: off by", got, code == 0 and got.startswith("ok"), HERE)
    left = f"docker -H unix://{rootless.SOCKET} ps -aq; docker -H unix://{rootless.SOCKET} volume ls -q"
    assert fleet["own"].sh(left).strip() == ""
