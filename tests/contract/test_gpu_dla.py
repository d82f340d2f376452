"""DLA on the pretend GPU: core, fall-back, what stayed on the GPU, and what TensorRT refuses."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.record import schema
from bench.runtime.backends.base import BackendError
from tests import models
from tests.conftest import PATIENCE, ROOT
from tests.contract.cases import PRETEND, Case, make, sample
from tests.fakes.gpu import Gpu
from tests.matrix import Part

with_flags = pytest.mark.parametrize("case", PRETEND[:3], ids=lambda case: case.name)


def xavier(cores: int = 2) -> Gpu:
    gpu = Gpu()
    gpu.dla_cores = cores
    return gpu


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """Two convolutions with ReLU, which a DLA runs, and three layers that it does not."""
    return models.cnn(tmp_path / "bundle/models/cnn.onnx", channels=4, size=8)


def live(
    case: Case,
    model: Path,
    monkeypatch: pytest.MonkeyPatch,
    gpu: Gpu,
    precision: str = "fp16",
    **options: Any,
) -> tuple[Any, Any]:
    """(build info, outputs) of one inference; the GPU must be clean in the end."""
    backend, _ = make(case, monkeypatch, gpu=gpu, precision=precision, options=options)
    try:
        backend.import_library()
        with backend:
            backend.load(str(model))
            backend.bind(sample(model))
            backend.infer()
            return backend.build_info(), backend.outputs()
    finally:
        gpu.assert_clean()


@pytest.fixture(scope="module")
def part() -> Iterator[Part]:
    part = Part("board", "dla")
    yield part
    part.write()


def refused(part: Part, what: str, kind: str, said: str, *arguments: Any, **options: Any) -> None:
    """Note what a life that must fail says."""
    with pytest.raises(BackendError) as caught:
        live(*arguments, **options)
    error = caught.value
    text = f"{error.kind}: {error.message}; {error.advice}"
    case: Case = arguments[0]
    part.add(f"{case.name}: DLA, {what}", f"{kind}: {said}", text, error.kind == kind and said in text)


@with_flags
def test_layers_that_fall_back_are_recorded_by_name(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info, on_dla = live(case, model, monkeypatch, xavier(), dla_core=1)
    assert (info["dla"]["core"], info["dla"]["layers"]) == (1, 7)
    assert [name.split()[0] for name in info["dla"]["fallback"]] == ["GlobalAveragePool", "Flatten", "MatMul"]
    info, on_gpu = live(case, model, monkeypatch, xavier())
    assert info["dla"] is None
    np.testing.assert_array_equal(on_dla[0], on_gpu[0])


@with_flags
def test_without_fall_back_such_layers_are_refused_before_the_build(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch, part: Part
) -> None:
    gpu, said = xavier(), "of its 7 layers the DLA lacks: GlobalAveragePool"
    options = {"dla_core": 0, "dla_fallback": False}
    refused(part, "no fall-back", "unsupported_operator", said, case, model, monkeypatch, gpu, **options)
    assert gpu.builds == 0


@with_flags
@pytest.mark.parametrize(("cores", "advice"), [(0, "leave dla_core out"), (2, "choose one of 0 to 1")])
def test_a_core_that_is_not_there_is_refused(
    case: Case, cores: int, advice: str, model: Path, monkeypatch: pytest.MonkeyPatch, part: Part
) -> None:
    what = f"core 2 of {cores}"
    refused(part, what, "device_missing", advice, case, model, monkeypatch, xavier(cores), dla_core=2)


@with_flags
def test_a_network_of_which_nothing_runs_there_is_refused_as_it_would_measure_the_gpu(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: Part
) -> None:
    path = models.one_node(tmp_path / "models/log.onnx", "Log")
    arguments = (case, path, monkeypatch, xavier())
    said = "none of its 1 layers runs on the DLA"
    refused(part, "no layer for it", "unsupported_operator", said, *arguments, dla_core=0)


@with_flags
def test_engines_of_two_cores_and_of_the_gpu_are_three(
    case: Case, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = xavier()
    for options in ({"dla_core": 0}, {"dla_core": 1}, {}):
        for _ in range(2):  # the second is the first one's, from the cache
            backend, _ = make(
                case, monkeypatch, gpu=gpu, precision="fp16", options=options, cache_dir=str(tmp_path)
            )
            backend.import_library()
            with backend:
                backend.load(str(model))
    assert gpu.builds == 3


def test_a_record_holds_core_and_fallen_back_layers_though_a_child_built_the_engine(tmp_path: Path) -> None:
    bundle = tmp_path / "bundle"
    net = models.cnn(bundle / "models/net.onnx", channels=4, size=8)
    one = {"processes": 1}
    job = models.job(bundle, net, backend="tensorrt", precision="fp16", options={"dla_core": 0}, measure=one)
    path = models.job_list(tmp_path / "jobs.json", bundle, [job])
    shims = os.pathsep.join([str(ROOT / "tests/fakes/path"), str(ROOT)])
    fake = {"PYTHONPATH": shims, "FAKE_TENSORRT": "8.5", "FAKE_DLA_CORES": "2"}
    command = [sys.executable, "-m", "bench.runtime", str(path), str(tmp_path / "out")]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **fake}, capture_output=True, text=True, timeout=PATIENCE
    )
    record = schema.load(str(next((tmp_path / "out/records").iterdir())), "record")
    assert record["status"] == "ok", json.dumps(record["error"]) + done.stderr
    assert record["environment"]["build"]["dla"]["core"] == 0
    assert len(record["environment"]["build"]["dla"]["fallback"]) == 3
