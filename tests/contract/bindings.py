"""The real Python bindings of TensorRT, without TensorRT: their wheels from PyPI on libraries of stubs.

A bindings wheel is one pybind11 module of about 1 MB. It wants libnvinfer and friends, of which it calls
nothing until an object is made; so a C file with the few symbols it asks for lets it be imported, and every
class, method and signature can be read. Run as a program, names as JSON on standard input, it prints what it
found as JSON.
"""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from tests.conftest import PATIENCE

WHEELS = {
    "8.6.1": "tensorrt-bindings==8.6.1",
    "10.3.0": "tensorrt-cu12-bindings==10.3.0",
    "11.4.0.106": "tensorrt-cu12-bindings==11.4.0.106",
}
FUNCTIONS = [
    *("createInferBuilder_INTERNAL", "createInferRefitter_INTERNAL", "createInferRuntime_INTERNAL"),
    *("createNvOnnxParser_INTERNAL", "createNvOnnxParserRefitter_INTERNAL", "getBuilderPluginRegistry"),
    *(
        "getPluginRegistry",
        "getNvOnnxParserVersion",
        "initLibNvInferPlugins",
        "_ZN11nvuffparser15createUffParserEv",
    ),
    *("_ZN14nvcaffeparser117createCaffeParserEv", "_ZN14nvcaffeparser123shutdownProtobufLibraryEv"),
    "_ZN11nvuffparser8FieldMapC1EPKcPKvNS_9FieldTypeEi",
]


def pip_download(requirement: str, folder: Path, *options: str) -> str:
    """Fetch one distribution into `folder`; "" or what pip said last."""
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-q",
        "--no-deps",
        "--dest",
        folder,
        *options,
        requirement,
    ]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=PATIENCE)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["pip failed"])[-1]


def prepare(version: str, cache: Path) -> tuple[Path | None, str]:
    """(folder with `tensorrt_bindings` and `stubs`, ""), or (None, why it is not there)."""
    folder = cache / version
    if not (folder / "done").exists():
        complaint = pip_download(WHEELS[version], folder, "--only-binary", ":all:")
        if complaint:
            return None, complaint
        with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
            wheel.extractall(folder)
        make_stubs(folder)
        (folder / "done").touch()
    return folder, ""


def make_stubs(folder: Path) -> None:
    """Compile a library for every name that the module was linked with; the first holds all symbols."""
    stubs = folder / "stubs"
    stubs.mkdir(exist_ok=True)
    library = (folder / "tensorrt_bindings/tensorrt.so").read_bytes()
    names = sorted({name.decode() for name in re.findall(rb"libnv[a-z_]+\.so\.\d+", library)})
    for index, name in enumerate(names):
        source = (
            "".join(f"void *{symbol}(void) {{ return 0; }}\n" for symbol in FUNCTIONS) if index == 0 else ""
        )
        command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", stubs / name, "-x", "c", "-"]
        subprocess.run([str(part) for part in command], input=source, text=True, check=True)


def read_api(folder: Path, names: list[str]) -> dict[str, Any]:
    """What the bindings in `folder` say of `names`, read in a process of its own."""
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder / "stubs"), "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, __file__],
        input=json.dumps(names),
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def describe(module: Any, name: str) -> Any:
    """None where `name` is absent, else its kind and, of a method, the text of its signature."""
    thing = module
    for part in name.split("."):
        if not hasattr(thing, part):
            return None
        thing = getattr(thing, part)
    if isinstance(thing, property):
        return {"kind": "property", "writable": thing.fset is not None}
    if isinstance(thing, type):
        return {"kind": "class"}
    if callable(thing):
        return {"kind": "method", "signatures": re.findall(r"\w+\(self.*?\) -> .*", thing.__doc__ or "")}
    return {"kind": "value", "text": str(thing)}


def main() -> None:
    import tensorrt_bindings

    names = json.load(sys.stdin)
    members = {name: describe(tensorrt_bindings, name) for name in names}
    classes = {
        name: [member for member in dir(value) if not member.startswith("_")]
        for name, value in vars(tensorrt_bindings.tensorrt).items()
        if isinstance(value, type)
    }
    print(json.dumps({"version": tensorrt_bindings.__version__, "members": members, "classes": classes}))


if __name__ == "__main__":
    main()
