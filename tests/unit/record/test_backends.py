"""What backends declare: the classes keep to it, the docs show it, and the rest is refused."""

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest

from bench.record import backends, session_entries
from bench.runtime.backends import base, create_backend
from tests.conftest import ROOT

each = pytest.mark.parametrize("name", backends.BACKENDS)
ELSEWHERE = {  # of other versions, or of builds for other processors
    "mlas.enable_gemm_fastmath_arm64_bfloat16",
    "session.enable_static_workspace_preallocation",
}
HEAD = "| backend | makes of an fp32 file | runs as they are |\n|---|---|---|\n"


def source_of(name: str) -> Path:
    module = backends.BACKENDS[name].implementation.partition(":")[0]
    return ROOT / (module.replace(".", "/") + ".py")


def options_read(name: str) -> set[str]:
    """The options that the backend's own modules look up, from their source."""
    parts = source_of(name).parent.glob(f"{name}*.py")
    found: set[str] = set()
    for node in (node for path in parts for node in ast.walk(ast.parse(path.read_text()))):
        text = ""
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            text, keys = ast.unparse(node.func.value), node.args[:1]
        elif isinstance(node, ast.Subscript):
            text, keys = ast.unparse(node.value), [node.slice]
        if text.endswith("options") or (text == "settings" and name == "onnxruntime"):
            found |= {key.value for key in keys if isinstance(key, ast.Constant)}
    return found - {"input_shapes"}


@each
def test_a_backend_reads_exactly_the_options_that_it_declares(name: str) -> None:
    assert options_read(name) == set(backends.BACKENDS[name].options)


@each
def test_the_declared_class_is_there_and_is_of_the_declared_device(name: str) -> None:
    declared = backends.BACKENDS[name]
    settings = base.Settings("fp32", 1, 1, None, None, {})
    job = {"model": {}, "backend": name, "precision": "fp32", "options": {}}
    made = create_backend(job, settings)
    assert isinstance(made, base.Backend)
    assert (made.name, made.device) == (name, declared.device)


@each
def test_every_option_of_every_kind_is_checked(name: str) -> None:
    good = {"flag": True, "integer": 3, "path": "x", "texts": {"session.dynamic_block_base": 4}}
    bad: dict[str, Any] = {"flag": 1, "integer": True, "path": "../x", "texts": "x", "choice": "some"}
    for key, option in backends.BACKENDS[name].options.items():
        value = option.choices[0] if option.kind == "choice" else good[option.kind]
        assert backends.option_problems(name, {key: value}) == []
        assert backends.option_problems(name, {key: bad[option.kind]})[0][0] == key


def test_a_session_entry_that_onnxruntime_does_not_have_is_refused_with_the_known_ones() -> None:
    (found,) = backends.option_problems("onnxruntime", {"config": {"session.dynamic_blok_base": 4}})
    assert found[0] == "config"
    assert "unknown entry 'session.dynamic_blok_base' (known: mlas.disable_kleidiai, " in found[1]
    assert "session.dynamic_block_base, " in found[1]


def test_every_session_entry_is_in_the_library_that_is_installed_here() -> None:
    """A misspelt one would be passed on, and ignored."""
    capi = Path(str(importlib.import_module("onnxruntime").__file__)).parent / "capi"
    (library,) = capi.glob("onnxruntime_pybind11_state.*")
    text = library.read_bytes()
    absent = {entry for entry in session_entries.ENTRIES if entry.encode() not in text}
    assert absent <= ELSEWHERE


@pytest.mark.parametrize(
    ("precisions", "said"),
    [
        (["fp16", "int8"], []),
        (["fp32"], [("dla_core", "option dla_core does not run fp32 (allowed: fp16, int8)")]),
        ([], []),
    ],
)
def test_an_option_may_be_for_some_precisions_only(precisions: list[str], said: list[Any]) -> None:
    assert backends.option_problems("tensorrt", {"dla_core": 0, "tf32": False}, precisions) == said


@pytest.mark.parametrize(
    ("name", "precision", "file", "said"),
    [
        ("onnxruntime", "int8", "fp32", "does not run an fp32 file as int8 (allowed: fp32)"),
        ("onnxruntime", "fp32", "int8", "the file is int8: it runs as int8, not as fp32"),
        ("onnxruntime", "int8", "int8", None),
        ("tensorrt", "int8", "fp32", None),
        ("tensorrt", "mixed", "mixed", "does not run a file that is mixed (allowed: fp32, fp16, int8)"),
        ("torch", "fp16", "fp16", "does not run a file that is fp16 (allowed: fp32)"),
    ],
)
def test_a_precision_is_performed_or_refused(name: str, precision: str, file: str, said: str | None) -> None:
    problem = backends.precision_problem(name, precision, file)
    assert (problem is None) if said is None else (problem is not None and said in problem)


def test_a_job_that_its_backend_does_not_perform_is_refused_before_any_import() -> None:
    job = {"model": {"precision": "fp16"}, "backend": "torch", "precision": "fp16"}
    with pytest.raises(base.BackendError, match="does not run a file that is fp16"):
        create_backend(job, base.Settings("fp16", 1, 1, None, None, {}))


def test_a_backend_of_another_package_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = tmp_path / "tflite_bench-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tflite-bench\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[orbitbench.backends]\ntflite = tflite_bench:DECLARATION\n")
    (tmp_path / "tflite_bench.py").write_text(
        "from bench.record.backends import backend, option\n"
        "DECLARATION = backend('tflite_bench:Backend', makes=('fp32', 'int8'),\n"
        "                      options={'delegate': option('choice', 'what computes', 'xnnpack', 'none')})\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert "tflite" in backends.known()
    assert backends.precision_problem("tflite", "int8") is None
    assert "allowed: delegate" in backends.option_problems("tflite", {"delegat": "none"})[0][1]


def test_a_backend_of_neither_a_cpu_nor_a_gpu_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        def load(self) -> backends.Backend:
            return backends.backend("npu:Backend", device="npu")

    monkeypatch.setattr(backends, "_entry_points", lambda: [("npu", Entry())])
    with pytest.raises(ValueError, match="backend 'npu': its device is 'npu', must be cpu or gpu"):
        backends.find("npu")


def test_the_docs_show_what_is_declared() -> None:
    rows = [
        f"| {name} | {', '.join(found.makes)} | {', '.join(found.runs)} |\n"
        for name, found in sorted(backends.BACKENDS.items())
    ]
    assert HEAD + "".join(rows) in (ROOT / "docs/devices.md").read_text()


def test_the_docs_show_every_option() -> None:
    text = (ROOT / "docs/devices.md").read_text()
    for name, found in backends.BACKENDS.items():
        for key, option in found.options.items():
            value = ", ".join(option.choices) if option.kind == "choice" else option.kind
            assert f"| {name} | `{key}` | {value} | {option.help} |" in text
