"""`devices check --deep`: its network, its verdicts, what it leaves out, and itself on this machine."""

import copy
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bench.record import schema
from orchestrate import cli
from orchestrate.doctor import deep, private
from orchestrate.doctor.checks import Check
from orchestrate.execution import deep_check
from tests import known_network
from tests.conftest import PATIENCE, ROOT
from tests.unit.orchestrate import sample

RECORD = json.loads((ROOT / "tests/records/v1-ok.json").read_text())
RECORD["latency"]["processes"][0] |= {"load_seconds": 0.02, "first_seconds": 0.0001}


def record(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(RECORD), **changes}


def failed(kind: str, *rungs: str) -> dict[str, Any]:
    error = {"kind": kind, "message": f"{kind} happened", "advice": "mend it"}
    memory = {"rungs": [{"rung": rung} for rung in rungs]}
    return record(status="failed", error=error, memory=memory)


def levels(checks: list[Check]) -> dict[str, str]:
    return {check.name: check.level for check in checks}


def text(checks: list[Check]) -> str:
    return "\n".join(f"{check.name}: {check.message} {check.advice}" for check in checks)


def test_the_known_network_is_what_numpy_and_onnx_make_of_it(tmp_path: Path) -> None:
    known_network.write(tmp_path)
    kept = deep_check.KNOWN
    assert {p.relative_to(kept) for p in kept.rglob("*")} == {
        p.relative_to(tmp_path) for p in tmp_path.rglob("*")
    }
    for path in kept.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / path.relative_to(kept)).read_bytes(), path.name
    assert schema.problems(json.loads((kept / "bundle.json").read_text())) == []


@pytest.mark.parametrize(
    ("kind", "rungs", "step"),
    [
        ("library_missing", ["start"], "library"),
        ("device_missing", ["start", "backend_imported"], "context"),
        ("build_failed", [], "network"),
        ("unsupported_precision", [], "network"),
        ("wrong_output", [rung for rung, _ in deep.STEPS], "output"),
        ("self_test_failed", [], "self-test"),
        ("timeout", ["start", "backend_imported", "device_initialised", "model_loaded"], "inference"),
        ("crashed", ["start", "backend_imported"], "context"),
    ],
)
def test_a_failure_is_named_after_the_step_at_which_it_happened(
    kind: str, rungs: list[str], step: str
) -> None:
    checks = deep.judge(sample.device(), [failed(kind, *rungs)])
    assert levels(checks)[f"{step} (fp32)"] == "fail"
    assert f"{kind} happened mend it" in text(checks)


def test_a_good_record_passes_with_what_it_measured() -> None:
    checks = deep.judge(sample.device(), [record()])
    assert "fail" not in levels(checks).values()
    assert {"runtime", "self-test", "library", "sensors", "network (fp32)", "output (fp32)"} <= {
        *levels(checks)
    }
    assert "onnxruntime 1.32.0" in text(checks)


def test_each_precision_has_verdicts_of_its_own() -> None:
    half = failed("wrong_output", *[rung for rung, _ in deep.STEPS])
    half["job"]["precision"] = "fp16"
    found = levels(deep.judge(sample.device(), [record(), half]))
    assert (found["output (fp32)"], found["output (fp16)"]) == ("ok", "fail")


def test_what_keeps_a_timing_from_counting_is_a_warning_not_a_failure() -> None:
    validity = {"valid": False, "reasons": [{"code": "emulated_cpu", "message": "by qemu"}], "warnings": []}
    found = levels(deep.judge(sample.device(), [record(validity=validity)]))
    assert found["emulated cpu (fp32)"] == "warn"
    assert "fail" not in found.values()


def test_sensors_are_listed_by_whether_they_can_be_read() -> None:
    readings = [{"temperature": None}, {"temperature": 41.0, "rails": {"VDD_IN": 3.1}, "power": 3.1}]
    said = text(deep.judge(sample.device(), [record(sensors=readings)]))
    assert "sensors: readable: temperature, power; not: CPU clock" in said
    assert "rails VDD_IN" in said


def test_power_is_what_the_board_reported_afterwards() -> None:
    board = {"power_mode": "15W", "power_mode_id": 0, "governors": ["schedutil"], "clocks_pinned": True}
    environment = {**RECORD["environment"], "board": board}
    said = text(deep.judge(sample.device(), [record(environment=environment)]))
    assert "power, measured: 15W (0); governor schedutil; clocks pinned" in said


def test_a_gpu_whose_memory_cannot_be_read_is_a_warning() -> None:
    blind = record()
    blind["job"]["backend"] = "tensorrt"
    assert levels(deep.judge(sample.device(), [blind]))["memory (fp32)"] == "warn"
    blind["memory"]["rungs"][-1]["nvmap"] = 30_000_000
    for rung in blind["memory"]["rungs"]:
        rung["nvmap"] = 30_000_000
    checks = deep.judge(sample.device(), [blind])
    assert levels(checks)["memory (fp32)"] == "ok"
    assert "nvmap 30 MB" in text(checks)


def test_without_records_what_went_wrong_is_the_verdict() -> None:
    assert levels(deep.judge(sample.device(), [], "held by run x")) == {"run": "fail"}


def test_names_and_homes_are_left_out_whole_words_only() -> None:
    names = {"anna": "USER", "pi5.lan": "pi5", "root": "USER", "": "x", "/srv/anna": "~"}
    told = "anna@pi5.lan: /srv/anna/x /home/anna/bench anna.runtime roanna root, pi5.lan. see pi5.lan2"
    assert private.without(told, names) == "USER@pi5: ~/x ~/bench anna.runtime roanna root, pi5. see pi5.lan2"


def test_ssh_is_asked_for_the_names_behind_a_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("Host short\n  HostName board.example.net\n  User anna\n")
    monkeypatch.setenv("ORBITBENCH_SSH_CONFIG", str(tmp_path / "config"))
    device = sample.device(transport="docker", host="short", image="cpu")
    found = private.names_of("pi5", device)
    assert (found["board.example.net"], found["anna"], found["short"]) == ("pi5", "USER", "pi5")


# As the command, whose samples of a pretend GPU would last as long as they may.
SHORT = "from orchestrate.execution import deep_check; "
SHORT += "deep_check.MEASURE.update(min_seconds=0.05, max_seconds=0.1); "
SHORT += "from orchestrate.cli import main; main()"


def check(folder: Path, *words: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", SHORT, "devices", "check", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "ORBITBENCH_LOCK_DIR": str(folder), **environment},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_deep_wants_a_name() -> None:
    done = CliRunner().invoke(cli.build(), ["devices", "check", "--deep"])
    assert done.exit_code == 2
    assert "devices check --deep NAME" in done.stderr


def test_this_machine_is_measured_and_nothing_is_left_behind(tmp_path: Path) -> None:
    done = check(tmp_path, "--deep", "local", TMPDIR=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    for name in ("orbitbench", "self-test", "library", "network (fp32)", "output (fp32)", "sensors"):
        assert f"{name}: " in done.stdout
    assert "pasted into an issue" in done.stdout
    assert str(Path.home()) not in done.stdout
    assert socket.gethostname() not in done.stdout
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    assert not (tmp_path / "results").exists()


def test_a_gpu_is_taken_through_all_its_precisions(tmp_path: Path) -> None:
    entry = "  gpu: {transport: process, backend: tensorrt, precisions: [fp32, fp16, int8], "
    entry += "measure: {cold_loads: 0}}\n"
    (tmp_path / "devices.yaml").write_text(f"devices:\n{entry}")
    shims = os.pathsep.join([str(ROOT / "tests/fakes/path"), str(ROOT)])
    fake = {"PYTHONPATH": shims, "FAKE_TENSORRT": "8.5.2", "TMPDIR": str(tmp_path)}
    done = check(tmp_path, "--deep", "gpu", "--devices", "devices.yaml", "--json", **fake)
    found = {each["name"]: each for each in json.loads(done.stdout)["gpu"]["checks"]}
    assert done.returncode == 0, found
    for precision in ("fp32", "fp16", "int8"):
        assert found[f"output ({precision})"]["level"] == "ok"
        assert "engine built in" in found[f"network ({precision})"]["message"]
        assert found[f"fake backend ({precision})"]["level"] == "warn"
    assert "GPU free" in found["memory (fp32)"]["message"]
