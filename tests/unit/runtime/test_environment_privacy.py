"""What a record says of its environment explains a figure, and tells nothing else of its user."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.runtime.machine import environment
from bench.runtime.measure import model_run
from bench.runtime.supervise import record_builder
from bench.runtime.supervise.job_list import JobList
from tests import matrix

MATRIX = matrix.Part("hostile", "privacy")
KEPT = {
    "OMP_NUM_THREADS": "4",
    "CUDA_VISIBLE_DEVICES": "0,1",
    "GLIBC_TUNABLES": "glibc.malloc.arena_max=1:glibc.malloc.trim_threshold=0",
    "OMP_PLACES": "{0:4}",
}
NAMED = {
    "ORT_TOKEN": "hunter2",
    "CUDA_CACHE_PATH": "/home/alice/.nv",
    "NVIDIA_API_KEY": "nvapi-123",
    "OMP_NUM_THREADS": "$(cat /home/alice/.ssh/id_rsa)",
}
LEFT_OUT = {"HOME": "/home/alice", "USER": "alice", "PATH": "/home/alice/bin", "AWS_SECRET_KEY": "x"}


@pytest.fixture(scope="module", autouse=True)
def write_matrix() -> Iterator[None]:
    yield
    MATRIX.write()


def test_settings_that_explain_a_figure_are_kept_with_their_values() -> None:
    assert environment.variables(KEPT) == KEPT


def test_of_others_that_bear_on_it_only_the_name_is_kept() -> None:
    found = environment.variables(NAMED)
    MATRIX.add("secrets in ORT_*, CUDA_*, NVIDIA_*", "names only", found, found == dict.fromkeys(NAMED))


def test_the_rest_is_not_mentioned() -> None:
    found = environment.variables(LEFT_OUT)
    MATRIX.add("HOME, USER, PATH, a key", "not recorded", found, found == {})


def test_preloaded_libraries_are_told_by_name() -> None:
    found = environment.variables({"LD_PRELOAD": "/home/alice/lib/libjemalloc.so.2:/usr/lib/libx.so"})
    MATRIX.add("LD_PRELOAD", "names, no paths", found, found == {"LD_PRELOAD": "libjemalloc.so.2 libx.so"})


def test_an_error_names_files_by_their_place_in_the_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/alice")
    jobs = JobList("r", "d", 0, "/srv/alice/results/r/bundle", {}, [])
    said = (
        "/srv/alice/results/r/bundle/models/m.onnx failed in /home/alice/x.py; see "
        + sys.prefix
        + "/lib/y.py"
    )
    part = {"process": 0, "error": {"kind": "crashed", "message": said, "advice": "a"}}
    found = record_builder.record(jobs, {"id": "j"}, [part])["error"]["message"]
    ok = found == "models/m.onnx failed in ~/x.py; see lib/y.py"
    MATRIX.add("an error that names paths", "no user, no home", found, ok)


def test_mapped_libraries_are_told_by_name_and_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [tmp_path / "alice/libnvinfer.so.8", tmp_path / "bob/libnvinfer.so.8"]
    for path in paths:
        path.parent.mkdir()
        path.write_text(path.parent.name)
    monkeypatch.setattr("bench.runtime.machine.process.mapped_libraries", lambda: [str(p) for p in paths])
    found = model_run._libraries()
    ok = list(found) == ["libnvinfer.so.8", "libnvinfer.so.8 (1)"] and len(set(found.values())) == 2
    MATRIX.add("libraries in home folders", "names, no paths", list(found), ok)


def test_an_emulator_that_only_devices_yaml_states_has_a_name_too(tmp_path: Path) -> None:
    found = [environment.describe({"emulated": stated}, str(tmp_path))["emulated"] for stated in (True, None)]
    assert found == ["an emulator that devices.yaml states", None]
