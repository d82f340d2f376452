"""The names and signatures that the TensorRT backend relies on, held against the real Python bindings.

tensorrt_names.json declares every TensorRT name that the backend touches and the releases that have it. Here
the declaration is checked three ways, so that none of the parts can drift: against the backend's own source,
against the real bindings of 8.6, 10.3 and 11.4, and against the pretend TensorRT of the contract suite.
"""

import ast
import inspect
import json
import re
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT, require
from tests.contract import bindings
from tests.fakes import cuda_driver, trt
from tests.fakes.gpu import Gpu

DECLARED = json.loads((Path(__file__).parent / "tensorrt_names.json").read_text())["names"]
SOURCES = sorted((ROOT / "bench/runtime/backends").glob("tensorrt*.py"))
# Words that some TensorRT class has as a member too, and that here belong to Python, numpy, pycuda or a dict.
OURS = {"append", "engine", "kind", "message", "nbytes", "numpy", "read", "update", "weights", "write"}
CACHE = ROOT / "build/trt-bindings"


def has(name: str, version: str) -> bool:
    """Whether the declaration says that `version` has `name`."""
    rule, here = DECLARED[name], trt.number(version)
    return trt.number(rule.get("since", "0")) <= here < trt.number(rule.get("until", "99"))


@pytest.fixture(scope="module", params=bindings.WHEELS)
def real(request: pytest.FixtureRequest) -> tuple[str, Any]:
    """(version, what the real bindings of that version say of the declared names)."""
    require(shutil.which("gcc"), "gcc, to build the stub libraries")
    folder, complaint = bindings.prepare(request.param, CACHE)
    require(folder, f"TensorRT's bindings {request.param} from PyPI: {complaint}")
    assert folder is not None
    return request.param, bindings.read_api(folder, list(DECLARED))


def used_words() -> set[str]:
    """Every attribute, and every string that is a name, in the backend's source."""
    words: set[str] = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute):
                words.add(node.attr)
            elif isinstance(node, ast.FunctionDef):
                words.add(node.name)  # a calibrator's methods are called by TensorRT
            elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.isidentifier():
                words.add(node.value)
    return words


def test_the_wheel_is_the_release_it_claims_to_be(real: Any) -> None:
    assert real[1]["version"] == real[0]


def test_every_declared_name_is_in_the_real_bindings_exactly_where_declared(real: Any) -> None:
    version, api = real
    wrong = {
        name: f"declared {has(name, version)}, real {found is not None}"
        for name, found in api["members"].items()
        if has(name, version) != (found is not None)
    }
    assert not wrong


def test_the_backend_touches_no_tensorrt_name_that_is_not_declared(real: Any) -> None:
    """A word of the source that any TensorRT class has as a member must be declared, or be known as ours."""
    members = {member for found in real[1]["classes"].values() for member in found}
    declared = {name.rsplit(".", 1)[-1] for name in DECLARED}
    own = {name for path in SOURCES for name in defined(path)}
    undeclared = sorted((used_words() & members) - declared - own - OURS)
    assert not undeclared, " ".join(undeclared)


def defined(path: Path) -> set[str]:
    """Functions, classes, parameters and attributes that the module makes itself."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id.isupper():
            found.add(node.id)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "NamedTuple":
            found.update(re.findall(r"\('(\w+)'", ast.unparse(node)))
    return found


def test_every_declared_name_is_used() -> None:
    words = used_words() | {f"platform_has_fast_{precision}" for precision in ("fp16", "int8")}
    words |= {"FP16", "INT8"}  # made from the precision's name
    assert {name for name in DECLARED if name.rsplit(".", 1)[-1] not in words} == set()


@pytest.mark.parametrize("release", trt.GENERATIONS)
def test_the_pretend_tensorrt_has_exactly_the_declared_names_of_its_release(release: str) -> None:
    module = trt.make_tensorrt(release, Gpu())
    for name in DECLARED:
        thing: Any = module
        for part in name.split("."):
            thing = getattr(thing, part, None)
        if name.startswith("IInt8") or name in ("ILogger.log", "IProfiler.report_layer_time"):
            continue  # what Python overrides: the pretend base has no methods of its own
        assert (thing is not None) == has(name, release), name


@pytest.mark.parametrize("cls", trt.CLASSES, ids=lambda cls: cls.__name__)
def test_the_pretend_tensorrt_offers_nothing_that_is_not_declared(cls: type) -> None:
    public = {f"{cls.__name__}.{name}" for name in vars(cls) if not name.startswith("_")}
    assert public <= set(DECLARED)


def test_the_pretend_methods_have_the_real_signatures(real: Any) -> None:
    version, api = real
    checked = 0
    for name, found in api["members"].items():
        owner, _, member = name.partition(".")
        pretend = getattr(getattr(trt, owner, None), member, None)
        if not found or found["kind"] != "method" or not inspect.isfunction(pretend):
            continue
        mine = [p for p in inspect.signature(pretend).parameters if p != "self"]
        signatures = [real_parameters(text) for text in found["signatures"]]
        assert any(fits(mine, parameters) for parameters in signatures), (version, name, mine, signatures)
        checked += 1
    assert checked >= 25


def real_parameters(text: str) -> list[tuple[str, bool]]:
    """[(name, has a default)] of a pybind11 signature line, self apart."""
    inner = text[text.index("(") + 1 : text.rindex(") ->")]
    parts = re.split(r", (?=\w+: )", inner)[1:]
    return [(part.split(":")[0], " = " in part) for part in parts]


def fits(mine: list[str], real: list[tuple[str, bool]]) -> bool:
    """Whether a call with my parameters by position is one that the real function takes."""
    required = [name for name, default in real if not default]
    names = [name for name, _ in real]
    return mine == names[: len(mine)] and len(mine) >= len(required)


def test_what_the_backend_sets_can_be_set(real: Any) -> None:
    members = real[1]["members"]
    for name in ("IBuilderConfig.max_workspace_size", "IBuilderConfig.int8_calibrator", "ITensor.shape"):
        assert members[name] is None or members[name]["writable"], name


# -- pycuda -------------------------------------------------------------------------------------------------
def test_pycuda_of_the_oldest_board_has_every_name_that_is_used() -> None:
    """2022.1 is the last release for Python 3.6; it is a source distribution, so its C++ is read."""
    folder = CACHE / "pycuda"
    if not list(folder.glob("*.tar.gz")):
        complaint = bindings.pip_download(
            "pycuda==2022.1", folder, "--no-binary", ":all:", "--no-build-isolation"
        )
        require(not complaint, f"pycuda's sources from PyPI: {complaint}")
    with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
        member = archive.extractfile("pycuda-2022.1/src/wrapper/wrap_cudadrv.cpp")
        assert member is not None
        source = member.read().decode()
    offered = set(re.findall(r'(?:def|class_<[^"]*?>|add_property)\s*\(\s*"(\w+)"', source))
    offered |= set(re.findall(r"DEF_SIMPLE_(?:METHOD|FUNCTION)\((\w+)\)", source))
    offered |= set(re.findall(r"DECLARE_EXC\((\w+)", source)) | set(
        re.findall(r'\("(\w+)", py::init', source)
    )
    names = {name for name in vars(cuda_driver.make_driver(Gpu())) if not name.startswith("_")}
    for cls in (cuda_driver.Stream, cuda_driver.Event, cuda_driver.Context, cuda_driver.Device):
        names |= {name for name in vars(cls) if not name.startswith("_") and name != "kind"}
    assert names | {"handle", "free", "count"} <= offered
