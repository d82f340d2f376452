"""Images that tests load into an engine without a registry: a tiny one of busybox, and one that runs jobs."""

import contextlib
import functools
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import marshal
import os
import subprocess
import sys
import tarfile
import warnings
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from bench.runtime.supervise import supervisor
from orchestrate.errors import OrbitError
from orchestrate.images import bake
from orchestrate.images import rootfs as debian
from orchestrate.images.manifest import OWN_BASE, open_project
from tests.conftest import ROOT, one_at_a_time, require

HOST = {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine)
OTHER = "arm64" if HOST == "amd64" else "amd64"
BUSYBOX = Path("/bin/busybox")
APPLETS = ("sh", "sleep", "echo", "cat", "ls", "dd", "true", "false", "seq", "date", "id", "touch", "mkdir")
APPLETS += ("env", "wc", "cp", "sync", "ln", "rm", "grep", "yes", "head", "mkfifo", "truncate")
CACHE = ROOT / "build/testbed"
UNUSED = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/share/i18n", "./var/lib/dpkg")
JOB_IMAGE = "orbitbench/job:test"
GPU_IMAGE = "orbitbench/gpu-job:test"
SLOW_IMAGE = "orbitbench/slow-job:test"
# Parts of packages that no job needs.
TOOLS = ("test", "transformers", "quantization", "tools", "distutils", "f2py")
FOR_C = "libonnxruntime.so."  # for programs in C: Python's module holds the same once more
SLOW_START = f"""\
import sys, time
if sys.orig_argv[-1] == {supervisor.child_command()[-1]!r}:
    time.sleep(1)
"""
FAKES_NEED = ("onnx", "protobuf", "ml_dtypes", "typing_extensions")


def tar_of(entries: dict[str, bytes | str], mode: int = 0o755) -> bytes:
    """A tar archive: name -> content, or a text that starts with `->` for a symbolic link."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in entries.items():
            entry = tarfile.TarInfo(name)
            entry.mode = mode
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content.removeprefix("->")
                archive.addfile(entry)
            else:
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def description(digests: list[str], tag: str, architecture: str, config: object) -> dict[str, bytes | str]:
    """The two JSON files beside the layers, of these digests, in what `docker load` takes."""
    image = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}" for digest in digests]},
            "history": [{"created": "2026-01-01T00:00:00Z"} for _ in digests],
        }
    ).encode()
    name = f"{sha256(image).hexdigest()}.json"
    manifest = [{"Config": name, "RepoTags": [tag], "Layers": [f"{digest}/layer.tar" for digest in digests]}]
    return {name: image, "manifest.json": json.dumps(manifest).encode()}


def image_of(
    layers: bytes | list[bytes], tag: str, architecture: str = HOST, there: int = 0, **config: object
) -> bytes:
    """What `docker load` takes, with `config` (Cmd, Env, User ...) and any architecture we claim.

    The first `there` layers are only named: an engine that has them in another image asks for no more.
    """
    layers = [layers] if isinstance(layers, bytes) else layers
    digests = [sha256(layer).hexdigest() for layer in layers]
    files = {f"{digest}/layer.tar": layer for digest, layer in zip(digests, layers, strict=True)}
    sent = dict(list(files.items())[there:])
    return tar_of({**sent, **description(digests, tag, architecture, config)})


@functools.cache
def busybox(architecture: str = HOST) -> bytes:
    """`orbitbench/busybox:test`, 2 MB. Other architectures hold the same program and only claim to differ."""
    links: dict[str, bytes | str] = {f"bin/{name}": "->busybox" for name in APPLETS}
    layer = tar_of({"bin/busybox": BUSYBOX.read_bytes(), **links})
    return image_of(layer, "orbitbench/busybox:test", architecture, Env=["PATH=/bin"], StopSignal="SIGKILL")


# The image that runs jobs. The real ones are built by `orchestrate images build`; this one takes seconds and
# no registry: Debian's Python, the numpy and onnxruntime of this environment, and bench.runtime as it is now.


def cannot_build_jobs() -> str:
    """Why `jobs` cannot work here; empty when it can."""
    if sys.version_info[:2] != (3, 11) or os.uname().machine != "x86_64":
        return "the job image for tests copies packages of Python 3.11 on x86_64"
    found = subprocess.run(["which", "mmdebstrap"], capture_output=True, check=False).returncode == 0
    return "" if found else "the job image for tests needs the Debian package mmdebstrap"


@functools.cache
def jobs() -> bytes:
    """`orbitbench/job:test`: bench.runtime with onnxruntime, as user 65532 in /data."""
    return _runs_jobs(_job_layers(), JOB_IMAGE, "/opt/bench:/opt/site")


@functools.cache
def slow_jobs() -> bytes:
    """`orbitbench/slow-job:test`, for an engine with `jobs`: its measuring processes idle for a second first.

    A job then lasts long enough to be hurt, and takes no core from other tests meanwhile.
    """
    layers = [*_job_layers(), tar_of({"opt/slow/sitecustomize.py": SLOW_START.encode()})]
    return _runs_jobs(layers, SLOW_IMAGE, "/opt/slow:/opt/bench:/opt/site", there=len(layers) - 1)


@functools.cache
def gpu_jobs(release: str = "8.5.2") -> bytes:
    """`orbitbench/gpu-job:test`, for an engine with `jobs`: with tests/fakes' pretend TensorRT and GPU."""
    site, shims = "/opt/bench:/opt/site:/opt/fakes-site", "/opt/fakes/tests/fakes/path:/opt/fakes"
    there = _job_layers()
    layers = [*there, _packages_layer(FAKES_NEED, "opt/fakes-site"), _fakes_layer()]
    return _runs_jobs(layers, GPU_IMAGE, f"{shims}:{site}", f"FAKE_TENSORRT={release}", there=len(there))


@functools.cache
def _job_layers() -> list[bytes]:
    return [_system_layer(), _packages_layer(), _code_layer()]


def _runs_jobs(layers: list[bytes], tag: str, python_path: str, *env: str, there: int = 0) -> bytes:
    return image_of(
        layers,
        tag,
        there=there,
        User="65532:65532",
        WorkingDir="/data",
        Env=[
            "PATH=/usr/bin:/bin",
            f"PYTHONPATH={python_path}",
            "PYTHONDONTWRITEBYTECODE=1",
            "HOME=/tmp",
            *env,
        ],
        Entrypoint=["python3", "-m", "bench.runtime"],
    )


def _cached(name: str, key: str, make: object) -> bytes:
    """The bytes that `make` gives, kept under build/testbed by name and key."""
    path = CACHE / f"{name}-{hashlib.sha256(key.encode()).hexdigest()[:12]}.tar"
    CACHE.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(name):
        if not path.exists():
            part = path.with_suffix(f".{os.getpid()}")
            part.write_bytes(make())  # type: ignore[operator]
            part.replace(path)
    return path.read_bytes()


def own_base(arch: str = HOST) -> Path:
    """The Debian that images are built on where no registry is reached, as tar: made once, kept in build/.

    Raises OrbitError where its packages, or mmdebstrap, cannot be had.
    """
    project = open_project(ROOT, "test.local/orbitbench")
    target = project.target(OWN_BASE, f"linux/{arch}")
    folder = ROOT / bake.CONTEXTS / target.context_name
    folder.mkdir(parents=True, exist_ok=True)
    with one_at_a_time(f"own-base-{arch}"):
        debian.make(target, folder)
    return folder / "rootfs.tar"


@contextlib.contextmanager
def or_skip() -> Iterator[None]:
    """What needs the own base is skipped where it cannot be made, as without a network."""
    try:
        yield
    except OrbitError as error:
        require(False, str(error))


def _system_layer() -> bytes:
    archive = own_base()

    def make() -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(archive) as source, tarfile.open(fileobj=buffer, mode="w") as target:
            for entry in source:
                if not entry.name.startswith(UNUSED) and not entry.isdev():
                    target.addfile(entry, source.extractfile(entry) if entry.isreg() else None)
            _folder(target, "./data", 65532)
        return _compiled(buffer.getvalue())

    return _cached("system", f"with bytecode {archive.with_suffix('.sha256').read_text()}", make)


def _packages_layer(names: tuple[str, ...] = ("numpy", "onnxruntime"), place: str = "opt/site") -> bytes:
    found = [importlib.metadata.distribution(name) for name in names]
    left_out = {"..", "tests", *TOOLS}

    def make() -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as target:
            for distribution in found:
                for file in distribution.files or ():
                    wanted = not left_out.intersection(file.parts) and not file.name.startswith(FOR_C)
                    if wanted and file.locate().exists():
                        _file(target, Path(str(file.locate())), f"{place}/{file}")
        return _compiled(buffer.getvalue())

    versions = [(each.name, each.version) for each in found]
    return _cached("packages", f"with bytecode {place} without {TOOLS} {FOR_C} {versions}", make)


def _fakes_layer() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as target:
        for path in [ROOT / "tests/__init__.py", *sorted((ROOT / "tests/fakes").rglob("*.py"))]:
            _file(target, path, f"opt/fakes/{path.relative_to(ROOT)}")
    return buffer.getvalue()


def _code_layer() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as target:
        for part in ("__init__.py", "record", "runtime"):
            for path in sorted([ROOT / "bench" / part, *(ROOT / "bench" / part).rglob("*.py")]):
                if path.is_file():
                    _file(target, path, f"opt/bench/{path.relative_to(ROOT)}")
    return _compiled(buffer.getvalue())


def _compiled(layer: bytes) -> bytes:
    """The layer with its Python files' bytecode: on a read-only root each process would make it again."""
    buffer = io.BytesIO(layer)
    with (
        tarfile.open(fileobj=io.BytesIO(layer)) as source,
        tarfile.open(fileobj=buffer, mode="a") as target,
    ):
        names = set(source.getnames())
        for entry in source:
            file = source.extractfile(entry) if entry.isreg() and entry.name.endswith(".py") else None
            made = tarfile.TarInfo(importlib.util.cache_from_source(entry.name) if file else "")
            if file is None or made.name in names:
                continue
            with contextlib.suppress(SyntaxError):  # examples of broken files that Python itself brings
                data = _bytecode(file.read(), entry.name.removeprefix("."))
                folder = made.name.rpartition("/")[0]
                if folder not in names:
                    _folder(target, folder, 0)
                    names.add(folder)
                made.size = len(data)
                target.addfile(made, io.BytesIO(data))
    return buffer.getvalue()


def _bytecode(source: bytes, name: str) -> bytes:
    """What a .pyc holds that is never compared with its source (PEP 552)."""
    unchecked = (1).to_bytes(4, "little")
    with warnings.catch_warnings(action="ignore"):  # of how others write
        code = compile(source, name, "exec", dont_inherit=True)
    return importlib.util.MAGIC_NUMBER + unchecked + importlib.util.source_hash(source) + marshal.dumps(code)


def _file(target: tarfile.TarFile, path: Path, name: str) -> None:
    """Add a file after its folders: a rootless engine gives those that no layer has to root alone."""
    there = {member.name for member in target.getmembers()[-1:]}
    for parent in reversed(Path(name).parents[:-1]):
        if not any(each.startswith(f"{parent}/") for each in there):
            _folder(target, str(parent), 0)
    target.add(path, name, filter=_plain)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    entry.mtime = int(entry.mtime)
    return entry


def _folder(target: tarfile.TarFile, name: str, owner: int) -> None:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, 0o755, owner, owner
    target.addfile(entry)
