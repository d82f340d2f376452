"""One suite for every backend: what the measuring loop relies on, and what a user reads if it fails."""

import gc
import os
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.runtime.backends import backend_class
from bench.runtime.backends.base import BackendError, Settings
from tests import matrix, models
from tests.contract.cases import CASES, COMPUTING, PRETEND, Case, expected, make, sample
from tests.fakes.gpu import Gpu

each = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
each_computing = pytest.mark.parametrize("case", COMPUTING, ids=lambda case: case.name)
ROWS: list[dict[str, Any]] = []


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.cnn(tmp_path_factory.mktemp("contract") / "models/cnn.onnx", channels=4, size=8)


@pytest.fixture(scope="module", autouse=True)
def table() -> Any:
    yield
    matrix.write("backends", ROWS)


def clean(gpu: Any) -> None:
    if gpu is not None:
        gpu.assert_clean()


@contextmanager
def living(case: Case, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Iterator[Any]:
    """A backend between entry and exit, its library imported; what it leaves on a pretend GPU is an error."""
    backend, gpu = make(case, monkeypatch, **changes)
    backend.import_library()
    with backend:
        yield backend
    clean(gpu)


def refused(case: Case, what: str, kinds: set[str], call: Any) -> BackendError:
    """`call` must raise a BackendError of one of `kinds`, in one line, with advice; kept for the matrix."""
    with pytest.raises(BackendError) as caught:
        call()
    error = caught.value
    good = error.kind in kinds and error.message and "\n" not in error.message and error.advice
    row = {"case": f"{case.name}: {what}", "expected": "|".join(sorted(kinds)), "got": error.kind}
    ROWS.append({**row, "ok": bool(good), "message": error.message, "advice": error.advice})
    assert good, (error.kind, error.message, error.advice)
    return error


# -- a good life --------------------------------------------------------------------------------------------
@each
def test_making_a_backend_imports_nothing(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, case.library, None)  # importing it now is an ImportError
    backend = backend_class(case.backend)(Settings("fp32", 1, 1, None, None, {}))
    if case.library:
        refused(case, "library missing", {"library_missing"}, backend.import_library)


@each_computing
def test_load_tells_names_static_shapes_and_numpy_types(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with living(case, monkeypatch) as backend:
        assert [tuple(tensor) for tensor in backend.load(str(model))] == [("input", (1, 3, 8, 8), "float32")]


@each_computing
def test_outputs_are_right_as_soon_as_infer_returns_and_always_the_same(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = sample(model)
    with living(case, monkeypatch) as backend:
        backend.load(str(model))
        backend.bind(arrays)
        seen = []
        for _ in range(5):
            backend.infer()
            seen.append([np.array(output) for output in backend.outputs()])
    for wanted, got in zip(expected(model, arrays), seen[0], strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-5)
    assert all(
        np.array_equal(first, later) for run in seen for first, later in zip(seen[0], run, strict=True)
    )


@each_computing
def test_bound_again_it_answers_for_the_new_input(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with living(case, monkeypatch) as backend:
        backend.load(str(model))
        for seed in (1, 2):
            arrays = sample(model, seed)
            backend.bind(arrays)
            backend.infer()
            np.testing.assert_allclose(backend.outputs()[0], expected(model, arrays)[0], atol=1e-5)


@each
def test_infer_keeps_nothing_it_allocates(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = models.one_node(tmp_path / "models/relu.onnx", "Relu")
    backend, gpu = make(case, monkeypatch, gpu=Gpu(delay=0.0) if case.release else None)
    backend.import_library()
    with backend:
        backend.load(str(model))
        backend.bind(sample(model))
        for _ in range(50):  # caches of the interpreter and the library fill up
            backend.infer()
        on_device = len(gpu.buffers) if gpu else 0
        gc.collect()
        tracemalloc.start()
        try:
            before = tracemalloc.take_snapshot()
            for _ in range(300):
                backend.infer()
            kept = tracemalloc.take_snapshot().compare_to(before, "filename")
        finally:
            tracemalloc.stop()
        assert sum(row.size_diff for row in kept if "backends" in row.traceback[0].filename) < 20_000
        assert gpu is None or len(gpu.buffers) == on_device
    clean(gpu)


@each
def test_versions_memory_and_build_are_plain_data(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with living(case, monkeypatch) as backend:
        backend.load(str(model))
        backend.bind(sample(model))
        backend.infer()
        memory, build, compute = backend.memory(), backend.build_info(), backend.compute_seconds()
    versions = backend.versions()  # after exit too: the record is written then
    assert versions
    assert all(isinstance(text, str) and text for pair in versions.items() for text in pair)
    assert all(isinstance(value, int) and value >= 0 for value in memory.values())
    assert build is None or isinstance(build, dict)
    assert (compute is None) == (backend.device == "cpu")
    assert backend.fake == bool(case.release or not case.computes)


@pytest.mark.parametrize("case", [*COMPUTING[:3], PRETEND[0]], ids=lambda case: case.name)
def test_many_lives_leave_no_memory_behind(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    big = models.mlp(tmp_path / "models/mlp.onnx", width=512, depth=4)  # 4 MiB of weights
    arrays, seen = sample(big), []
    for _ in range(5):  # of which three may leave nothing
        with living(case, monkeypatch) as backend:
            backend.load(str(big))
            backend.bind(arrays)
            backend.infer()
        del backend
        gc.collect()
        seen.append(rss())
    assert seen[-1] - seen[1] < 2 * 4 * 2**20, [value >> 20 for value in seen]


def rss() -> int:
    with open("/proc/self/statm") as stream:
        return int(stream.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# -- out of order -------------------------------------------------------------------------------------------
@each_computing
def test_out_of_order_and_after_exit_it_refuses(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with living(case, monkeypatch) as backend:
        backend.load(str(model))
        refused(case, "infer before bind", {"inference_failed"}, backend.infer)
        backend.bind(sample(model))
        backend.infer()
    refused(case, "infer after exit", {"inference_failed"}, backend.infer)


@each
def test_leaving_twice_is_harmless(case: Case, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend, gpu = make(case, monkeypatch)
    backend.import_library()
    with backend:
        backend.load(str(model))
    backend.__exit__(None, None, None)
    clean(gpu)


@each_computing
def test_an_error_in_the_callers_code_frees_everything_too(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, gpu = make(case, monkeypatch)
    backend.import_library()
    with pytest.raises(ZeroDivisionError), backend:  # noqa: PT012 the error comes midway through its life
        backend.load(str(model))
        backend.bind(sample(model))
        backend.infer()
        _ = 1 // 0
    clean(gpu)


# -- bad models and inputs ----------------------------------------------------------------------------------
def truncated(path: Path) -> Path:
    whole = models.cnn(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def no_onnx(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("<html>404 Not Found</html>")
    return path


BAD = {
    "missing file": (lambda path: path, {"model_missing"}),
    "truncated file": (truncated, {"model_unreadable"}),
    "no ONNX at all": (no_onnx, {"model_unreadable"}),
    "unknown operator": (
        lambda path: models.one_node(path, "Fancy", "com.example"),
        {"unsupported_operator"},
    ),
}


@pytest.mark.parametrize("fault", BAD)
@each_computing
def test_a_bad_file_is_told_by_kind_in_one_line_with_advice(
    case: Case, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_file, kinds = BAD[fault]
    path = make_file(tmp_path / "models/bad.onnx")
    with living(case, monkeypatch) as backend:
        error = refused(case, fault, kinds, lambda: backend.load(str(path)))
    assert "Fancy" in error.message or fault != "unknown operator"


@each
def test_a_missing_file_is_refused_even_by_a_backend_that_does_not_read_it(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    with living(case, monkeypatch) as backend:
        refused(case, "missing file", {"model_missing"}, lambda: backend.load("/nowhere/x.onnx"))


@each_computing
def test_an_input_of_the_wrong_shape_or_missing_is_refused_before_the_first_inference(
    case: Case, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = {"input": np.zeros((1, 5, 8, 8), "float32")}
    with living(case, monkeypatch) as backend:
        backend.load(str(model))
        refused(case, "wrong input shape", {"inference_failed"}, lambda: backend.bind(wrong))
        refused(case, "no input", {"inference_failed"}, lambda: backend.bind({}))


@pytest.mark.parametrize("case", [*PRETEND, CASES[2]], ids=lambda case: case.name)
def test_a_free_batch_takes_the_jobs_batch(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = models.mlp(tmp_path / "models/free.onnx", width=8, batch="n")
    arrays = sample(free, batch=3)
    with living(case, monkeypatch, batch=3) as backend:
        assert backend.load(str(free))[0].shape == (3, 8)
        backend.bind(arrays)
        backend.infer()
        np.testing.assert_allclose(backend.outputs()[0], expected(free, arrays)[0], atol=1e-5)
