"""`keep_tactics`: what a device may ask for, what its container gets, and a process on this machine."""

from pathlib import Path

import pytest

from orchestrate.engine.spec import TACTICS, TACTICS_VOLUME, Spec
from orchestrate.execution import process_runner
from tests.unit.orchestrate import sample


def spec(keep: bool) -> Spec:
    return Spec("image", ("a", "b"), "volume", {}, keep_tactics=keep)


def test_a_container_has_the_lasting_volume_only_where_it_is_wanted() -> None:
    with_it, without = spec(True).arguments(), spec(False).arguments()
    assert [(mount["Target"], mount["Source"]) for mount in with_it["mounts"]] == [
        ("/data", "volume"),
        (TACTICS, TACTICS_VOLUME),
    ]
    assert with_it["environment"]["ORBITBENCH_TIMING_CACHE"] == TACTICS
    assert [mount["Target"] for mount in without["mounts"]] == ["/data"]
    assert "ORBITBENCH_TIMING_CACHE" not in without["environment"]


def test_a_backend_that_builds_nothing_keeps_nothing() -> None:
    assert sample.device(backend="tensorrt", keep_tactics=True).keep_tactics
    with pytest.raises(ValueError, match="onnxruntime does not"):
        sample.device(keep_tactics=True)


def test_a_process_here_keeps_them_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = sample.real_run(tmp_path / "results", 1).devices["local"]
    kept = process_runner.ProcessRunner(folder, keep_tactics=True)
    assert kept.own == {"ORBITBENCH_TIMING_CACHE": str(tmp_path / "orbitbench/tactics")}
    assert process_runner.ProcessRunner(folder).own == {}
