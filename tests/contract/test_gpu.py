"""TensorRT on a pretend GPU: waiting, freeing, failing, caching, on all four releases.

The GPU (tests/fakes) does its work later, on a thread, and is strict: see there. None of this shows that the
backend works on hardware; it shows that it keeps the rules that hardware punishes.
"""

import json
import os
import stat
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from bench.record import files
from bench.runtime.backends import cuda_ctypes, engine_cache, tensorrt_child
from bench.runtime.backends.base import BackendError
from bench.runtime.backends.tensorrt import TensorRtBackend
from tests import matrix, models
from tests.conftest import ROOT
from tests.contract.cases import PRETEND, Case, expected, make, sample
from tests.fakes.gpu import Gpu

each = pytest.mark.parametrize("case", PRETEND, ids=lambda case: case.name)
each_with_flags = pytest.mark.parametrize("case", PRETEND[:3], ids=lambda case: case.name)  # 11 has none
TYPED = PRETEND[3]
SHIMS = ROOT / "tests/fakes/path"
ROWS: list[dict[str, Any]] = []


@pytest.fixture(scope="module", autouse=True)
def table() -> Any:
    yield
    matrix.write("gpu-faults", ROWS)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = models.mlp(tmp_path / "bundle/models/mlp.onnx", width=16)
    models.reference(path, tmp_path / "bundle/reference/mlp.npz")
    return path


def note(case: Case, what: str, wanted: str, error: BackendError) -> None:
    ok = error.kind == wanted and bool(error.advice) and "\n" not in error.message
    row = {"case": f"{case.name}: {what}", "expected": wanted, "got": error.kind, "ok": ok}
    ROWS.append({**row, "message": error.message, "advice": error.advice})
    assert ok, (error.kind, error.message, error.advice)


def live(case: Case, model: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> tuple[Any, Any, Gpu]:
    """A whole life with one inference: (build info, outputs, the GPU). The GPU must be clean in the end."""
    backend, gpu = make(case, monkeypatch, **changes)
    assert gpu is not None
    try:
        backend.import_library()
        with backend:
            backend.load(str(model))
            backend.bind(sample(model))
            backend.infer()
            return backend.build_info(), backend.outputs(), gpu
    finally:
        gpu.assert_clean()


def fails(case: Case, what: str, wanted: str, model: Path, monkeypatch: Any, **changes: Any) -> BackendError:
    """A life that must end in a BackendError of kind `wanted`, leaving nothing behind."""
    with pytest.raises(BackendError) as caught:
        live(case, model, monkeypatch, **changes)
    note(case, what, wanted, caught.value)
    return caught.value


# -- waiting for the device ---------------------------------------------------------------------------------
class Hasty(TensorRtBackend):
    """Enqueues and returns, as much published code does: its timings would be a fiction."""

    def infer(self) -> None:
        class NoWait:
            def __init__(self, stream: Any) -> None:
                self._queue, self.handle = getattr(stream, "_queue", None), stream.handle

            def synchronize(self) -> None:
                pass

        real, self._gpu.stream = self._gpu.stream, NoWait(self._gpu.stream)
        try:
            super().infer()
        finally:
            self._gpu.stream = real


def check_waits(backend: Any, gpu: Gpu, model: Path) -> None:
    """What the suite demands of infer: the device is idle, the time has passed, the outputs are there."""
    arrays = sample(model)
    backend.bind(arrays)
    started = time.perf_counter()
    backend.infer()
    elapsed, running, output = time.perf_counter() - started, gpu.running, backend.outputs()[0]
    assert running == 0, "infer returned while the device worked"
    assert elapsed >= gpu.delay, "infer took less time than the device"
    np.testing.assert_allclose(output, expected(model, arrays)[0], atol=1e-5)
    assert gpu.delay <= backend.compute_seconds() <= elapsed


@each
def test_infer_waits_for_the_device(case: Case, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, gpu = make(case, monkeypatch, gpu=Gpu(delay=0.05))
    assert gpu is not None
    backend.import_library()
    with backend:
        backend.load(str(model))
        check_waits(backend, gpu, model)
    gpu.assert_clean()


@each
def test_a_backend_that_does_not_wait_is_caught(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proper, gpu = make(case, monkeypatch, gpu=Gpu(delay=0.2))
    assert gpu is not None
    backend = Hasty(proper.settings)
    backend.import_library()
    with backend:
        backend.load(str(model))
        with pytest.raises(AssertionError, match="while the device worked"):
            check_waits(backend, gpu, model)
        poison = np.full(4, 0xCD, np.uint8).view(np.float32)[0]
        assert (backend.outputs()[0] == poison).all()  # and its outputs are seen to be rubbish
        backend._gpu.stream.synchronize()
    gpu.assert_clean()


# -- freeing ------------------------------------------------------------------------------------------------
@each
def test_memory_that_runs_out_at_any_step_is_told_and_nothing_leaks(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The GPU's memory is grown in steps from nothing: build, engine, context and buffers fail in turn."""
    model = models.mlp(tmp_path / "models/wide.onnx", width=40)
    messages, memory = set(), 1024
    while True:
        try:
            live(case, model, monkeypatch, gpu=Gpu(memory=memory, delay=0.0))
            break
        except BackendError as error:
            note(case, f"{memory} bytes of device memory", "out_of_memory", error)
            messages.add(error.message.split(":")[0])
        memory += 128 if memory > 20_000 else 1024
    assert {
        "building the engine",
        "the engine just built cannot be loaded",
        "no execution context",
    } <= messages
    assert any("no device memory" in message for message in messages)
    assert memory < 40_000


@each
def test_a_bind_that_failed_holds_nothing_and_can_be_tried_again(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, gpu = make(case, monkeypatch)
    assert gpu is not None
    backend.import_library()
    with backend:
        backend.load(str(model))
        held, plenty, gpu.memory = len(gpu.buffers), gpu.memory, gpu.used + 64  # one buffer fits
        with pytest.raises(BackendError) as caught:
            backend.bind(sample(model))
        note(case, "no room for the outputs", "out_of_memory", caught.value)
        assert len(gpu.buffers) == held
        gpu.memory = plenty
        check_waits(backend, gpu, model)
    gpu.assert_clean()


@each
def test_a_launch_failure_ends_in_a_failed_inference(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = Gpu()
    gpu.broken = True
    error = fails(case, "launch failure", "inference_failed", model, monkeypatch, gpu=gpu)
    assert "launch failure" in error.message


@each
def test_no_gpu_and_a_gpu_that_is_not_there(case: Case, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = Gpu()
    gpu.count = 0
    fails(case, "no GPU", "device_missing", model, monkeypatch, gpu=gpu)
    fails(case, "GPU 3 of 1", "device_missing", model, monkeypatch, options={"device": 3})


def no_library() -> Any:
    raise OSError("libcuda.so.1: cannot open shared object file: No such file or directory")


@each
def test_a_missing_driver_is_told(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, _ = make(case, monkeypatch)
    monkeypatch.setitem(sys.modules, "pycuda.driver", None)
    monkeypatch.setattr(cuda_ctypes, "open_library", no_library)
    with pytest.raises(BackendError, match=r"libcuda\.so\.1") as caught:
        backend.import_library()
    note(case, "no CUDA driver", "library_missing", caught.value)


@each
def test_pycuda_is_used_where_it_is_installed_and_the_record_says_which(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, _ = make(case, monkeypatch)
    backend.import_library()
    with backend:
        assert backend.versions()["cuda_binding"] == ("pycuda 2022.1" if case.pycuda else "ctypes")
        assert backend.versions()["cuda_driver"] == "10.2"


@each
def test_too_little_workspace_says_which_option_to_raise(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"workspace_bytes": 16}
    error = fails(case, "workspace of 16 bytes", "build_failed", model, monkeypatch, options=few)
    assert "workspace_bytes" in error.advice


def free_width(path: Path) -> Path:
    models.mlp(path, width=8)
    loaded = onnx.load(str(path))
    loaded.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "wide"
    onnx.save(loaded, str(path))
    return path


@pytest.mark.parametrize("case", [PRETEND[0], PRETEND[2]], ids=lambda case: case.name)
def test_a_free_dimension_that_is_not_the_batch_is_refused(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = free_width(tmp_path / "models/free.onnx")
    error = fails(case, "free width", "model_unreadable", path, monkeypatch)
    assert "static shapes" in error.advice


@each
def test_an_opset_beyond_the_parser_is_warned_about(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = onnx.load(str(model))
    loaded.opset_import[0].version = 18
    onnx.save(loaded, str(model))
    info, _, _ = live(case, model, monkeypatch)
    assert any("opset 18" in warning for warning in info["warnings"]) == case.release.startswith("8.")


# -- the caches ---------------------------------------------------------------------------------------------
@each
def test_a_second_life_finds_the_engine_and_builds_nothing(
    case: Case, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, before, gpu = live(case, model, monkeypatch, cache_dir=str(tmp_path / "cache"))
    second, after, _ = live(case, model, monkeypatch, cache_dir=str(tmp_path / "cache"), gpu=gpu)
    assert (first["cached"], second["cached"], gpu.builds) == (False, True, 1)
    assert first["plan_bytes"] == second["plan_bytes"] > 0
    assert second["warnings"] == []
    np.testing.assert_array_equal(before[0], after[0])


@each
def test_whatever_shapes_an_engine_makes_another_one(
    case: Case, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, gpu = str(tmp_path / "cache"), Gpu()
    other = models.mlp(tmp_path / "bundle/models/other.onnx", width=32)
    live(case, model, monkeypatch, cache_dir=cache, gpu=gpu)
    changes: list[dict[str, Any]] = [
        {"build": 1},
        {"build": 2},
        {"batch": 2},
        {"options": {"workspace_bytes": 1 << 20}},
    ]
    for number, change in enumerate(changes, start=2):
        info, _, _ = live(case, model, monkeypatch, cache_dir=cache, gpu=gpu, **change)
        assert (info["cached"], gpu.builds) == (False, number), change
    assert live(case, other, monkeypatch, cache_dir=cache, gpu=gpu)[0]["cached"] is False
    stranger = Gpu(name="Another GPU")
    assert live(case, model, monkeypatch, cache_dir=cache, gpu=stranger)[0]["cached"] is False


DAMAGE = {
    "truncated": lambda data: data[: len(data) // 2],
    "one bit flipped": lambda data: data[:-7] + bytes([data[-7] ^ 1]) + data[-6:],
    "empty": lambda data: b"",
    "rubbish": lambda data: b"\x00\xff" * 500,
    "another file's header": lambda data: data.replace(b'"batch": 1', b'"batch": 9', 1),
}


@pytest.mark.parametrize("damage", DAMAGE)
@each
def test_a_damaged_engine_is_built_again_with_a_warning(
    case: Case, damage: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    _, before, gpu = live(case, model, monkeypatch, cache_dir=str(cache))
    (engine,) = cache.glob("*.engine")
    engine.write_bytes(DAMAGE[damage](engine.read_bytes()))
    info, after, _ = live(case, model, monkeypatch, cache_dir=str(cache), gpu=gpu)
    assert (info["cached"], gpu.builds) == (False, 2)
    assert any("built again" in warning for warning in info["warnings"])
    np.testing.assert_array_equal(before[0], after[0])
    assert live(case, model, monkeypatch, cache_dir=str(cache), gpu=gpu)[0]["cached"] is True


@each
def test_an_engine_that_tensorrt_refuses_is_built_again(
    case: Case, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = str(tmp_path / "cache")
    info, _, gpu = live(case, model, monkeypatch, cache_dir=cache)
    engine_cache.write(cache, info["key"], "engine", b"whole, and of another TensorRT")
    again, _, _ = live(case, model, monkeypatch, cache_dir=cache, gpu=gpu)
    assert again["cached"] is False
    assert "refused the cached engine" in again["warnings"][0]


@each
def test_the_timing_cache_serves_its_own_build_only(
    case: Case, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shared, it would hand every build the tactics of the first, and replicates would be copies."""
    cache = tmp_path / "cache"
    _, _, gpu = live(case, model, monkeypatch, cache_dir=str(cache), build=0)
    for engine in cache.glob("*.engine"):
        engine.unlink()
    again, _, _ = live(case, model, monkeypatch, cache_dir=str(cache), build=0, gpu=gpu)
    other, _, _ = live(case, model, monkeypatch, cache_dir=str(cache), build=1, gpu=gpu)
    assert again["timing_cache"]["reused"] is True
    assert other["timing_cache"]["reused"] is False


@each
def test_a_damaged_or_foreign_timing_cache_is_replaced(
    case: Case, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    info, _, gpu = live(case, model, monkeypatch, cache_dir=str(cache))
    for content, told in ((b"timing of another device", "refused the timing cache"), (None, "damaged")):
        for engine in cache.glob("*.engine"):
            engine.unlink()
        if content is None:
            (timing,) = cache.glob("*.timing")
            timing.write_bytes(timing.read_bytes()[:-3])
        else:
            engine_cache.write(str(cache), engine_cache.timing_key(info["key"]), "timing", content)
        again, _, _ = live(case, model, monkeypatch, cache_dir=str(cache), gpu=gpu)
        assert any(told in warning for warning in again["warnings"])


def test_an_engine_is_stored_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = {"precision": "fp32", "build": 0}

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        engine_cache.write(str(tmp_path), key, "engine", b"x" * 1000)
    assert list(tmp_path.iterdir()) == []


@each
def test_a_full_disk_fails_the_job_with_advice(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(engine_cache, "write", full)
    fails(case, "disk full", "build_failed", model, monkeypatch)


# -- precision ----------------------------------------------------------------------------------------------
def typed(path: Path, kind: str) -> Path:
    """A file that is fp16 (half tensors) or int8 (quantise and dequantise nodes) by itself."""
    half = kind == "fp16"
    type_in = TensorProto.FLOAT16 if half else TensorProto.FLOAT
    weights = [numpy_helper.from_array(np.array(0.1, "f2" if half else "f4"), "s")]
    nodes = [helper.make_node("Mul", ["input", "s"], ["output"])]
    if not half:
        weights.append(numpy_helper.from_array(np.array(0, "i1"), "z"))
        nodes = [
            helper.make_node("QuantizeLinear", ["input", "s", "z"], ["q"]),
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["output"]),
        ]
    values = [helper.make_tensor_value_info(name, type_in, [1, 4]) for name in ("input", "output")]
    graph = helper.make_graph(nodes, "typed", values[:1], values[1:], weights)
    opset = [helper.make_opsetid("", 13 if half else 19)]  # 19: what onnx's evaluator knows
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))
    return path


def flags_of(backend: Any) -> list[str]:
    return list(backend._engine._facts["flags"])


@each
def test_fp32_means_fp32_unless_tf32_is_asked_for(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for options, flags in (({}, []), ({"tf32": True}, ["TF32"])):
        gpu = Gpu()
        gpu.capability = (8, 7)
        backend, _ = make(case, monkeypatch, options=options, gpu=gpu)
        backend.import_library()
        with backend:
            backend.load(str(model))
            assert flags_of(backend) == flags
        gpu.assert_clean()


@pytest.mark.parametrize(
    ("capability", "override", "why"),
    [
        ((6, 2), "", "Fake Tegra has compute capability 6.2, and TF32 begins at 8.0"),
        ((7, 2), "1", "Fake Tegra has compute capability 7.2, and TF32 begins at 8.0"),
        ((8, 7), "0", "NVIDIA_TF32_OVERRIDE=0 forbids it"),
    ],
)
@each
def test_tf32_that_would_be_fp32_is_refused(
    case: Case, capability: Any, override: str, why: str, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = Gpu()
    gpu.capability = capability
    monkeypatch.setenv("NVIDIA_TF32_OVERRIDE", override)
    with pytest.raises(BackendError, match=why) as refused:
        live(case, model, monkeypatch, options={"tf32": True}, gpu=gpu)
    assert refused.value.kind == "bad_option"


@each_with_flags
def test_fp16_and_int8_are_flags_up_to_10(case: Case, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for precision, flag in (("fp16", "FP16"), ("int8", "INT8")):
        info, outputs, _ = live(case, model, monkeypatch, precision=precision)
        assert info["flags"] == [flag]
        wanted = expected(model, sample(model))[0]
        error = np.abs(outputs[0] - wanted).max() / np.abs(wanted).max()
        low, high = (1e-5, 5e-3) if precision == "fp16" else (1e-3, 5e-2)
        assert low < error < high  # what it claims, and no better


@each_with_flags
def test_int8_feeds_every_whole_batch_of_the_samples(
    case: Case, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = np.random.default_rng(0).standard_normal((5, 16)).astype("f4")
    np.savez(tmp_path / "bundle/samples.npz", **{"input.0": samples})
    info, _, _ = live(
        case, model, monkeypatch, precision="int8", batch=2, options={"calibration": "samples.npz"}
    )
    assert info["warnings"] == []
    assert info["key"]["calibration"] == files.sha256_of(str(tmp_path / "bundle/samples.npz"))


@each_with_flags
def test_int8_on_the_reference_input_alone_is_warned_about(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info, _, _ = live(case, model, monkeypatch, precision="int8")
    assert "reference input alone" in info["warnings"][0]


@each_with_flags
def test_int8_without_samples_or_with_wrong_ones_is_refused(
    case: Case, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez(tmp_path / "bundle/wrong.npz", **{"input.0": np.zeros((4, 3), "f4")})
    wrong = {"calibration": "wrong.npz"}
    fails(case, "wrong samples", "unsupported_precision", model, monkeypatch, precision="int8", options=wrong)
    (tmp_path / "bundle/reference/mlp.npz").unlink()
    error = fails(case, "no samples", "unsupported_precision", model, monkeypatch, precision="int8")
    assert "options.calibration" in error.advice


@each_with_flags
def test_a_precision_that_the_gpu_has_no_units_for_is_refused(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gpu = Gpu(fast="fp16")
    error = fails(
        case, "int8 on a TX2", "unsupported_precision", model, monkeypatch, gpu=gpu, precision="int8"
    )
    assert "fp16" in error.advice


@each_with_flags
def test_a_file_with_quantise_nodes_needs_no_samples(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(case, typed(tmp_path / "models/q.onnx", "int8"), monkeypatch, precision="int8")


@pytest.mark.parametrize("file", ["fp32", "fp16", "int8"])
@pytest.mark.parametrize("wanted", ["fp32", "fp16", "int8"])
def test_from_11_on_the_file_decides_and_a_job_that_says_otherwise_is_refused(
    file: str, wanted: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = model if file == "fp32" else typed(tmp_path / "models/t.onnx", file)
    if file == wanted:
        backend, gpu = make(TYPED, monkeypatch, precision=wanted)
        backend.import_library()
        with backend:
            (tensor,) = backend.load(str(path))
            backend.bind({"input": np.ones(tensor.shape, tensor.dtype)})
            backend.infer()
        assert gpu is not None
        gpu.assert_clean()
        return
    error = fails(
        TYPED, f"{wanted} of a {file} file", "unsupported_precision", path, monkeypatch, precision=wanted
    )
    assert file in error.message
    assert wanted in error.message


# -- built by a child process -------------------------------------------------------------------------------
@pytest.fixture
def shims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A child finds the pretend TensorRT by its path, and reports what it left behind."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(SHIMS), str(ROOT)]))
    monkeypatch.setenv("FAKE_GPU_REPORT", str(tmp_path / "report"))
    monkeypatch.chdir(tmp_path)
    return tmp_path / "report"


@each
def test_a_child_process_builds_the_engine_and_leaves_nothing(
    case: Case, model: Path, shims: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_TENSORRT", case.release)
    monkeypatch.setenv("FAKE_CUDA", "pycuda" if case.pycuda else "ctypes")
    info, _, gpu = live(case, model, monkeypatch, options={"isolate_build": True})
    assert info["cached"] is False
    assert gpu.builds == 0  # not in this process
    assert json.loads(shims.read_text()) == {"violations": [], "left": {}, "builds": 1}


def test_a_childs_failure_is_told_as_if_it_had_happened_here(
    model: Path, shims: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = PRETEND[1]
    monkeypatch.setenv("FAKE_TENSORRT", case.release)
    child = {"isolate_build": True}
    fancy = models.one_node(tmp_path / "models/fancy.onnx", "Fancy", "com.example")
    error = fails(case, "child: unknown operator", "unsupported_operator", fancy, monkeypatch, options=child)
    assert "Fancy" in error.message
    free = free_width(tmp_path / "models/free.onnx")
    fails(case, "child: free width", "model_unreadable", free, monkeypatch, options=child)
    monkeypatch.setenv("FAKE_GPU_MEMORY", "1024")
    fails(case, "child: out of memory", "out_of_memory", model, monkeypatch, options=child)
    reports = [json.loads(line) for line in shims.read_text().splitlines()]
    assert reports == [{"violations": [], "left": {}, "builds": 0}] * 3


@pytest.mark.parametrize(
    ("script", "kind"),
    [("kill -9 $$", "out_of_memory"), ("echo nonsense", "build_failed"), ("exit 3", "build_failed")],
)
def test_a_child_that_dies_or_babbles_is_a_failed_job(
    script: str, kind: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(tensorrt_child.sys, "executable", str(program))
    fails(PRETEND[0], f"child: {script}", kind, model, monkeypatch, options={"isolate_build": True})
